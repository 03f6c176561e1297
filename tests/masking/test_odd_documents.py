"""Documents that broke masking tools: each kind through a real server, in place and into a copy."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.regex import Regex
from bson.timestamp import Timestamp
from pymongo import MongoClient

from masking_trials import (
    ANY,
    AS_TEXT,
    DEEP,
    KEEP,
    NEXT_DAY,
    NULLIFY,
    REMOVES,
    STUB,
    SUCCESSOR,
    TILDE,
    Rules,
)
from oracle import Node, build
from partition_runs import WAYS, Room, Way, store, wanted

pytestmark = pytest.mark.usefixtures("walk")

FAR = DatetimeMS(253_402_300_800_000)  # the first millisecond of the year 10000

RULES: Rules = [
    (("Patient", "Name"), TILDE),
    (("Patient", "Born"), NEXT_DAY),
    (("Visits", "Name"), TILDE),
    (("Visits", "Date"), NEXT_DAY),
    (("Visits", "Room"), SUCCESSOR),
    (("Visits", "Provider", "NPI"), AS_TEXT),
    (("Names",), TILDE),
    (("Contact",), NULLIFY),
    (("Secret",), REMOVES),
    (("Employer",), STUB),
    (("Patient", "Kept"), KEEP),
]

BULK = {"Images": "x" * 20_000}
"""Enough of what no rule needs to have it left out of what is read."""


def text(value: bytes) -> bytes:
    return struct.pack("<i", len(value) + 1) + value + b"\0"


NAME: Node = (0x02, b"Name", text(b"Ada"))

ODD: dict[str, dict[str, Any] | list[Node]] = {
    "null sub-document": {"Patient": None, "Visits": None, "Contact": None, "Secret": None, "Employer": None},
    "missing sub-document": {"Other": 1},
    "empty sub-document": {"Patient": {}, "Visits": [], "Contact": {}, "Secret": {}, "Employer": {}},
    "null among sub-documents": {"Visits": [None, {"Name": "Ada"}, None, {"Name": None}]},
    "missing at the end of the path": {"Patient": {"Ward": "W"}, "Visits": [{"Ward": "W"}, {"Provider": {}}]},
    "lists in lists": {"Visits": [[{"Name": "Ada"}, [{"Name": "Bea"}]], {"Name": [["Cy"], []]}]},
    "list of strings": {"Names": ["Ada", "", None, "Bea"], "Patient": {"Name": ["Ada", "Bea"]}},
    "lists of lists of strings": {"Names": [["Ada"], [["Bea", None]]]},
    "date kept as a string": {
        "Patient": {"Born": "1980-01-02"},
        "Visits": [{"Date": "2020-02-03T04:05:06Z"}],
    },
    "sub-document where a scalar was": {
        "Patient": {"Name": {"First": "Ada", "No": 7}},
        "Names": {"x": "Ada"},
    },
    "scalar where a sub-document was": {"Patient": "Ada", "Visits": "none", "Contact": 5, "Employer": "ACME"},
    "sub-document where a list was": {"Visits": {"Name": "Ada", "Date": FAR}},
    "date past 9999 on a path": {"Patient": {"Born": FAR}, "Visits": [{"Date": DatetimeMS(2**63 - 1)}]},
    "date past 9999 elsewhere": {"Patient": {"Name": "Ada", "Seen": FAR}, "Far": FAR, "l": [{"x": FAR}]},
    "date before year 1": {"Patient": {"Born": DatetimeMS(-62_135_596_800_001)}, "x": DatetimeMS(-(2**63))},
    "scalar among sub-documents": {"Visits": [7, {"Name": "Ada"}, "x", {"Name": "Bea"}, 7.5]},
    "scalars only": {"Visits": [7, "x", None, True]},
    "scalar among sub-documents, deeper": {
        "Visits": [{"Provider": [3, {"NPI": Int64(12)}, [4, {"NPI": "12"}]]}, 5]
    },
    "numbers of every width": {"Visits": [{"Room": 2**31 - 1}, {"Room": Int64(2**63 - 1)}, {"Room": 1.5}]},
    "numeric keys": {
        "Visits": {"0": {"Name": "Ada"}, "1": {"Name": "Bea"}},
        "Names": {"0": "Ada", "2": ["Cy"]},
    },
    "types a masker does not take": {
        "Names": [1, Int64(2), 1.5, True, b"b", Regex("x"), Code("x"), Code("x", {"y": 1}), Timestamp(1, 2)],
        "Patient": {"Name": Decimal128("1.5"), "Born": MaxKey()},
    },
    "whole removals": {"Secret": [{"x": 1}, 2], "Visits": [{"Name": "Ada"}], "Contact": [{"x": 1}, [2]]},
    "employer in a list": {"Employer": [{"Name": "ACME"}, "ACME", [{"x": 1}], None]},
    "nothing but odd types": [(0x0E, b"Names", text(b"Ada")), (0x06, b"Contact", b""), (0x06, b"x", b"")],
    "deprecated types beside": [
        (0x0C, b"p", text(b"db.c") + bytes(12)),
        (0x06, b"u", b""),
        (0x03, b"Patient", [NAME, (0x0E, b"s", text(b"y"))]),
    ],
    "duplicate key on a path": [(0x03, b"Patient", [NAME, NAME])],
    "duplicate root": [(0x03, b"Patient", [NAME]), (0x03, b"Patient", [(0x02, b"Name", text(b"Bea"))])],
    "duplicate root of another type": [
        (0x02, b"Names", text(b"Ada")),
        (0x04, b"Names", [(0x02, b"0", text(b"B"))]),
    ],
    "duplicate key elsewhere": [(0x03, b"Patient", [NAME, (0x10, b"x", bytes(4)), (0x10, b"x", bytes(4))])],
    "duplicate in a list": [(0x04, b"Visits", [(0x03, b"0", [NAME, NAME]), (0x10, b"1", bytes(4))])],
    "text that is no UTF-8": [
        (0x03, b"Patient", [(0x02, b"Name", text(b"\xff\xfe"))]),
        (0x02, b"x", text(b"\xff")),
    ],
    "duplicates beside what nobody decodes": [
        (0x02, b"x", text(b"\xff")),
        (0x09, b"Far", struct.pack("<q", 2**62)),
        (0x03, b"Patient", [NAME, NAME]),
    ],
    "dotted keys": {
        "Patient": {"Name.First": "Ada", "Name": "Ada"},
        "Names": {"a.b": "Ada"},
        "Patient.Name": "x",
    },
    "dollar keys": {"Names": {"$a": "Ada"}, "Patient": {"$ref": "people", "$id": 1, "Name": "Ada"}},
    "empty keys": {"Names": {"": "Ada"}, "": {"Name": "Ada"}},
    "embedded _id": {
        "_id": {"Name": "Ada", "Names": ["x"]},
        "Patient": {"Name": "Ada"},
        "Names": {"_id": "Ada"},
    },
    "empty timestamps": {"Patient": {"Name": "Ada"}, "t": Timestamp(0, 0), "l": {"t": Timestamp(0, 0)}},
    "a hundred levels": {"Names": None},
}


def deep(levels: int) -> Any:
    value: Any = "Ada"
    for level in range(levels):
        value = [value] if level % 3 == 2 else {"a": value}
    return value


ODD["a hundred levels"] = {"Names": deep(98)}


def raw(odd: dict[str, Any] | list[Node], beside: dict[str, Any] | None = None) -> bytes:
    if isinstance(odd, dict):
        return bson.encode({"_id": 1, **odd, **(beside or {})})
    more = build([(0x10, b"_id", b"\1\0\0\0"), *odd])[4:-1] + bson.encode(beside or {})[4:-1]
    return struct.pack("<i", len(more) + 5) + more + b"\0"


@pytest.fixture(scope="module")
def rooms(client: MongoClient[dict[str, Any]]) -> Iterator[Room]:
    """Collections for all tests of this module: to make new ones takes longer than a test."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield Room(client, name)
    client.drop_database(name)


