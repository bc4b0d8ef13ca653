"""Campaigns over many crystals: a store, workers, ranking."""
