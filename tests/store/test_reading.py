"""Every document is read exactly once, whatever its `_id` is, by the `_id` index and within the budget."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from identities import IDENTITIES, NAME, text, with_id
from phimask import BatchBudget, ComplexityClass, DocumentId, Meter, Partition
from phimask.rawbson import MalformedBsonError
from phimask.store import reading
from phimask.store.connect import raw_collection
from phimask.store.raw import identity, split, within
from phimask.store.reading import (
    BatchReader,
    first_documents,
    sampled_documents,
    whole_documents,
)
from phimask.store.replies import documents_of, one_reply
from phimask.store.source import ID_ORDER

MANY = 1 << 30
ALL = Partition(0, None, None)
SEVEN = BatchBudget(7, MANY)


@pytest.fixture
def collection(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Any:
    return raw_collection(client, database.name, "c")


@pytest.fixture
def mixed(collection: Any) -> Any:
    fill(collection, [with_id(one, NAME) for one in reversed(IDENTITIES)])
    return collection


def fill(collection: Any, documents: list[bytes]) -> None:
    result = collection.bulk_write([InsertOne(RawBSONDocument(raw)) for raw in documents])
    assert result.inserted_count == len(documents)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents each query asks for."""
    limits: list[int] = []

    def noting(*arguments: Any) -> list[bytes]:
        limits.append(arguments[3])
        return one_reply(*arguments)

    monkeypatch.setattr("phimask.store.reading.one_reply", noting)
    return limits


def in_order(collection: Any) -> list[DocumentId]:
    """All `_id`s as the server orders them."""
    cursor = collection.find_raw_batches({}, {"_id": 1}, sort=ID_ORDER)
    return [identity(raw) for reply in cursor for raw in split(reply)]


def batches(reader: BatchReader, budget: BatchBudget) -> Iterator[list[bytes]]:
    while documents := reader.read(budget):
        yield documents
        reader.move(documents)


def read(
    collection: Any,
    partition: Partition = ALL,
    budget: BatchBudget = SEVEN,
    query: dict[str, Any] | None = None,
) -> list[DocumentId]:
    reader = BatchReader(collection, partition, query, None)
    return [identity(raw) for documents in batches(reader, budget) for raw in documents]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_every_type_of_id_once_and_in_order(mixed: Any, count: int) -> None:
    assert read(mixed, budget=BatchBudget(count, MANY)) == in_order(mixed)
    assert len(in_order(mixed)) == len(IDENTITIES)


@pytest.mark.parametrize("size", [1, 60, 200])
def test_every_type_of_id_by_bytes(mixed: Any, size: int) -> None:
    assert read(mixed, budget=BatchBudget(1000, size)) == in_order(mixed)


def test_partitions_share_the_collection_out_wherever_it_is_cut(mixed: Any) -> None:
    ordered = in_order(mixed)
    for cut in ordered:
        left = read(mixed, Partition(0, None, cut))
        right = read(mixed, Partition(1, cut, None))
        assert left + right == ordered
        assert left[-1] == cut


@pytest.mark.parametrize("width", [2, 5])
def test_many_partitions(mixed: Any, width: int) -> None:
    ordered = in_order(mixed)
    bounds = [None, *ordered[width - 1 : -1 : width], None]
    found = [
        one
        for number, (after, upto) in enumerate(itertools.pairwise(bounds))
        for one in read(mixed, Partition(number, after, upto), BatchBudget(2, MANY))
    ]
    assert found == ordered


def test_only_the_range_is_read_from_the_index(
    mixed: Any, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    ordered = in_order(mixed)
    for first in range(0, len(ordered) - 4, 3):
        scan = explained(client, database, within(ordered[first], ordered[first + 4]))
        assert scan["nReturned"] == 4
        assert scan["totalKeysExamined"] <= 6
        assert scan["totalDocsExamined"] <= 6


def explained(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]], query: dict[str, Any]
) -> dict[str, Any]:
    raw = raw_collection(client, database.name, "c").database.command(
        {
            "explain": {"find": "c", "filter": query, "sort": {"_id": 1}, "hint": {"_id": 1}},
            "verbosity": "executionStats",
        },
        codec_options=bson.CodecOptions(
            unicode_decode_error_handler="ignore",
            datetime_conversion=bson.codec_options.DatetimeConversion.DATETIME_AUTO,
        ),
    )
    plan = raw["queryPlanner"]["winningPlan"]
    stages = []
    while plan:
        stages.append(plan["stage"])
        plan = plan.get("inputStage") or plan.get("queryPlan")
    assert "IXSCAN" in stages
    assert not {"COLLSCAN", "SORT"} & set(stages)
    stats: dict[str, Any] = raw["executionStats"]
    return stats


