"""Potentials that run in Python environments of their own."""
