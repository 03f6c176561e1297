"""The built-in maskers."""
