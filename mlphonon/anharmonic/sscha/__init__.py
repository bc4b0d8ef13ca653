"""Self-consistent harmonic phonons: the Gaussian crystal of least free energy at a temperature."""
