"""The command line: one module a command group. Nothing is decided here; it asks, calls and shows."""