def test_a_partition_may_be_empty(mixed: Any) -> None:
    last = in_order(mixed)[-1]
    assert read(mixed, Partition(0, last, None)) == []
    assert read(mixed, Partition(0, last, last)) == []


def test_an_empty_collection(collection: Any) -> None:
    assert read(collection) == []


@pytest.mark.parametrize("locale", [{"locale": "en", "strength": 2}, {"locale": "sv"}, {"locale": "simple"}])
def test_a_collation_orders_its_strings(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]], locale: dict[str, Any]
) -> None:
    database.create_collection("c", collation=locale)
    collection = raw_collection(client, database.name, "c")
    words = ["b", "C", "\u00e4", "z", "A", "\u00f6", "10", "9", "", "D d", "d-e"]
    fill(collection, [bson.encode({"_id": word}) for word in words])
    fill(collection, [bson.encode({"_id": {"Name": word}}) for word in words])
    fill(collection, [bson.encode({"_id": number}) for number in range(5)])
    ordered = in_order(collection)
    assert len(ordered) == 2 * len(words) + 5
    for count in (1, 2, 5):
        assert read(collection, budget=BatchBudget(count, MANY)) == ordered
    for cut in ordered:
        assert (
            read(collection, Partition(0, None, cut)) + read(collection, Partition(1, cut, None)) == ordered
        )
    scan = explained(client, database, within(ordered[7], ordered[11]))
    assert (scan["nReturned"], scan["totalKeysExamined"] <= 6) == (4, True)


def numbered(collection: Any, count: int, size: int = 10, first: int = 0) -> None:
    numbers = range(first, first + count)
    fill(collection, [bson.encode({"_id": one, "even": one % 2 == 0, "x": "x" * size}) for one in numbers])


def test_a_query_chooses_among_the_documents(collection: Any) -> None:
    numbered(collection, 30)
    ordered = in_order(collection)
    query = {"even": True, "$or": [{"_id": {"$lt": 10}}, {"_id": {"$gte": 20}}]}
    expected = [*ordered[0:10:2], *ordered[20:30:2]]
    assert read(collection, query=query, budget=BatchBudget(3, MANY)) == expected
    cut = Partition(0, ordered[3], ordered[24])
    assert read(collection, cut, query=query, budget=BatchBudget(3, MANY)) == expected[2:8]


def test_as_many_documents_as_the_budget_says(collection: Any) -> None:
    numbered(collection, 500)
    reader = BatchReader(collection, ALL, None, None)
    sizes = [len(documents) for documents in batches(reader, BatchBudget(300, MANY))]
    assert sizes == [300, 200]


def test_no_more_bytes_than_the_budget_says_but_one_document_at_least(collection: Any) -> None:
    fill(collection, [bson.encode({"_id": number, "x": "x" * (number % 7) ** 5}) for number in range(70)])
    reader = BatchReader(collection, ALL, None, None)
    found = 0
    for documents in batches(reader, BatchBudget(50, 20_000)):
        assert len(documents) == 1 or sum(map(len, documents)) <= 20_000
        found += len(documents)
    assert found == 70


