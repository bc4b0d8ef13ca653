"""Potentials by their names: the catalogue, the weights, and the environments they run in."""
