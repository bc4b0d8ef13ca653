"""Phonons of DFT to compare with: sets by name, each with a reader, a source and a licence."""
