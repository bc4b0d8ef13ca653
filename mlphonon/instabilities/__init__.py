"""Imaginary modes: what they are, and where those that are real lead."""
