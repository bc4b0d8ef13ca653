"""Results and settings on disk: written completely or not at all, and read without trust."""
