"""Heat conductivity of the lattice: phono3py solves, we say how far to believe it."""
