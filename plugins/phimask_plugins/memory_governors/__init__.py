"""The built-in memory governors."""
