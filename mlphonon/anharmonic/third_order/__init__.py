"""Third-order force constants: how forces answer to two displacements at once."""
