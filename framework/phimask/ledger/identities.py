"""`_id`s in the ledger: as binaries, type byte first, since the ledger must keep what PyMongo cannot decode."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from bson.binary import Binary

from phimask.plugins.values import DocumentId


def packed(found: DocumentId | None) -> Binary | None:
    """As the ledger keeps it."""
    return None if found is None else Binary(bytes((found.bson_type,)) + found.value)


def unpacked(kept: bytes | None) -> DocumentId | None:
    """From what the ledger keeps."""
    return None if kept is None else DocumentId(kept[0], bytes(kept[1:]))


_HEAD: Final = struct.Struct("<iB")


def joined(found: Sequence[DocumentId]) -> bytes:
    """Many of them as one binary, each behind its length: an array of thousands costs more than its bytes do."""
    head = _HEAD.pack
    return b"".join([head(len(one.value), one.bson_type) + one.value for one in found])


def parted(kept: bytes) -> list[DocumentId]:
    """From what `joined` wrote."""
    found: list[DocumentId] = []
    at = 0
    while at < len(kept):
        size, kind = _HEAD.unpack_from(kept, at)
        at += _HEAD.size
        found.append(DocumentId(kind, bytes(kept[at : at + size])))
        at += size
    return found
