"""How weights are moved: losses, optimisers, and the loop that any training runs in."""
