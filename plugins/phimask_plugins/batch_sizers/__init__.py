"""The built-in batch sizers."""
