"""The built-in validators."""
