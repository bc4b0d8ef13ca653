"""How right a potential is about phonons: references of DFT, metrics, and a run over both."""
