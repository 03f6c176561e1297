"""Raw BSON, element by element: what a document's bytes say, with nothing decoded.

Source: the BSON specification, version 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LENGTH: Final = struct.Struct("<i")
FIXED_SIZES: Final[dict[int, int]] = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}
STRING: Final = 0x02
DOCUMENT: Final = 0x03
ARRAY: Final = 0x04
BINARY: Final = 0x05
UNDEFINED: Final = 0x06
NULL: Final = 0x0A
SYMBOL: Final = 0x0E


class MalformedBsonError(ValueError):
    """These bytes are no BSON document."""


@dataclass(frozen=True, slots=True, repr=False)
class Element:
    """One element within `raw`: [start, end) whole, its value at [value, end)."""

    start: int
    key: bytes
    kind: int
    value: int
    end: int


def elements(raw: bytes, start: int = 0) -> Iterator[Element]:
    """The elements of the document that begins at `start`. Raises MalformedBsonError."""
    try:
        end = start + LENGTH.unpack_from(raw, start)[0] - 1
        at = start + 4
        if end >= len(raw) or end < at or raw[end] != 0:
            raise MalformedBsonError
        while at < end:
            kind = raw[at]
            zero = raw.index(0, at + 1, end)
            value = zero + 1
            after = value + size_of(raw, kind, value)
            if after > end:
                raise MalformedBsonError
            yield Element(at, raw[at + 1 : zero], kind, value, after)
            at = after
    except (struct.error, ValueError, IndexError):
        raise MalformedBsonError from None


def size_of(raw: bytes, kind: int, at: int) -> int:
    """The bytes of a value of type `kind` that begins at `at`."""
    fixed = FIXED_SIZES.get(kind)
    if fixed is not None:
        return fixed
    if kind == 0x0B:
        return raw.index(0, raw.index(0, at) + 1) + 1 - at
    length: int = LENGTH.unpack_from(raw, at)[0]
    if length < 0:
        raise MalformedBsonError
    if kind in (0x02, 0x0D, SYMBOL):
        return 4 + length
    if kind in (DOCUMENT, ARRAY, 0x0F):
        return length
    if kind == 0x05:
        return 5 + length
    if kind == 0x0C:
        return 4 + length + 12
    raise MalformedBsonError


def wrap(body: bytes) -> bytes:
    """A document of these element bytes."""
    return LENGTH.pack(len(body) + 5) + body + b"\0"
