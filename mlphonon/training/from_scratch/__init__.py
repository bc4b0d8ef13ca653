"""Training a MACE from nothing."""
