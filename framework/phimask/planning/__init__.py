"""What a run would do, found out before anything is written."""
