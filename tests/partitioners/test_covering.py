"""Every partitioner, on a real server: each document is in exactly one partition, whatever the `_id`s are."""

from __future__ import annotations

import contextlib
import logging
import random
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import pytest
from bson.raw_bson import RawBSONDocument
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import InsertOne, MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from effort import examples
from identities import IDENTITIES, double, text, with_id
from oracle import build
from phimask import DocumentId, Partition, Partitioner
from phimask.store.connect import raw_collection
from phimask.store.raw import identity, split, within
from phimask.store.source import ID_ORDER, CollectionSource
from phimask_plugins.partitioners import (
    ObjectIdTimePartitioner,
    PaginatePartitioner,
    SamplePartitioner,
    ShardedPartitioner,
    SinglePartitioner,
    SplitVectorPartitioner,
    ranges,
)
from sharding import list_chunks
from strategies import scalars

Identity = tuple[int, bytes]

MANY: Final = 400
RANDOM: Final = random.Random(20)

CUTTERS: Final[Mapping[str, Callable[[int, str], Partitioner]]] = {
    "objectid_time": lambda size, config: ObjectIdTimePartitioner({"target_size": size, "samples": 15}),
    "paginate": lambda size, config: PaginatePartitioner({"documents": 37}),
    "sample": lambda size, config: SamplePartitioner({"target_size": size, "samples_per_partition": 1}),
    "sharded": lambda size, config: ShardedPartitioner({"target_size": size, "config_database": config}),
    "single": lambda size, config: SinglePartitioner({}),
    "split_vector": lambda size, config: SplitVectorPartitioner({"target_size": size}),
}
"""By name; each is given a target size and the config database's name."""


def object_id(seconds: int, counter: int) -> Identity:
    return 0x07, seconds.to_bytes(4, "big") + b"proce" + counter.to_bytes(3, "big")


def binary(value: bytes, subtype: int = 0) -> Identity:
    return 0x05, struct.pack("<i", len(value)) + bytes([subtype]) + value


def decimal(value: int) -> Identity:
    return 0x13, struct.pack("<q", value) + bytes.fromhex("0000000000004030")


