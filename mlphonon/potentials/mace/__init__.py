"""MACE models as potentials."""
