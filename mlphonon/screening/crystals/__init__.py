"""Crystals on their way in: read from anywhere, recognised, priced."""
