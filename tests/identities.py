"""`_id`s of every BSON type that a server takes, for tests of reading and writing."""

from __future__ import annotations

import struct

from oracle import build


def text(value: bytes) -> bytes:
    """A string's value bytes."""
    return struct.pack("<i", len(value) + 1) + value + b"\0"


def double(value: float) -> tuple[int, bytes]:
    """A double."""
    return 0x01, struct.pack("<d", value)


NAME = (0x02, b"Name", text(b"Ada"))

IDENTITIES: list[tuple[int, bytes]] = [
    (0xFF, b""),
    (0x0A, b""),
    double(float("nan")),
    double(float("-inf")),
    double(-(2.0**70)),
    (0x12, struct.pack("<q", -(2**63))),
    (0x12, struct.pack("<q", -5)),
    (0x10, struct.pack("<i", -3)),
    double(-0.0),
    double(0.5),
    (0x10, struct.pack("<i", 1)),
    double(1.5),
    (0x13, bytes.fromhex("1900000000000000" + "0000000000003e30")),
    (0x12, struct.pack("<q", 3)),
    (0x10, struct.pack("<i", 2**31 - 1)),
    (0x12, struct.pack("<q", 2**53 + 1)),
    (0x12, struct.pack("<q", 2**63 - 1)),
    double(2.0**70),
    double(float("inf")),
    (0x13, bytes.fromhex("01000000000000000000000000004031")),
    (0x02, text(b"")),
    (0x02, text(b"1")),
    (0x02, text(b"A")),
    (0x02, text(b"a")),
    (0x0E, text(b"ab")),
    (0x02, text(b"abc")),
    (0x02, text("Zo\u00eb".encode())),
    (0x02, text(b"x\0y")),
    (0x02, text(b"\xff\xfe")),
    (0x03, build([])),
    (0x03, build([(0x10, b"a", bytes(4))])),
    (0x03, build([(0x10, b"a", b"\1\0\0\0"), (0x02, b"b", text(b"x"))])),
    (0x03, build([(0x02, b"b", text(b"x")), (0x10, b"a", b"\1\0\0\0")])),
    (0x03, build([NAME, (0x03, b"n", [(0x04, b"l", [(0x10, b"0", bytes(4))])])])),
    (0x03, build([(0x02, b"bad", text(b"\xff"))])),
    (0x03, build([(0x09, b"far", struct.pack("<q", 2**62))])),
    (0x05, b"\0\0\0\0\0"),
    (0x05, b"\3\0\0\0\0abc"),
    (0x05, b"\7\0\0\0\2\3\0\0\0abc"),
    (0x05, b"\x10\0\0\0\3" + bytes(range(16))),
    (0x05, b"\x10\0\0\0\4" + bytes(range(16))),
    (0x05, b"\3\0\0\0\x80abc"),
    (0x07, bytes(12)),
    (0x07, b"\xff" * 12),
    (0x08, b"\0"),
    (0x08, b"\1"),
    (0x09, struct.pack("<q", -(2**63))),
    (0x09, struct.pack("<q", 0)),
    (0x09, struct.pack("<q", 2**62)),
    (0x11, struct.pack("<q", 1)),
    (0x11, struct.pack("<q", 2**40)),
    (0x0C, text(b"db.c") + bytes(12)),
    (0x0D, text(b"f()")),
    (0x0F, struct.pack("<i", 4 + 8 + 5) + text(b"f()") + build([])),
    (0x7F, b""),
]
"""Types and value bytes, in no particular order."""


def with_id(identity: tuple[int, bytes], *fields: tuple[int, bytes, bytes]) -> bytes:
    """A document with this `_id` and fields."""
    return build([(identity[0], b"_id", identity[1]), *fields])
