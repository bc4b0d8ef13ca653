"""Grueneisen parameters: how frequencies answer to a change of volume."""
