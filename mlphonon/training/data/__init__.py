"""Labelled structures and curvatures that potentials are trained on."""
