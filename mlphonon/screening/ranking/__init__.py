"""Tables of results, and the language in which they are ranked."""
