"""The arena: an HTTP service of its own process in which people and products vote, and the file that keeps it."""
