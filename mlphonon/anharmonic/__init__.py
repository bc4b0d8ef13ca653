"""Beyond the harmonic crystal: thermal expansion, heat conductivity, phonons at a temperature."""
