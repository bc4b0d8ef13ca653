"""Calculations of phonopy and phono3py, read whatever program made their forces."""
