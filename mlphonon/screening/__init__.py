"""Campaigns over many crystals: a database, workers, ranking."""
