"""`_id`s in the ledger: as one binary, type byte first, since the ledger must keep what PyMongo cannot decode."""

from __future__ import annotations

from bson.binary import Binary

from phimask.plugins.values import DocumentId


def packed(found: DocumentId | None) -> Binary | None:
    """As the ledger keeps it."""
    return None if found is None else Binary(bytes((found.bson_type,)) + found.value)


def unpacked(kept: bytes | None) -> DocumentId | None:
    """From what the ledger keeps."""
    return None if kept is None else DocumentId(kept[0], bytes(kept[1:]))
