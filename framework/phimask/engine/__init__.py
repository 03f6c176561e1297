"""The run: partitions' loops, what guards them, verification, the report."""
