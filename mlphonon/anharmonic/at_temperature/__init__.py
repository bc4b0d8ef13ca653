"""Phonons at a temperature, by either method."""
