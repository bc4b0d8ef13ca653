"""How right potentials are, as a page: tables, figures, and what others report."""