@pytest.fixture
def room(rooms: Room) -> Room:
    """The collections, empty."""
    rooms.clear()
    return rooms


def agree(room: Room, documents: list[bytes], rules: Rules, *, way: Way, **settings: Any) -> Any:
    assert store(room.source, documents) == len(documents)
    run = room.run(rules, way=way, **settings)
    assert run.quarantined == {}
    assert run.after == wanted(run, rules, way=way)
    changed = sum(run.after[found] != run.before[found] for found in run.before)
    assert run.written >= changed
    assert run.written + run.unchanged == len(documents)
    return run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_by_including_roots(room: Room, odd: dict[str, Any] | list[Node], way: Way) -> None:
    run = agree(room, [raw(odd)], RULES, way=way)
    if way != "copy":
        assert set(run.projection.values()) == {1}
        assert "Visits" in run.projection


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_by_excluding_bulk(room: Room, odd: dict[str, Any] | list[Node]) -> None:
    usual = {"_id": 0, "Patient": {"Name": "Ada", **BULK}, "Visits": [{"Name": "Ada", **BULK}], "Big": BULK}
    sample = [bson.encode(usual)]
    run = agree(room, [raw(odd, {"Big": BULK}), *sample], RULES, way="transaction", sample=sample)
    assert set(run.projection.values()) == {0}
    assert "Visits.Images" in run.projection


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_by_whole_documents(room: Room, odd: dict[str, Any] | list[Node]) -> None:
    rules: Rules = [((DEEP, "Name"), TILDE), *RULES[1:], ((ANY, "Deep"), NULLIFY)]
    run = agree(room, [raw(odd)], rules, way="transaction")
    assert run.projection is None


@pytest.mark.parametrize("way", WAYS)
def test_all_of_them_in_one_batch(room: Room, way: Way) -> None:
    documents = []
    for number, odd in enumerate(ODD.values()):
        fields = raw(odd if isinstance(odd, list) else {key: odd[key] for key in odd if key != "_id"})[13:]
        body = b"\x10_id\0" + struct.pack("<i", number) + fields[:-1]
        documents.append(struct.pack("<i", len(body) + 5) + body + b"\0")
    agree(room, documents, RULES, way=way)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_added_and_no_length_changes(room: Room, way: Way) -> None:
    document = {"_id": 1, "Visits": [7, None, [], {}, {"Name": None}, {"Provider": None}], "Secret": [1, 2]}
    rules: Rules = [(("Visits",), REMOVES), (("Visits", "Name"), TILDE), (("Patient", "Name"), TILDE)]
    store(room.source, [bson.encode(document)])
    run = room.run(rules, way=way)
    (after,) = run.after.values()
    assert bson.decode(after) == {
        "_id": 1,
        "Visits": [None, None, [], {}, {"Name": None}, {"Provider": None}],
        "Secret": [1, 2],
    }
