"""What a run proves afterwards: the report, as data and as text."""
