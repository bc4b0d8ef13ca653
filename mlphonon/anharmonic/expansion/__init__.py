"""Quasi-harmonic approximation: free energies at several volumes or shapes, minimised."""
