"""The built-in observers."""
