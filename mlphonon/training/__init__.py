"""Training a MACE on labelled structures: data, loss, loop, validation."""
