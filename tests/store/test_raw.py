"""Replies fall into documents, and an `_id` goes back to the server byte for byte."""

from __future__ import annotations

import datetime
from typing import Any

import bson
import pytest
from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from pymongo import MongoClient
from pymongo.database import Database

from identities import IDENTITIES, NAME, with_id
from oracle import build, parse
from phimask import DocumentId
from phimask.rawbson import MalformedBsonError
from phimask.store.connect import raw_collection
from phimask.store.raw import (
    by_id,
    by_ids,
    document,
    extended_json,
    from_to,
    identity,
    literal,
    split,
    within,
)

EXACT_JSON = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    tz_aware=False,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
)


def test_a_reply_is_its_documents() -> None:
    documents = [bson.encode({"_id": number, "x": "x" * number}) for number in range(5)]
    assert list(split(b"".join(documents))) == documents
    assert list(split(b"")) == []


@pytest.mark.parametrize(("kind", "value"), IDENTITIES)
def test_an_id_goes_out_as_it_came_in(kind: int, value: bytes) -> None:
    found = identity(with_id((kind, value), NAME))
    assert found == DocumentId(kind, value)
    assert by_id(found).raw == build([(kind, b"_id", value)])
    assert literal(found).raw == build([(kind, b"$literal", value)])
    assert by_ids([found, found])["_id"].raw == build(
        [(0x04, b"$in", [(kind, b"0", value), (kind, b"1", value)])]
    )


def test_an_id_is_found_behind_other_fields() -> None:
    assert identity(build([NAME, (0x08, b"_id", b"\1"), (0x0A, b"_id", b"")])) == DocumentId(0x08, b"\1")


def test_a_document_without_an_id() -> None:
    with pytest.raises(MalformedBsonError):
        identity(bson.encode({"a": {"_id": 1}}))


@pytest.mark.parametrize("length", range(5, 22))
def test_a_document_that_ends_within_its_id(length: int) -> None:
    with pytest.raises(MalformedBsonError):
        identity(with_id((0x07, bytes(12)))[:length])


def test_no_repr_shows_an_id() -> None:
    assert "Ada" not in repr(identity(bson.encode({"_id": "Ada"})))
    assert repr(DocumentId(0x02, b"x")) == "DocumentId(bson_type=0x02)"


def test_ranges() -> None:
    low, high = (identity(bson.encode({"_id": one})) for one in (1, "x"))
    assert within(None, None) == {}
    assert within(None, None, {}) == {}
    assert within(None, None, {"a": 1}) == {"$and": [{"a": 1}]}
    assert within(low, None) == {"$and": [{"$expr": {"$and": [{"$gt": ["$_id", literal(low)]}]}}]}
    assert within(low, high, {"a": 1}) == {
        "$and": [
            {"$expr": {"$and": [{"$gt": ["$_id", literal(low)]}, {"$lte": ["$_id", literal(high)]}]}},
            {"a": 1},
        ]
    }


@pytest.mark.parametrize("query", [None, {"kept": True}])
def test_a_range_of_one_type_among_others(
    query: dict[str, Any] | None, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    """Asked for plainly, and nothing of another type belongs between."""
    collection = raw_collection(client, database.name, "c")
    mixed = [
        -1,
        2.5,
        "x",
        {"a": 1},
        b"x" * 12,
        True,
        datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    ]
    ours = [bson.ObjectId(bytes([number]) * 12) for number in (0, 1, 2, 254, 255)]
    collection.insert_many([{"_id": one, "kept": True} for one in (*mixed, *ours)])
    first, low, _, high, last = (identity(bson.encode({"_id": one})) for one in ours)
    for after, upto, found in ((first, last, ours[1:]), (low, high, ours[2:4]), (low, low, [])):
        for these, expected in (
            (within(after, upto, query), found),
            (from_to(after, upto, query), [one for one in ours if one.binary == after.value] + found),
        ):
            assert "$expr" not in str(these)
            rows = collection.find(these, {"_id": 1}, sort=[("_id", 1)], hint=[("_id", 1)])
            assert [bson.decode(one.raw)["_id"] for one in rows] == expected


def test_the_server_finds_one_and_several(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    collection = raw_collection(client, database.name, "c")
    documents = {identity(raw): raw for raw in (with_id(one, NAME) for one in IDENTITIES)}
    collection.insert_many([bson.raw_bson.RawBSONDocument(raw) for raw in documents.values()])
    for found, raw in documents.items():
        assert [one.raw for one in collection.aggregate([{"$match": by_id(found)}])] == [raw]
    chosen = list(documents)[::3]
    assert {one.raw for one in collection.find(by_ids(chosen))} == {documents[found] for found in chosen}


def test_a_document_of_fields() -> None:
    assert parse(bytes(document(("a", 0x10, bytes(4)), ("ö", 0x0A, b"")).raw)) == [
        (0x10, b"a", bytes(4)),
        (0x0A, "ö".encode(), b""),
    ]


@pytest.mark.parametrize(("kind", "value"), IDENTITIES)
def test_every_id_can_be_told(kind: int, value: bytes) -> None:
    raw = build([(kind, b"_id", value)])
    told = json_util.loads(extended_json(DocumentId(kind, value)), json_options=EXACT_JSON)
    if isinstance(told, dict) and "$bson" in told:
        assert bytes.fromhex(told["$bson"]) == raw
        assert kind in (0x0C, 0x0E) or b"\xff" in value
    else:
        assert bson.encode({"_id": told}) == raw
