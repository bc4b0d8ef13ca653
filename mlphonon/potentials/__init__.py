"""Positions -> energies, forces and stresses: one protocol, several backends."""