def embedded(value: int) -> Identity:
    inner = (0x02, b"site", text(b"ward %d" % (value % 3)))
    return 0x03, build([inner, (0x10, b"n", struct.pack("<i", value // 3)), (0x0A, b"x", b"")])


def numbers(amount: int = MANY) -> range:
    return range(-amount // 2, amount - amount // 2)


ALIKE: Final[Mapping[str, list[Identity]]] = {
    "double": [double(one / 7) for one in numbers()],
    "int": [(0x10, struct.pack("<i", one)) for one in numbers()],
    "long": [(0x12, struct.pack("<q", one << 40)) for one in numbers()],
    "decimal": [decimal(one) for one in range(MANY)],
    "string": [(0x02, text(RANDOM.randbytes(6).hex().encode())) for _ in range(MANY)],
    "symbol": [(0x0E, text(b"s%d" % one)) for one in range(MANY)],
    "javascript": [(0x0D, text(b"f(%d)" % one)) for one in range(MANY)],
    "object": [embedded(one) for one in range(MANY)],
    "binData": [
        binary(RANDOM.randbytes(one % 9) + b"%03d" % one, (0, 5, 0x80)[one % 3]) for one in range(MANY)
    ],
    "uuid": [binary(RANDOM.randbytes(16), 4) for _ in range(MANY)],
    "objectId": [object_id(1_700_000_000 + 60 * one, one) for one in range(MANY)],
    "bool": [(0x08, b"\0"), (0x08, b"\1")],
    "date": [(0x09, struct.pack("<q", one * 86_400_000)) for one in numbers()],
    "timestamp": [(0x11, struct.pack("<II", one % 3, one)) for one in range(MANY)],
}
"""All `_id`s of one BSON type."""

SKEWED: Final[Mapping[str, list[Identity]]] = {
    "all types": IDENTITIES,
    "types in turn": [one for ids in ALIKE.values() for one in ids[:40]],
    "numbers of four types": [
        *(double(one + 0.5) for one in range(100)),
        *((0x10, struct.pack("<i", one)) for one in range(0, 100, 2)),
        *((0x12, struct.pack("<q", one)) for one in range(1, 100, 2)),
        *(decimal(one) for one in range(1000, 1100)),
    ],
    "bursts": [
        *(object_id(1_600_000_000 + one, 0) for one in range(20)),
        *(object_id(1_650_000_000, one) for one in range(300)),
        *(object_id(1_700_000_000 + 9 * one, 1) for one in range(80)),
    ],
    "ObjectIds among others": [*ALIKE["string"][:60], *ALIKE["objectId"][:280], *ALIKE["date"][:60]],
    "one other on either side": [(0xFF, b""), *ALIKE["objectId"][:MANY], (0x7F, b"")],
    "one prefix": [(0x02, text(b"patient/" * 40 + b"%03d" % one)) for one in range(MANY)],
    "huge gaps": [*(double(float(10**one)) for one in range(0, 300, 2)), *ALIKE["int"][:150]],
    "one document": [(0x02, text(b"alone"))],
    "two documents": [(0x02, text(b"this")), (0x07, b"\1" * 12)],
    "none": [],
}


@pytest.fixture
def config(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Iterator[str]:
    """The name of a database that stands in for a cluster's `config`."""
    name = f"{database.name}_config"
    yield name
    client.drop_database(name)


def filled(collection: Any, ids: Sequence[Identity], padding: Callable[[int], int]) -> list[DocumentId]:
    """Insert documents of so many bytes of padding; the `_id`s that were taken, in the server's order."""
    writes = [
        InsertOne(RawBSONDocument(with_id(one, (0x05, b"p", binary(bytes(padding(number)))[1]))))
        for number, one in enumerate(ids)
    ]
    if writes:
        with contextlib.suppress(BulkWriteError):  # of two that the collation or their value makes equal
            collection.bulk_write(writes, ordered=False)
    return found(collection, {})


def found(collection: Any, query: Mapping[str, Any]) -> list[DocumentId]:
    # With another field, since from the index alone come numbers in their canonical form.
    replies = collection.find_raw_batches(query, {"_id": 1, "none": 1}, sort=ID_ORDER, hint=ID_ORDER)
    return [identity(raw) for reply in replies for raw in split(reply)]


def shard(
    client: MongoClient[dict[str, Any]], config: str, collection: Any, ids: Sequence[DocumentId]
) -> None:
    """List chunks whose bounds are some of the `_id`s, and one behind them all."""
    bounds = [(one.bson_type, one.value) for one in ids[1::23]]
    list_chunks(client, config, collection.full_name, bounds, by_uuid=len(ids) % 2 == 0)


def held(collection: Any, source: CollectionSource, partitions: Sequence[Partition]) -> list[DocumentId]:
    """What the partitions hold, one after the other, once they are known to follow on each other."""
    assert [one.number for one in partitions] == list(range(len(partitions)))
    for one, following in pairwise(partitions):
        assert one.upto == following.after != one.after
    if partitions:
        assert partitions[0].after == source.after
        assert partitions[-1].upto == source.last_id()
    return [one for part in partitions for one in found(collection, within(part.after, part.upto))]


def check(collection: Any, ids: list[DocumentId], made: Partitioner) -> list[Partition]:
    source = CollectionSource(collection)
    partitions = list(made.partitions(source))
    assert held(collection, source, partitions) == ids, made.name
    if partitions:
        boundary = partitions[len(partitions) // 2].upto
        rest = CollectionSource(collection, boundary)
        beyond = found(collection, within(boundary, None))
        assert held(collection, rest, list(made.partitions(rest))) == beyond, made.name
    return partitions


def test_each_goes_its_own_way(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    config: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    collection = raw_collection(client, database.name, "c")
    ordered = filled(collection, ALIKE["objectId"], evenly)
    shard(client, config, collection, ordered)
    source = CollectionSource(collection)
    with caplog.at_level(logging.INFO, logger="phimask.plugins"):
        cut = {name: list(cutter(100_000, config).partitions(source)) for name, cutter in CUTTERS.items()}
    assert not caplog.records
    between = {one.upto for one in cut["objectid_time"][:-1]}
    assert len(between - set(ordered)) > 8
    bounds = {one.upto for one in cut["sharded"][:-1]}
    assert len(bounds & set(ordered[1::23])) > 8
    assert len(cut["split_vector"]) > 8


def evenly(number: int) -> int:
    return 4_000


def unevenly(number: int) -> int:
    """A few documents a thousand times the others."""
    return 400_000 if number % 97 == 5 else 400


@pytest.mark.parametrize("ids", ALIKE.values(), ids=ALIKE)
def test_ids_of_one_type(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    config: str,
    ids: list[Identity],
) -> None:
    collection = raw_collection(client, database.name, "c")
    ordered = filled(collection, ids, evenly)
    assert len(ordered) == len(set(ids))
    shard(client, config, collection, ordered)
    for name, cutter in CUTTERS.items():
        partitions = check(collection, ordered, cutter(100_000, config))
        assert name == "single" or len(ids) < MANY or len(partitions) >= 8, name


@pytest.mark.parametrize("padding", [evenly, unevenly])
@pytest.mark.parametrize("ids", SKEWED.values(), ids=SKEWED)
def test_skewed_ids_times_and_sizes(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    config: str,
    ids: list[Identity],
    padding: Callable[[int], int],
) -> None:
    database.create_collection("c")
    collection = raw_collection(client, database.name, "c")
    ordered = filled(collection, ids, padding)
    assert len(ordered) == len(set(ids))
    shard(client, config, collection, ordered)
    for cutter in CUTTERS.values():
        check(collection, ordered, cutter(100_000, config))


@pytest.mark.parametrize(
    "collation",
    [{"locale": "en", "strength": 1}, {"locale": "de", "numericOrdering": True, "caseFirst": "upper"}],
    ids=["accents and case ignored", "numeric"],
)
def test_the_order_is_that_of_the_collation(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    config: str,
    collation: dict[str, Any],
) -> None:
    database.create_collection("c", collation=collation)
    collection = raw_collection(client, database.name, "c")
    words = [f"{letter}{number}" for number in range(90) for letter in "aAäZz"]
    ids = [*((0x02, text(word.encode())) for word in words), *IDENTITIES]
    ordered = filled(collection, ids, evenly)
    assert len(ordered) > 150
    bounds = sorted(text(word.encode()) for word in words[::7])
    list_chunks(client, config, collection.full_name, [(0x02, one) for one in bounds])
    for cutter in CUTTERS.values():
        check(collection, ordered, cutter(60_000, config))


def test_a_clustered_collection(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]], config: str
) -> None:
    database.create_collection("c", clusteredIndex={"key": {"_id": 1}, "unique": True})
    collection = raw_collection(client, database.name, "c")
    ordered = filled(collection, SKEWED["types in turn"], evenly)
    shard(client, config, collection, ordered)
    for cutter in CUTTERS.values():
        check(collection, ordered, cutter(100_000, config))


def test_chunks_that_are_empty_or_out_of_reach(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]], config: str
) -> None:
    collection = raw_collection(client, database.name, "c")
    ordered = filled(collection, ALIKE["int"], evenly)
    bounds = [*range(-10_000, -200, 500), *range(-199, -190), 0, 150, *range(300, 9_000, 900)]
    list_chunks(client, config, collection.full_name, [(0x12, struct.pack("<q", one)) for one in bounds])
    for cutter in CUTTERS.values():
        check(collection, ordered, cutter(100_000, config))


ANY_ID: Final = st.one_of(
    scalars().filter(
        lambda one: one[0] not in (0x06, 0x0B)
    ),  # no server takes a regex or undefined as an `_id`
    st.sampled_from(IDENTITIES),
    st.integers(0, 9).map(lambda one: object_id(1_700_000_000, one)),
)


@settings(
    max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ANY_ID, max_size=40, unique=True), st.integers(1, 12), st.integers(0, 3))
def test_any_mix_of_ids(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    config: str,
    ids: list[Identity],
    pieces: int,
    heavy: int,
) -> None:
    client.drop_database(config)
    database.drop_collection("c")
    database.create_collection("c")
    collection = raw_collection(client, database.name, "c")
    ordered = filled(collection, ids, lambda number: 600_000 if number < heavy else 30_000)
    shard(client, config, collection, ordered)
    size = max(CollectionSource(collection).bytes // pieces, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "_RANDOM_CURSOR_SHARE", 100)  # as it would be in a larger collection
        for cutter in CUTTERS.values():
            check(collection, ordered, cutter(size, config))
