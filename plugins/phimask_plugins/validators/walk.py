"""Raw BSON as the validators read it: elements of a document, their extent, and what stands for a lost value.

Nothing is decoded, so nothing is lost: duplicate keys, deprecated types and strings that are not UTF-8 are
bytes like any others. Source: the BSON specification, version 1.1 (bsonspec.org), and the aliases of
MongoDB's `$type` operator.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

DOUBLE: Final = 0x01
STRING: Final = 0x02
OBJECT: Final = 0x03
ARRAY: Final = 0x04
BINARY: Final = 0x05
UNDEFINED: Final = 0x06
OBJECT_ID: Final = 0x07
BOOL: Final = 0x08
DATE: Final = 0x09
NULL: Final = 0x0A
REGEX: Final = 0x0B
DB_POINTER: Final = 0x0C
CODE: Final = 0x0D
SYMBOL: Final = 0x0E
CODE_WITH_SCOPE: Final = 0x0F
INT32: Final = 0x10
TIMESTAMP: Final = 0x11
INT64: Final = 0x12
DECIMAL: Final = 0x13
MAX_KEY: Final = 0x7F
MIN_KEY: Final = 0xFF

ALIASES: Final[dict[int, str]] = {
    DOUBLE: "double",
    STRING: "string",
    OBJECT: "object",
    ARRAY: "array",
    BINARY: "binData",
    UNDEFINED: "undefined",
    OBJECT_ID: "objectId",
    BOOL: "bool",
    DATE: "date",
    NULL: "null",
    REGEX: "regex",
    DB_POINTER: "dbPointer",
    CODE: "javascript",
    SYMBOL: "symbol",
    CODE_WITH_SCOPE: "javascriptWithScope",
    INT32: "int",
    TIMESTAMP: "timestamp",
    INT64: "long",
    DECIMAL: "decimal",
    MAX_KEY: "maxKey",
    MIN_KEY: "minKey",
}
KINDS: Final[dict[str, int]] = {alias: kind for kind, alias in ALIASES.items()}

FIXED_SIZES: Final[dict[int, int]] = {
    DOUBLE: 8,
    UNDEFINED: 0,
    OBJECT_ID: 12,
    BOOL: 1,
    DATE: 8,
    NULL: 0,
    INT32: 4,
    TIMESTAMP: 8,
    INT64: 8,
    DECIMAL: 16,
    MAX_KEY: 0,
    MIN_KEY: 0,
}
PREFIXED_SIZES: Final[dict[int, int]] = {
    STRING: 4,
    CODE: 4,
    SYMBOL: 4,
    OBJECT: 0,
    ARRAY: 0,
    CODE_WITH_SCOPE: 0,
    BINARY: 5,
    DB_POINTER: 16,
}
"""Bytes that a value takes beyond the number in the int32 that it begins with."""
TEXT_KINDS: Final = frozenset({STRING, CODE, SYMBOL})

_UINT32: Final = struct.Struct("<I")
_READ_UINT32: Final = _UINT32.unpack_from


class MalformedError(ValueError):
    """These bytes are no BSON. Says nothing of what they are."""


class Element(NamedTuple):
    """One element of a document: its type byte, its key, and where its value lies: [value, end)."""

    kind: int
    key: bytes
    value: int
    end: int


def size_at(raw: bytes, kind: int, at: int) -> int:
    """The bytes taken by a value of type `kind` that begins at `at`. Raises MalformedError."""
    try:
        extra = PREFIXED_SIZES.get(kind)
        if extra is not None:
            length: int = _READ_UINT32(raw, at)[0]
            return length + extra
        if kind == REGEX:
            return raw.index(0, raw.index(0, at) + 1) + 1 - at
        return FIXED_SIZES[kind]
    except (KeyError, ValueError, struct.error):
        raise MalformedError from None


def elements(raw: bytes, start: int, stop: int) -> list[Element]:
    """The elements of the document that takes up [start, stop) of `raw`, in order. Raises MalformedError."""
    if stop - start < 5 or stop > len(raw) or raw[stop - 1] != 0:
        raise MalformedError
    if _READ_UINT32(raw, start)[0] != stop - start:
        raise MalformedError
    found: list[Element] = []
    at = start + 4
    last = stop - 1
    while at < last:
        zero = raw.find(0, at + 1, last)
        if zero < 0:
            raise MalformedError
        kind = raw[at]
        value = zero + 1
        end = value + size_at(raw, kind, value)
        if end > last or (kind in TEXT_KINDS and (end < value + 5 or raw[end - 1] != 0)):
            raise MalformedError
        found.append(Element(kind, raw[at + 1 : zero], value, end))
        at = end
    return found


def first(raw: bytes, start: int, stop: int, key: bytes) -> Element | None:
    """The first element of this key, of the document that takes up [start, stop). Raises MalformedError."""
    at = start + 4
    while at < stop - 1:
        zero = raw.find(0, at + 1, stop)
        if zero < 0:
            raise MalformedError
        kind = raw[at]
        end = zero + 1 + size_at(raw, kind, zero + 1)
        if raw[at + 1 : zero] == key:
            return Element(kind, key, zero + 1, end)
        at = end
    return None


def blank(kind: int, value: bytes) -> tuple[int, bytes]:
    """The type and bytes that stand for a value which no masker could take (fail closed).

    A blank of the same type where the type has one, else null.
    """
    if kind == BINARY:
        content = _BINARY_CONTENTS.get(value[4:5], b"")
        return kind, bytes([len(content), 0, 0, 0]) + value[4:5] + content
    known = _BLANKS.get(kind)
    return (NULL, b"") if known is None else (kind, known)


_REDACTED_TEXT: Final = b"\x0b\0\0\0[REDACTED]\0"
_BINARY_CONTENTS: Final = {b"\2": bytes(4), b"\3": bytes(16), b"\4": bytes(16)}
"""By subtype, where a driver cannot read an empty binary: subtype 2 holds its length twice, UUIDs have 16 bytes."""
_BLANKS: Final[dict[int, bytes]] = {
    STRING: _REDACTED_TEXT,
    SYMBOL: _REDACTED_TEXT,
    INT32: bytes(4),
    INT64: bytes(8),
    DOUBLE: bytes(8),
    DATE: bytes(8),
    BOOL: bytes(1),
    OBJECT_ID: bytes(12),
    DECIMAL: bytes(14) + b"\x40\x30",  # 0 with the exponent 0, biased by 6176 (IEEE 754-2008, decimal128)
}
BLANKS: Final = {kind: blank(kind, b"") for kind in ALIASES if kind != BINARY}
"""What stands for lost values, but for binaries."""
BLANK_VALUES: Final = frozenset({b"", *_BLANKS.values()})
"""What blanks hold, but for binaries."""
