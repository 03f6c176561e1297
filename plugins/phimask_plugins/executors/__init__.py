"""The built-in executors."""
