"""Crystals: read, checked, brought to the standard setting, expanded."""
