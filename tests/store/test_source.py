"""What partitioners ask is answered from the `_id` index, for any type of `_id`."""

from __future__ import annotations

import struct
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from identities import IDENTITIES, NAME, with_id
from pymongo import InsertOne, MongoClient
from pymongo.database import Database

from phimask import DocumentId
from phimask.errors import StoreError
from phimask.store.connect import raw_collection
from phimask.store.raw import identity, split
from phimask.store.source import ID_ORDER, CollectionSource


@pytest.fixture
def collection(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Any:
    return raw_collection(client, database.name, "c")


@pytest.fixture
def mixed(collection: Any) -> Any:
    collection.bulk_write([InsertOne(RawBSONDocument(with_id(one, NAME))) for one in reversed(IDENTITIES)])
    return collection


def in_order(collection: Any) -> list[DocumentId]:
    cursor = collection.find_raw_batches({}, {"_id": 1}, sort=ID_ORDER)
    return [identity(raw) for reply in cursor for raw in split(reply)]


def test_the_size_of_a_collection(mixed: Any) -> None:
    source = CollectionSource(mixed)
    assert source.documents == len(IDENTITIES)
    assert source.bytes == sum(len(with_id(one, NAME)) for one in IDENTITIES)


def test_an_empty_collection(collection: Any) -> None:
    collection.database.create_collection("c")
    source = CollectionSource(collection)
    assert (source.documents, source.bytes, source.last_id()) == (0, 0, None)
    assert source.id_after(None, 1) is None
    assert list(source.sample_ids(5)) == []
    assert source.count({"a": 1}) == 0


def test_no_such_collection(collection: Any) -> None:
    with pytest.raises(StoreError, match="reading the collection's _id index: MongoDB answered code 26"):
        CollectionSource(collection)


def test_the_last_id_is_that_of_the_start(mixed: Any) -> None:
    source = CollectionSource(mixed)
    assert source.last_id() == in_order(mixed)[-1] == DocumentId(0x7F, b"")
    mixed.delete_one({"_id": bson.MaxKey()})
    assert source.last_id() == DocumentId(0x7F, b"")
    assert CollectionSource(mixed).last_id() == in_order(mixed)[-1] != DocumentId(0x7F, b"")


@pytest.mark.parametrize("skip", [1, 2, 7, len(IDENTITIES) - 1])
def test_the_id_so_many_documents_further(mixed: Any, skip: int) -> None:
    source = CollectionSource(mixed)
    ordered = in_order(mixed)
    assert source.id_after(None, skip) == ordered[skip - 1]
    for at, after in enumerate(ordered):
        further = at + skip
        assert source.id_after(after, skip) == (ordered[further] if further < len(ordered) else None)


def test_a_sample_is_in_order_and_without_repeats(mixed: Any) -> None:
    source = CollectionSource(mixed)
    ordered = in_order(mixed)
    for size in (1, 3, 2, 1000):
        found = list(source.sample_ids(size))
        assert len(set(found)) == len(found)
        assert 1 <= len(found) <= size
        assert found == [one for one in ordered if one in found]
    assert list(source.sample_ids(1000)) == ordered


def test_counting_what_a_query_finds(collection: Any) -> None:
    collection.bulk_write(
        [
            InsertOne(RawBSONDocument(bson.encode({"_id": number, "even": number % 2 == 0})))
            for number in range(11)
        ]
    )
    source = CollectionSource(collection)
    assert source.count(None) == source.count({}) == 11
    assert source.count({"even": True}) == 6
    collection.insert_one({"_id": 12, "even": True})
    assert source.count({"even": True}) == 6


def test_an_error_is_told_without_a_value(client: MongoClient[dict[str, Any]], mixed: Any) -> None:
    source = CollectionSource(mixed)
    fault = {"failCommands": ["aggregate", "find"], "errorCode": 28799}
    client.admin.command("configureFailPoint", "failCommand", mode={"times": 2}, data=fault)
    try:
        with pytest.raises(StoreError, match="MongoDB answered code 28799") as raised:
            source.sample_ids(5)
        assert raised.value.__cause__ is None
        with pytest.raises(StoreError, match="MongoDB answered code 28799"):
            source.id_after(DocumentId(0x10, struct.pack("<i", 1)), 1)
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
