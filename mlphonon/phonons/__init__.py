"""The phonons of a crystal and all that they can be asked."""
