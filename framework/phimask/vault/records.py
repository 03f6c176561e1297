"""What the vault keeps of a document, and how a batch of that becomes bytes and documents again."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from phimask.masking.fingerprints import FINGERPRINT_BYTES, Fingerprint
from phimask.plugins.values import DocumentId
from phimask.rawbson import elements

PIECE_BYTES: Final = 4 << 20
"""A batch is cut into pieces of about this size; each is sealed by itself."""

_HEAD: Final = struct.Struct(f"<?BII{FINGERPRINT_BYTES}s")
"""Whole or not, the `_id`'s BSON type, the lengths of `_id` and original, the fingerprint."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose originals: a batch of a partition, under the fence of the worker that held it."""

    run: str
    namespace: str
    partition: int
    batch: int
    fence: int


@dataclass(frozen=True, slots=True)
class Original:
    """What a document was before it was masked.

    `whole` false: `restore` is a raw document {path: original value} of exactly the changed paths, and `masked` the
    fingerprint of the raw document {the same paths, in this order: masked value}. `whole` true: `restore` is the
    whole document, and `masked` the fingerprint of the whole masked one.
    """

    identity: DocumentId
    whole: bool
    restore: bytes = field(repr=False)
    masked: bytes = field(repr=False)

    @classmethod
    def of_update(
        cls, identity: DocumentId, values: bytes, update: bytes, fingerprint: Fingerprint
    ) -> Original:
        """Of a document that gets `update`, a raw `{$set: {path: masked value, ...}}`; `values` are what stood at the
        same paths, in the same order."""
        (sets,) = elements(update)
        return cls(identity, False, values, fingerprint.of(update[sets.value : sets.end]))

    @classmethod
    def of_whole(
        cls, identity: DocumentId, before: bytes, after: bytes, fingerprint: Fingerprint
    ) -> Original:
        """Of a document that is replaced."""
        return cls(identity, True, before, fingerprint.of(after))


class Unreadable(ValueError):
    """These bytes are no records: they were not written by this version."""


def pieces(originals: Iterable[Original], size: int = PIECE_BYTES) -> Iterator[bytes]:
    """The batch in pieces of at most `size` bytes, wherever a record ends; at least one, be it empty."""
    held = bytearray()
    for one in originals:
        identity = one.identity
        held += _HEAD.pack(one.whole, identity.bson_type, len(identity.value), len(one.restore), one.masked)
        held += identity.value
        held += one.restore
        while len(held) > size:
            yield bytes(held[:size])
            del held[:size]
    yield bytes(held)


def records(pieces: Iterable[bytes]) -> Iterator[Original]:
    """The originals again, each as soon as its last piece is there. Raises Unreadable."""
    held = bytearray()
    for piece in pieces:
        held += piece
        at = 0
        while len(held) - at >= _HEAD.size:
            whole, bson_type, identity, restore, masked = _HEAD.unpack_from(held, at)
            value = at + _HEAD.size
            end = value + identity + restore
            if end > len(held):
                break
            yield Original(
                DocumentId(bson_type, bytes(held[value : value + identity])),
                whole,
                bytes(held[value + identity : end]),
                masked,
            )
            at = end
        del held[:at]
    if held:
        raise Unreadable
