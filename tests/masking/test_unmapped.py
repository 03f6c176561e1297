"""Paths that no rule names are seen and left as they are, whatever BSON type their values have."""

from __future__ import annotations

import struct
from typing import Any, Literal

import bson
import pytest

from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked
from phimask.masking.unmapped import Unmapped
from phimask.path_counts import MOST_FIELDS, MOST_KEYS, PathCounts
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
    assert sum(drift.seen.told().values()) == 1


def counted(path: list[str], *documents: dict[str, Any]) -> PathCounts:
    """What is seen of documents, each of which has one of these at a path."""
    drift = Unmapped()
    core = MaskingCore([BoundRule(0, "**", (Wildcard.ANY_DEPTH,), drift)], None, "redact")
    for one in documents:
        whole: dict[str, Any] = one
        for key in reversed(path):
            whole = {key: whole}
        core.mask([bson.encode(whole)], "update")
    return drift.seen


def names(count: int) -> list[str]:
    """Letters alone, as in a patient's name."""
    return ["Smith" + "".join("abcdefghij"[int(digit)] for digit in str(number)) for number in range(count)]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("path", [["visitsBy"], ["Ward", "visitsBy"]])
def test_a_sub_document_with_more_keys_than_a_schema_has_is_one_path(path: list[str], order: int) -> None:
    documents = [{name: {"Seen": 1, "By": {name: "x"}}} for name in names(MOST_KEYS + 5)][::order]
    shown = ".".join(path)
    few = counted(path, *documents[:MOST_KEYS])
    assert len(few.told()) == 2 * MOST_KEYS
    all_told = {(f"{shown}.*.Seen", "int"): MOST_KEYS + 5, (f"{shown}.*.By.*", "string"): MOST_KEYS + 5}
    assert counted(path, *documents).told() == all_told
    # Nor does it matter who counted which of them, and what was kept of that.
    parts = [counted(path, *documents[at : at + 20]) for at in range(0, len(documents), 20)]
    many = counted(path, *documents[: MOST_KEYS + 2])
    rest = counted(path, *documents[MOST_KEYS + 2 :])
    for together in (parts, parts[::-1], [many, rest], [rest, many]):
        total = PathCounts()
        for part in together:
            total.add(PathCounts.of(part.kept()))
        assert total.told() == all_told


def test_a_key_that_looks_like_data_hides_no_field_beside_it() -> None:
    seen = counted(["Contact"], {"06-12 34": "x", "Mail": "y"}, {"a b": 1, "Mail": "z"})
    assert seen.told() == {("Contact.*", "string"): 1, ("Contact.*", "int"): 1, ("Contact.Mail", "string"): 2}
    kept = PathCounts.of(seen.kept())
    assert kept == seen
    kept.add(counted(["Contact"], *({name: 1} for name in names(MOST_KEYS))))
    assert kept.told() == {("Contact.*", "string"): 3, ("Contact.*", "int"): MOST_KEYS + 1}


def test_documents_may_have_more_fields_than_sub_documents() -> None:
    fields: dict[str, Any] = dict.fromkeys(names(MOST_FIELDS), 1)
    assert len(counted([], fields).told()) == MOST_FIELDS
    assert counted([], fields, {"One": 1}).told() == {("*", "int"): MOST_FIELDS + 1}


def test_however_keys_are_nested_so_many_paths_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phimask.path_counts._MOST_PATHS", 100)
    some = names(10)
    paths = [[a, b, c] for a in some for b in some for c in some]
    seen = PathCounts()
    for path in [*paths, *paths]:
        seen.count(path, "int")
    told = seen.told()
    assert 50 < len(told) <= 101
    assert sum(told.values()) == 2000
    assert told["*", "int"] > 1000
    # What has become one counts as one.
    wide = PathCounts()
    for name in names(10 * MOST_KEYS):
        wide.count(["By", name], "int")
    wide.count(["Ward"], "int")
    assert wide.told() == {("By.*", "int"): 10 * MOST_KEYS, ("Ward", "int"): 1}
