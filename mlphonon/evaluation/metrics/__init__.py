"""What is measured between the phonons of a potential and those of DFT, each with its source."""
