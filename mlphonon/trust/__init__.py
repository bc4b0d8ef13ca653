"""How far a result can be believed: measured by itself, with a verdict."""
