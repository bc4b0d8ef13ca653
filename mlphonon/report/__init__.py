"""What is shown to people: figures and the single-file report."""
