"""What partitioners ask is answered from the `_id` index, for any type of `_id`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, MongoClient
from pymongo.database import Database

from identities import IDENTITIES, NAME, with_id
from phimask import DocumentId
from phimask.errors import StoreError
from phimask.store.connect import raw_collection
from phimask.store.raw import identity, split
from phimask.store.source import ID_ORDER, CollectionSource
from sharding import list_chunks


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
    assert source.first_id() is None
    assert source.id_after(None, 1) is None
    assert list(source.sample_ids(5)) == []
    assert list(source.split_points(None, 1)) == []
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
        assert source.id_after(after, skip) == (ordered[further] if further < len(ordered) - 1 else None)


def test_an_id_that_is_gone_still_has_its_place(mixed: Any) -> None:
    source = CollectionSource(mixed)
    ordered = in_order(mixed)
    mixed.delete_one({"_id": 3})
    at = ordered.index(DocumentId(0x12, struct.pack("<q", 3)))
    assert source.id_after(ordered[at], 1) == ordered[at + 1]
    assert source.id_after(ordered[at], 4) == ordered[at + 4]


def test_walking_fetches_no_document(client: MongoClient[dict[str, Any]], mixed: Any) -> None:
    """Or a walk would read all of a collection, not its index alone."""
    source = CollectionSource(mixed)
    ordered = in_order(mixed)
    database = client[mixed.database.name]
    database.command("profile", 2)
    try:
        source.id_after(ordered[3], 40)
    finally:
        database.command("profile", 0)
    walk = database["system.profile"].find_one({"command.skip": {"$exists": True}})
    assert walk is not None
    assert walk["keysExamined"] >= 40
    assert walk["docsExamined"] == 0


@pytest.mark.parametrize("at", [0, 1, 20, len(IDENTITIES) - 2])
def test_what_lies_beyond_an_id(mixed: Any, at: int) -> None:
    ordered = in_order(mixed)
    source = CollectionSource(mixed, ordered[at])
    beyond = ordered[at + 1 :]
    assert source.after == ordered[at]
    assert source.documents == len(beyond)
    assert source.bytes == pytest.approx(
        len(beyond) * CollectionSource(mixed).bytes / len(ordered), rel=0.01, abs=1
    )
    assert (source.first_id(), source.last_id()) == (beyond[0], beyond[-1])
    assert source.id_after(None, 1) == (beyond[0] if len(beyond) > 1 else None)
    assert source.id_after(None, len(beyond)) is None
    assert set(source.sample_ids(1000)) == set(beyond)
    assert len(source.sample_ids(2)) <= 2
    assert source.count(None) == source.count({"Name": "Ada"}) == len(beyond)


def test_nothing_lies_beyond_the_last_id(mixed: Any) -> None:
    source = CollectionSource(mixed, CollectionSource(mixed).last_id())
    assert (source.documents, source.bytes, source.first_id(), source.last_id()) == (0, 0, None, None)
    assert source.id_after(None, 1) is None
    assert list(source.sample_ids(5)) == []
    assert list(source.split_points(None, 1)) == []


@pytest.mark.parametrize("share", [0.9, 0.5, 0.01])
def test_how_much_lies_beyond_an_id_is_sampled_or_counted(collection: Any, share: float) -> None:
    total = 25_000
    collection.insert_many([RawBSONDocument(bson.encode({"_id": one})) for one in range(total)])
    boundary = round(total * (1 - share)) - 1
    after = DocumentId(0x10, struct.pack("<i", boundary))
    # The server's random cursor is not even in a collection that has just been filled, less so once it is written out.
    collection.database.client.admin.command("fsync")
    source, *others = [CollectionSource(collection, after) for _ in range(5)]
    wanted = total - boundary - 1
    assert median([source.documents, *(one.documents for one in others)]) == pytest.approx(
        wanted, abs=total / 3
    )
    assert source.documents > 0
    assert source.bytes == pytest.approx(source.documents * 14, abs=1)
    samples = source.sample_ids(10)
    assert all(boundary < struct.unpack("<i", one.value)[0] < total for one in samples)


@pytest.fixture
def heavy(collection: Any) -> Any:
    """Of each type of `_id`, in documents large enough for splitVector, which takes 1 MB at least."""
    padding = (0x05, b"p", struct.pack("<iB", 40_000, 0) + bytes(40_000))
    collection.bulk_write([InsertOne(RawBSONDocument(with_id(one, padding))) for one in IDENTITIES])
    return collection


@pytest.mark.parametrize("documents", [1, 2, 5, 12])
def test_split_points_are_found_some_at_a_time(heavy: Any, documents: int) -> None:
    source = CollectionSource(heavy)
    ordered = in_order(heavy)
    size = documents * source.bytes // len(ordered) + 1
    points: list[DocumentId] = []
    while more := source.split_points(points[-1] if points else None, size):
        assert len(more) <= 10
        points += more
    cuts = [0, *(ordered.index(one) + 1 for one in points), len(ordered)]
    held = [end - start for start, end in pairwise(cuts)]
    assert all(documents <= one <= documents + 2 for one in held[:-1])
    assert 0 < held[-1] <= documents + 2
    later = CollectionSource(heavy, ordered[30])
    assert all(one in ordered[31:-1] for one in later.split_points(None, size))


def test_what_is_inserted_behind_the_last_id_is_no_answer(collection: Any) -> None:
    def insert(start: int, end: int) -> None:
        collection.insert_many(
            [RawBSONDocument(bson.encode({"_id": one, "p": bytes(15_000)})) for one in range(start, end)]
        )

    insert(0, 100)
    source = CollectionSource(collection)
    last = source.last_id()
    assert last is not None
    insert(100, 300)
    answers = [*source.sample_ids(300), source.first_id(), *source.split_points(None, 600_000)]
    points = source.split_points(DocumentId(0x10, struct.pack("<i", 40)), 150_000)
    answers += [*points, source.id_after(None, 99), source.id_after(last, 1), source.id_after(None, 150)]
    given = [struct.unpack("<i", one.value)[0] for one in answers if one is not None]
    assert len(given) > 90
    assert max(given) <= 99
    assert points
    collection.delete_many({"_id": {"$lt": 100}})
    assert source.first_id() is None


def test_split_points_where_the_server_finds_no_index(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    collection.database.create_collection("c", collation={"locale": "en", "strength": 1})
    collection.insert_many([RawBSONDocument(bson.encode({"_id": one, "p": bytes(700_000)})) for one in "abc"])
    with pytest.raises(StoreError, match=r"splitVector: MongoDB answered code 27 \(IndexNotFound\)"):
        CollectionSource(collection).split_points(None, 1000)


@pytest.fixture
def config(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Iterator[str]:
    name = f"{database.name}_config"
    yield name
    client.drop_database(name)


@pytest.mark.parametrize("by_uuid", [True, False], ids=["since 5.0", "before"])
def test_bounds_of_chunks(
    client: MongoClient[dict[str, Any]], mixed: Any, config: str, *, by_uuid: bool
) -> None:
    ordered = in_order(mixed)
    listed = ordered[2::5]
    # Another collection's are no concern, nor are those of the same name and another age.
    list_chunks(client, config, "other.c", [(one.bson_type, one.value) for one in ordered[1:]])
    list_chunks(
        client, config, mixed.full_name, [(one.bson_type, one.value) for one in listed], by_uuid=by_uuid
    )
    source = CollectionSource(mixed)
    for low in range(0, len(ordered), 3):
        for high in range(low, len(ordered), 4):
            within = [one for one in listed if one in ordered[low + 1 : high + 1]]
            expected = within[-1] if within else None
            assert source.chunk_bound(config, ordered[low], ordered[high]) == expected


@pytest.mark.parametrize(
    ("key", "more", "why"),
    [
        (None, {}, "is not sharded, according to "),
        ({"_id": "hashed"}, {}, "has a shard key other than {_id: 1}"),
        ({"_id": 1, "site": 1}, {}, "has a shard key other than {_id: 1}"),
        ({"site": 1}, {}, "has a shard key other than {_id: 1}"),
        ({"_id": 1}, {"dropped": True}, "is not sharded, according to "),
        ({"_id": 1}, {"unsplittable": True}, "is not sharded, according to "),
    ],
)
def test_chunks_that_say_nothing_of_the_order_of_ids(
    client: MongoClient[dict[str, Any]], mixed: Any, config: str, key: Any, more: dict[str, Any], why: str
) -> None:
    if key is not None:
        list_chunks(client, config, mixed.full_name, [(0x10, bytes(4))], key=key, **more)
    ordered = in_order(mixed)
    with pytest.raises(StoreError) as raised:
        CollectionSource(mixed).chunk_bound(config, ordered[0], ordered[-1])
    assert str(raised.value).startswith(f"{mixed.full_name} {why}")


def test_chunks_that_are_not_listed_or_not_in_the_order_of_a_collation(
    client: MongoClient[dict[str, Any]], collection: Any, config: str
) -> None:
    collection.database.create_collection("c", collation={"locale": "en"})
    list_chunks(client, config, collection.full_name, [])
    low, high = DocumentId(0xFF, b""), DocumentId(0x7F, b"")
    with pytest.raises(StoreError, match="has a collation"):
        CollectionSource(collection).chunk_bound(config, low, high)
    collection.drop()
    collection.database.create_collection("c")
    client[config].chunks.delete_many({})
    with pytest.raises(StoreError, match="has no chunks in "):
        CollectionSource(collection).chunk_bound(config, low, high)


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
        with pytest.raises(
            StoreError, match="reading the collection's _id index: MongoDB answered code 28799"
        ):
            source.id_after(DocumentId(0x10, struct.pack("<i", 1)), 1)
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