def test_no_more_bytes_of_identities_than_the_ledger_can_list(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_IDENTITIES_BYTES", 1000)
    fill(
        collection, [bson.encode({"_id": f"{number:02}{'i' * 193}", "x": "x" * 300}) for number in range(12)]
    )
    reader = BatchReader(collection, ALL, None, None)
    assert [len(documents) for documents in batches(reader, BatchBudget(50, MANY))] == [5, 5, 2]


def test_a_batch_may_hold_more_than_fits_in_a_reply(collection: Any) -> None:
    numbered(collection, 40, size=1_000_000)
    reader = BatchReader(collection, ALL, None, None)
    assert [len(documents) for documents in batches(reader, BatchBudget(1000, 1 << 40))] == [40]


def test_a_batch_is_filled_although_its_documents_are_smaller_than_those_before(collection: Any) -> None:
    numbered(collection, 4, size=1_000_000)
    fill(collection, [bson.encode({"_id": number}) for number in range(4, 1000)])
    reader = BatchReader(collection, ALL, None, None)
    sizes = [len(documents) for documents in batches(reader, BatchBudget(900, 3_500_000))]
    assert sizes == [3, 900, 97]


def test_reading_again_without_moving_gives_the_same(collection: Any) -> None:
    numbered(collection, 10)
    reader = BatchReader(collection, ALL, None, None)
    first = reader.read(BatchBudget(3, MANY))
    assert reader.read(BatchBudget(3, MANY)) == first
    reader.move(first)
    assert identity(reader.read(BatchBudget(3, MANY))[0]) == identity(bson.encode({"_id": 3}))


def test_documents_that_come_and_go_between_two_batches(collection: Any) -> None:
    numbered(collection, 20)
    reader = BatchReader(collection, ALL, None, None)
    first = reader.read(BatchBudget(5, MANY))
    reader.move(first)
    collection.delete_many({"_id": {"$in": [4, 5, 6]}})
    fill(collection, [bson.encode({"_id": 7.5}), bson.encode({"_id": -1})])
    later = [
        bson.decode(raw)["_id"] for documents in batches(reader, BatchBudget(5, MANY)) for raw in documents
    ]
    assert later == [7, 7.5, *range(8, 20)]


def test_a_projection_leaves_what_it_passes_as_it_is(collection: Any) -> None:
    raw = with_id((0x10, bytes(4)), NAME, (0x02, b"Other", text(b"x")), NAME, (0x10, b"Last", bytes(4)))
    fill(collection, [raw])
    for projection, expected in (
        ({"_id": 1, "Name": 1}, with_id((0x10, bytes(4)), NAME, NAME)),
        ({"_id": 1, "Name": 1, "Last": 1}, with_id((0x10, bytes(4)), NAME, NAME, (0x10, b"Last", bytes(4)))),
        ({"Other": 0}, with_id((0x10, bytes(4)), NAME, NAME, (0x10, b"Last", bytes(4)))),
        (None, raw),
    ):
        assert BatchReader(collection, ALL, None, projection).read(BatchBudget(1, MANY)) == [expected]


def test_a_projection_that_a_duplicate_uses_up_shows_the_duplicate(collection: Any) -> None:
    raw = with_id((0x10, bytes(4)), NAME, NAME, NAME, (0x02, b"Hidden", text(b"x")))
    fill(collection, [raw])
    (found,) = BatchReader(collection, ALL, None, {"_id": 1, "Name": 1, "Hidden": 1}).read(
        BatchBudget(1, MANY)
    )
    assert found.count(b"\x02Name\0") >= 2


def test_whole_documents_by_any_id(mixed: Any) -> None:
    found = whole_documents(mixed, in_order(mixed))
    assert found == {identity(raw): raw for raw in (with_id(one, NAME) for one in IDENTITIES)}


def test_whole_documents_that_are_gone(collection: Any) -> None:
    numbered(collection, 3)
    wanted = [identity(bson.encode({"_id": number})) for number in (1, 7)]
    assert list(whole_documents(collection, wanted)) == wanted[:1]
    assert whole_documents(collection, []) == {}


def test_samples(collection: Any) -> None:
    numbered(collection, 50)
    found = [bson.decode(raw) for raw in sampled_documents(collection, 20, {"even": True})]
    assert len(found) == 20
    assert all(one["even"] and one["x"] for one in found)
    assert len(list(sampled_documents(collection, 1000, None))) == 50


def test_the_first_documents(mixed: Any) -> None:
    first = [identity(raw) for raw in first_documents(mixed, 5, None)]
    assert first == in_order(mixed)[:5]
    assert list(first_documents(mixed, 5, {"Name": "nobody"})) == []


class Upto(Meter):
    """Admits so many documents; remembers what it was asked."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[tuple[ComplexityClass, int]] = []

    def admits(self, kind: ComplexityClass, size: int) -> bool:
        self.asked.append((kind, size))
        return len(self.asked) <= self.most


def by_size(raw: bytes) -> ComplexityClass:
    return "simple" if len(raw) < 500 else "complex"


def test_a_meter_ends_the_batch_and_the_next_goes_on_behind_it(collection: Any) -> None:
    numbered(collection, 100)
    reader = BatchReader(collection, ALL, None, None, by_size)
    found: list[int] = []
    sizes: list[int] = []
    while documents := reader.read(BatchBudget(50, MANY), meter=Upto(7)):
        sizes.append(len(documents))
        found += [bson.decode(raw)["_id"] for raw in documents]
        reader.move(documents)
    assert found == list(range(100))
    assert sizes == [7] * 14 + [2]


def test_a_meter_that_admits_nothing_lets_one_document_through(collection: Any) -> None:
    numbered(collection, 3)
    reader = BatchReader(collection, ALL, None, None, by_size)
    sizes: list[int] = []
    while documents := reader.read(BatchBudget(50, MANY), meter=Upto(0)):
        sizes.append(len(documents))
        reader.move(documents)
    assert sizes == [1, 1, 1]


def test_a_meter_is_told_class_and_size_and_the_classes_are_counted(collection: Any) -> None:
    documents = [bson.encode({"_id": number, "x": "x" * (number % 2 * 1000)}) for number in range(6)]
    fill(collection, documents)
    reader = BatchReader(collection, ALL, None, None, by_size)
    meter = Upto(5)
    assert reader.read(BatchBudget(50, MANY), meter=meter) == documents[:5]
    assert meter.asked == [(by_size(raw), len(raw)) for raw in documents]
    small, large = len(documents[0]), len(documents[1])
    assert reader.classes == {"simple": (3, 3 * small), "complex": (2, 2 * large)}
    reader.read(BatchBudget(50, MANY))
    assert reader.classes == {}


def test_the_budget_ends_a_batch_under_a_meter_too(collection: Any) -> None:
    numbered(collection, 30, size=1000)
    reader = BatchReader(collection, ALL, None, None, by_size)
    assert len(reader.read(BatchBudget(4, MANY), meter=Upto(100))) == 4
    assert len(reader.read(BatchBudget(100, 5000), meter=Upto(100))) == 4
    assert reader.classes["complex"][0] == 4


def test_nobody_is_asked_for_a_class_without_a_meter(collection: Any) -> None:
    numbered(collection, 3)

    def never(raw: bytes) -> ComplexityClass:
        raise AssertionError

    assert len(BatchReader(collection, ALL, None, None, never).read(BatchBudget(9, MANY))) == 3


def test_where_nobody_can_tell_documents_are_taken_for_complex(collection: Any) -> None:
    numbered(collection, 3)
    meter = Upto(9)
    BatchReader(collection, ALL, None, None).read(BatchBudget(9, MANY), meter=meter)
    assert {kind for kind, _ in meter.asked} == {"complex"}


def test_after_a_batch_that_a_meter_ended_no_more_is_read_than_is_needed_and_the_next_is_full(
    collection: Any, asked: list[int]
) -> None:
    numbered(collection, 2000)
    reader = BatchReader(collection, ALL, None, None, by_size)
    reader.move(reader.read(BatchBudget(1000, MANY), meter=Upto(40)))
    asked.clear()
    assert len(reader.read(BatchBudget(1000, MANY), meter=Upto(40))) == 40
    assert asked == [51]
    documents = reader.read(BatchBudget(120, MANY), meter=Upto(1000))
    assert [bson.decode(raw)["_id"] for raw in documents] == list(range(40, 160))
    assert asked == [51, 51, 51, 18]
    reader.move(documents)
    asked.clear()
    assert len(reader.read(BatchBudget(120, MANY), meter=Upto(1000))) == 120
    assert asked == [120]


def test_a_batch_is_asked_for_in_replies_of_a_few_megabytes(collection: Any, asked: list[int]) -> None:
    fill(collection, [bson.encode({"_id": number, "x": "x" * 100_000}) for number in range(100)])
    reader = BatchReader(collection, ALL, None, None)
    found = [len(documents) for documents in batches(reader, BatchBudget(50, MANY))]
    assert found == [50, 50]
    assert asked[0] == 50  # nobody knows yet how large they are
    assert asked[1:3] == [27, 23]


def test_where_nothing_is_known_of_documents_a_hundred_tell_how_large_they_are(
    collection: Any, asked: list[int]
) -> None:
    numbered(collection, 300, size=10_000)
    assert len(BatchReader(collection, ALL, None, None).read(BatchBudget(300, MANY))) == 300
    assert asked == [100, 200]


def test_giants_that_a_reply_had_for_the_next_batches_come_two_at_a_time_and_not_all_again(
    collection: Any, asked: list[int]
) -> None:
    numbered(collection, 150)
    fill(collection, [bson.encode({"_id": number, "x": "x" * 900_000}) for number in range(150, 160)])
    fill(collection, [bson.encode({"_id": number}) for number in range(160, 1000)])
    reader = BatchReader(collection, ALL, None, None, by_size)
    reader.move(reader.read(BatchBudget(1000, MANY), meter=Upto(149)))
    found: list[int] = []
    while len(found) < 10:
        documents = reader.read(BatchBudget(1000, MANY), meter=Upto(1 + len(found) % 2))
        found += [bson.decode(raw)["_id"] for raw in documents]
        reader.move(documents)
    assert found == list(range(149, 149 + len(found)))
    assert all(limit <= 3 for limit in asked[3:])


def test_after_a_giant_a_few_queries_fill_a_batch_of_small_ones(collection: Any, asked: list[int]) -> None:
    fill(collection, [bson.encode({"_id": number, "x": "x" * 900_000}) for number in range(3)])
    fill(collection, [bson.encode({"_id": number}) for number in range(3, 1000)])
    reader = BatchReader(collection, ALL, None, None, by_size)
    for _ in range(2):
        reader.move(reader.read(BatchBudget(1000, MANY), meter=Upto(1)))
    asked.clear()
    assert len(reader.read(BatchBudget(500, MANY), meter=Upto(1000))) == 500
    assert len(asked) <= 10


def test_a_reply_is_cut_into_its_documents_whatever_they_hold(collection: Any) -> None:
    tricky = [
        bson.encode({"_id": 1, "firstBatch": [{"cursor": {"firstBatch": [1]}}], "cursor": "\0" * 9}),
        bson.encode({"_id": 2}),
        bson.encode({"_id": 3, "x": b"\x04firstBatch\0", "\N{SNOWMAN}": [[], [{}]]}),
    ]
    fill(collection, tricky)
    numbered(collection, 200, first=10)
    found = one_reply(collection, {}, None, 300)
    assert found[:3] == tricky
    assert [bson.decode(raw)["_id"] for raw in found[3:]] == list(range(10, 210))
    assert one_reply(collection, {"_id": 0}, None, 5) == []
    assert one_reply(collection, {"_id": 2}, {"_id": 1}, 5) == [bson.encode({"_id": 2})]


def test_a_reply_holds_no_more_than_it_can_and_one_document_at_least(collection: Any) -> None:
    fill(collection, [bson.encode({"_id": number, "x": "x" * 9_000_000}) for number in range(3)])
    assert [len(raw) > 9_000_000 for raw in one_reply(collection, {}, None, 3)] == [True]


def test_what_is_read_in_a_transaction_is_as_it_was_when_that_began(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    numbered(collection, 3)
    with client.start_session() as session, session.start_transaction():
        assert len(one_reply(collection, {}, None, 9, session)) == 3
        numbered(collection, 2, first=3)
        assert len(one_reply(collection, {}, None, 9, session)) == 3
    assert len(one_reply(collection, {}, None, 9)) == 5


def test_an_error_of_the_server_is_raised(collection: Any) -> None:
    with pytest.raises(OperationFailure):
        one_reply(collection, {"$nonsense": 1}, None, 1)


@pytest.mark.parametrize(
    "reply",
    [{"ok": 1.0}, {"cursor": {"id": 0}}, {"cursor": {"firstBatch": [1]}}],
    ids=["nothing", "no batch", "no documents"],
)
def test_what_is_no_reply_is_none(reply: dict[str, Any]) -> None:
    with pytest.raises(MalformedBsonError):
        documents_of(bson.encode(reply))
