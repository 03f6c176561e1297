"""A collection's definition, made again: nothing may be lost on the way, and what is lost has to be seen."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from bson import Int64
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from pymongo import MongoClient
from pymongo.database import Database

from phimask.planning.namespace import Namespace
from phimask.planning.preflight import uuid_of
from phimask.store.definition import (
    create_bare,
    differences,
    judge_documents,
    read_definition,
    uuids,
)
from phimask.store.indexes import build_indexes

ZLIB = {"wiredTiger": {"configString": "block_compressor=zlib"}}
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "collation": {"collation": {"locale": "fr", "strength": 2, "backwards": True}},
    "validator": {"validator": {"$jsonSchema": {"required": ["a"]}}},
    "validator_of_old_dates": {
        "validator": {"a": {"$gt": datetime.datetime(1950, 1, 1)}},  # noqa: DTZ001  (as PyMongo decodes dates)
        "validationLevel": "moderate",
        "validationAction": "warn",
    },
    "images": {"changeStreamPreAndPostImages": {"enabled": True}},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True, "name": "mine"}, "expireAfterSeconds": 10**6},
    "engine": {"storageEngine": ZLIB, "indexOptionDefaults": {"storageEngine": ZLIB}},
}  # fmt: skip
SIMPLE = {"locale": "simple"}
INDEXES: list[tuple[Any, dict[str, Any]]] = [
    ([("a", 1), ("b", -1)], {"name": "compound", "sparse": True}),
    ([("b", -1), ("a", 1)], {"name": "compound the other way"}),
    ("c", {"unique": True, "partialFilterExpression": {"c": {"$gt": Int64(4)}, "d": {"$exists": True}}}),
    ("c", {"name": "simple", "collation": SIMPLE, "hidden": True}),
    ("c", {"name": "german", "collation": {"locale": "de", "strength": 1}, "storageEngine": ZLIB}),
    ("e", {"expireAfterSeconds": 3600}),
    ([("f", "text"), ("a", 1)], {"weights": {"f": 3}, "default_language": "german", "language_override": "tongue",
                                 "collation": SIMPLE}),
    ([("$**", 1)], {"name": "wild", "wildcardProjection": {"g": 1}}),
    ([("h.$**", 1)], {}),
    ([("i", "2dsphere")], {"2dsphereIndexVersion": 2}),
    ([("j", "2d")], {"bits": 20, "min": -100, "max": 100.5, "collation": SIMPLE}),
    ([("k", "hashed")], {"collation": SIMPLE}),
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS)
def test_it_is_made_again_exactly(
    options: str, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    database.create_collection("one", **OPTIONS[options])
    for keys, more in INDEXES:
        database["one"].create_index(keys, **more)
    database["one"].create_index("l", name="soon unique")
    database.command("collMod", "one", index={"name": "soon unique", "prepareUnique": True})
    one = read_definition(client, database.name, "one")
    assert one is not None
    assert one.uuid == uuid_of(Namespace(client, database.name, "one"))
    assert len(one.indexes) == len(INDEXES) + 1
    assert one.expiring == ["e_1"]
    uuid = create_bare(client, database.name, "two", one)
    assert uuids(client, database.name, ["one", "two", "none"]) == {"one": one.uuid, "two": uuid}
    two = read_definition(client, database.name, "two")
    assert two is not None
    assert not two.indexes
    database["two"].insert_one({"anything": 1})
    first = [index for name, index in one.indexes.items() if name != "e_1"]
    build_indexes(client, database.name, "two", first)
    build_indexes(client, database.name, "two", one.indexes.values())
    judge_documents(client, database.name, "two", one)
    two = read_definition(client, database.name, "two")
    assert two is not None
    assert differences(one, two) == []
    assert differences(two, one) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"create_index": ([("x", 1)],)}, "index x_1"),
        ({"drop_index": ("a_1",)}, "index a_1"),
        ({"collMod": {"index": {"name": "a_1", "hidden": True}}}, "index a_1"),
        ({"collMod": {"index": {"name": "t_1", "expireAfterSeconds": 99}}}, "index t_1"),
        ({"collMod": {"validator": {"y": 1}}}, "option validator"),
        ({"collMod": {"validationLevel": "moderate"}}, "option validationLevel"),
        ({"collMod": {"changeStreamPreAndPostImages": {"enabled": True}}}, "option changeStreamPreAndPostImages"),
    ],
)  # fmt: skip
def test_what_is_not_the_same_is_named(
    change: dict[str, Any], told: str, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    for name in ("one", "two"):
        database.create_collection(name, validator={"x": {"$ne": 7}})
        database[name].create_index("a")
        database[name].create_index("t", expireAfterSeconds=100)
    ((command, value),) = change.items()
    if command == "collMod":
        database.command("collMod", "two", **value)
    else:
        getattr(database["two"], command)(*value)
    one, two = (read_definition(client, database.name, name) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert differences(one, two) == [told]


def test_the_order_of_an_indexs_keys_counts(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    database["one"].create_index([("a", 1), ("b", 1)], name="x")
    database["two"].create_index([("b", 1), ("a", 1)], name="x")
    one, two = (read_definition(client, database.name, name) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert differences(one, two) == ["index x"]


def test_a_filter_with_a_date_that_python_has_not(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
    far = {"a": {"$lt": DatetimeMS(300_000_000_000_000)}}
    database.with_options(options)["one"].create_index("a", partialFilterExpression=far)
    one = read_definition(client, database.name, "one")
    assert one is not None
    create_bare(client, database.name, "two", one)
    build_indexes(client, database.name, "two", one.indexes.values())
    two = read_definition(client, database.name, "two")
    assert two is not None
    assert differences(one, two) == []


def test_there_is_none(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> None:
    assert read_definition(client, database.name, "none") is None
    database.create_collection("view", viewOn="one")
    view = read_definition(client, database.name, "view")
    assert view is not None
    assert view.kind == "view"
