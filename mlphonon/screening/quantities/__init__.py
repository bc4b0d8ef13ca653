"""What is kept of the phonons of a crystal: numbers with units."""
