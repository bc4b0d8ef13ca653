"""Training on second derivatives of DFT, and on a teacher's frames beside them."""
