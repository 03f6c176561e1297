"""The undo vault: the originals of what a run changes, sealed, until a rollback or `finalize`.

Sealed under a data key of the run's own, which is wrapped under a key that is derived from the masking key. Written and
synced before the batch is; read by nobody but the rollback.
"""
