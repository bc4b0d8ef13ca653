"""Effective force constants: those that fit the forces on atoms that move at a temperature."""
