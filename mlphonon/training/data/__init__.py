"""Labelled structures and curvatures that potentials are taught with."""
