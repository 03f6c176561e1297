"""Paths that no rule names are seen and left as they are, whatever BSON type their values have."""

from __future__ import annotations

import struct
from typing import Literal

import pytest

from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked
from phimask.masking.unmapped import Unmapped
from phimask.plugins.values import Wildcard
from phimask.rawbson import wrap
from phimask_plugins.maskers import Redact


def text(value: bytes) -> bytes:
    return struct.pack("<i", len(value) + 1) + value + b"\0"


SCOPED = text(b"f()") + wrap(b"\x02x\0" + text(b"y"))
VALUES: dict[str, tuple[int, bytes]] = {
    "double": (0x01, struct.pack("<d", 1.5)),
    "string": (0x02, text(b"Ada")),
    "string that is not UTF-8": (0x02, text(b"\xff\xfe")),
    "binData": (0x05, struct.pack("<i", 3) + b"\0abc"),
    "old binData": (0x05, struct.pack("<i", 7) + b"\2" + struct.pack("<i", 3) + b"abc"),
    "objectId": (0x07, b"a" * 12),
    "bool": (0x08, b"\1"),
    "date": (0x09, struct.pack("<q", 1)),
    "date past 9999": (0x09, struct.pack("<q", 1 << 60)),
    "regex": (0x0B, b"a.*\0i\0"),
    "dbPointer": (0x0C, text(b"a.b") + b"b" * 12),
    "javascript": (0x0D, text(b"f()")),
    "symbol": (0x0E, text(b"sym")),
    "javascriptWithScope": (0x0F, struct.pack("<i", 4 + len(SCOPED)) + SCOPED),
    "int": (0x10, struct.pack("<i", 7)),
    "timestamp": (0x11, b"\1" * 8),
    "long": (0x12, struct.pack("<q", 7)),
    "decimal": (0x13, b"\0" * 14 + b"\x40\x30"),
    "minKey": (0xFF, b""),
    "maxKey": (0x7F, b""),
}


@pytest.mark.parametrize("mode", ["update", "whole"])
@pytest.mark.parametrize("place", ["field", "array", "below"])
@pytest.mark.parametrize("name", VALUES)
def test_all_stay_as_they_are(name: str, place: str, mode: Literal["update", "whole"]) -> None:
    kind, value = VALUES[name]
    if place == "field":
        odd = bytes((kind,)) + b"Odd\0" + value
    else:
        around = b"\x04" if place == "array" else b"\x03"
        odd = around + b"Odd\0" + wrap(bytes((kind,)) + b"0\0" + value)
    left = b"\x10_id\0" + struct.pack("<i", 1) + odd
    raw = wrap(left + b"\x02Name\0" + text(b"Wilhelmina"))
    drift = Unmapped()
    rules = [
        BoundRule(0, "**", (Wildcard.ANY_DEPTH,), drift),
        BoundRule(1, "_id", ("_id",), Unmapped()),
        BoundRule(2, "Name", ("Name",), Redact({"text": "[R]"})),
    ]
    batch = MaskingCore(rules, None, "redact").mask([raw], mode)
    (outcome,) = batch.outcomes
    assert isinstance(outcome, Masked)
    assert b"Odd" not in outcome.bson if mode == "update" else outcome.bson.startswith(left, 4)
    assert list(batch.redacted_on_error) == [0, 0, 0]
    assert sum(drift.seen.values()) == 1
