from __future__ import annotations

import logging
import random
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from own_errors import own
from phimask import DocumentId, Partition, Partitioner, StoreError
from phimask.testing import check_partitioner
from phimask_plugins.partitioners import (
    ALL,
    ObjectIdTimePartitioner,
    PaginatePartitioner,
    SamplePartitioner,
    ShardedPartitioner,
    SinglePartitioner,
    SplitVectorPartitioner,
)

MB = 1_000_000
REFUSED = "reading the _id index: MongoDB answered code 28799 (Location28799)"


def number(value: int) -> DocumentId:
    return DocumentId(0x10, struct.pack("<i", value))


def value(found: DocumentId | None, otherwise: int) -> int:
    return otherwise if found is None else int(struct.unpack("<i", found.value)[0])


class Numbers:
    """A collection whose `_id`s are 1 to `count`, with what is asked of it; a chunk begins at each of `chunks`."""

    after: DocumentId | None = None
    chunks: Sequence[int] = ()

    def __init__(self, count: int, each_bytes: int = 1_000, estimate: int | None = None) -> None:
        self.count = count
        self.documents = count if estimate is None else estimate
        self.bytes = self.documents * each_bytes
        self.sampled: list[int] = []
        self.walked: list[int] = []
        self.split: list[int] = []

    def first_id(self) -> DocumentId | None:
        return number(1) if self.count else None

    def last_id(self) -> DocumentId | None:
        return number(self.count) if self.count else None

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        self.sampled.append(size)
        chosen = random.Random(3).sample(range(1, self.count + 1), min(size, self.count))
        return [number(one) for one in sorted(chosen)]

    def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
        self.walked.append(skip)
        found = value(after, 0) + skip
        return number(found) if found < self.count else None

    def split_points(self, after: DocumentId | None, size: int) -> Sequence[DocumentId]:
        each = size * self.documents // self.bytes
        self.split.append(each)
        points = range(value(after, 0) + each, self.count, each)
        return [number(one) for one in points[:3]]

    def chunk_bound(self, database: str, after: DocumentId, upto: DocumentId) -> DocumentId | None:
        reach = [one for one in self.chunks if value(after, 0) < one <= value(upto, 0)]
        return number(max(reach)) if reach else None


class NoSampling(Numbers):
    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        raise own(StoreError, REFUSED)


class FewSamples(Numbers):
    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        return super().sample_ids(size)[: size // 3]


def sample(target_size: int = 128 * MB, samples: int = 10) -> SamplePartitioner:
    return SamplePartitioner({"target_size": target_size, "samples_per_partition": samples})


def paginate(documents: int = 100_000) -> PaginatePartitioner:
    return PaginatePartitioner({"documents": documents})


def sizes(partitions: Sequence[Partition], source: Numbers) -> list[int]:
    """How many documents each range holds, after a check that they are disjoint and cover all."""
    assert partitions[0].after is None
    assert value(partitions[-1].upto, -1) == source.count
    for one, following in pairwise(partitions):
        assert one.upto == following.after
    assert [one.number for one in partitions] == list(range(len(partitions)))
    return [value(one.upto, 0) - value(one.after, 0) for one in partitions]


@pytest.mark.parametrize("cls", ALL)
def test_each_conforms(cls: type[Partitioner]) -> None:
    check_partitioner(cls)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (PaginatePartitioner, {"documents": 1}),
        (PaginatePartitioner, {"documents": 7}),
        (PaginatePartitioner, {"documents": 500}),
        (SamplePartitioner, {"target_size": "20MB"}),
        (SamplePartitioner, {"target_size": "100MB", "samples_per_partition": 1}),
        (ObjectIdTimePartitioner, {"target_size": "20MB", "samples": 49}),
        (ObjectIdTimePartitioner, {"target_size": "2MB", "samples": 3}),
        (ShardedPartitioner, {"target_size": "5MB"}),
        (ShardedPartitioner, {"target_size": "1MB"}),
        (SplitVectorPartitioner, {"target_size": "20MB"}),
        (SplitVectorPartitioner, {"target_size": "1MB"}),
    ],
)
def test_each_conforms_with_other_options(cls: type[Partitioner], options: dict[str, Any]) -> None:
    check_partitioner(cls, options)


def objectid_time(target_size: int = 10 * MB, samples: int = 1000) -> ObjectIdTimePartitioner:
    return ObjectIdTimePartitioner({"target_size": target_size, "samples": samples})


def sharded(target_size: int = 10 * MB) -> ShardedPartitioner:
    return ShardedPartitioner({"target_size": target_size, "config_database": "config"})


def split_vector(target_size: int = 10 * MB) -> SplitVectorPartitioner:
    return SplitVectorPartitioner({"target_size": target_size})


@pytest.mark.parametrize(
    "made",
    [SinglePartitioner({}), sample(), paginate(), objectid_time(), sharded(), split_vector()],
    ids=lambda one: one.name,
)
def test_an_empty_collection_has_no_partitions(made: Partitioner) -> None:
    assert list(made.partitions(Numbers(0))) == []


def test_single_is_one_range_without_a_lower_bound() -> None:
    assert list(SinglePartitioner({}).partitions(Numbers(5))) == [Partition(0, None, number(5), 5)]


@given(st.integers(1, 500), st.integers(1, 600), st.integers(0, 1500))
def test_pages_hold_what_was_asked_for_and_cover_all(count: int, documents: int, estimate: int) -> None:
    source = Numbers(count, estimate=estimate)
    found = sizes(list(paginate(documents).partitions(source)), source)
    assert all(one == documents for one in found[:-1])
    assert 0 < found[-1] <= documents


def test_pages_estimate_their_documents() -> None:
    assert [one.documents for one in paginate(40).partitions(Numbers(100))] == [40, 40, 20]
    assert [one.documents for one in paginate(200).partitions(Numbers(100))] == [100]


def test_pages_are_looked_up_as_they_are_taken() -> None:
    source = Numbers(1_000_000)
    first = list(islice(paginate(10).partitions(source), 3))
    assert len(first) == 3
    assert len(source.walked) <= 4


def test_sampling_cuts_by_bytes() -> None:
    source = Numbers(1_000_000, each_bytes=1_000)
    partitions = list(sample(50 * MB).partitions(source))
    found = sizes(partitions, source)
    assert len(found) == 20
    assert source.sampled == [200]
    assert not source.walked
    assert [one.documents for one in partitions] == [50_000] * 20


def test_more_samples_make_more_even_partitions() -> None:
    source = Numbers(1_000_000)

    def spread(samples: int) -> float:
        found = sizes(list(sample(50 * MB, samples).partitions(source)), source)
        return max(found) / min(found)

    assert spread(500) < spread(50) < spread(2)
    assert spread(500) < 1.5


def test_what_fits_into_one_partition_is_not_sampled() -> None:
    source = Numbers(1000)
    assert sizes(list(sample().partitions(source)), source) == [1000]
    assert not source.sampled


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (NoSampling(100_000), f"sampling failed: {REFUSED}"),
        (FewSamples(100_000), "only 33 of 100 samples came back"),
        (Numbers(1000, 100_000), "100 samples of 1000 documents would read the whole collection"),
    ],
    ids=["fails", "few", "small"],
)
def test_where_sampling_is_no_use_the_index_is_walked_and_the_log_says_why(
    source: Numbers, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="phimask.plugins"):
        found = sizes(list(sample(10 * MB).partitions(source)), source)
    assert found == [source.count // 10] * 10
    assert source.walked
    assert [record.message for record in caplog.records] == [
        f"partitions are cut by walking the _id index: {reason}"
    ]


def test_a_sample_of_the_last_document_makes_no_empty_partition() -> None:
    class Last(Numbers):
        def sample_ids(self, size: int) -> Sequence[DocumentId]:
            return [number(self.count - size + one) for one in range(1, size + 1)]

    source = Last(100_000)
    assert sizes(list(sample(50 * MB, 1).partitions(source)), source) == [100_000]


@pytest.mark.parametrize("make", [sample, objectid_time, sharded, split_vector])
def test_no_size_is_refused(make: Callable[[int], Partitioner]) -> None:
    with pytest.raises(ValueError, match="target_size is no size"):
        make(0)


def test_split_points_are_asked_for_as_they_are_taken() -> None:
    source = Numbers(1_000_000)
    first = list(islice(split_vector().partitions(source), 4))
    assert [value(one.upto, 0) for one in first] == [10_000, 20_000, 30_000, 40_000]
    assert source.split == [10_000, 10_000]
    assert sizes(list(split_vector().partitions(source)), source) == [10_000] * 100
    assert not source.walked


@pytest.mark.parametrize("answered", [0, 1])
def test_where_split_vector_is_refused_the_index_is_walked_and_the_log_says_why(
    answered: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(Numbers):
        def split_points(self, after: DocumentId | None, size: int) -> Sequence[DocumentId]:
            if len(self.split) == answered:
                raise own(StoreError, "splitVector: MongoDB answered code 13 (Unauthorized)")
            return super().split_points(after, size)

    source = Refusing(100_000)
    with caplog.at_level(logging.INFO, logger="phimask.plugins"):
        assert sizes(list(split_vector().partitions(source)), source) == [10_000] * 10
    assert len(source.walked) == 10 - 3 * answered
    assert [record.message for record in caplog.records] == [
        "partitions are cut by walking the _id index: splitVector: MongoDB answered code 13 (Unauthorized)"
    ]


def test_small_chunks_are_joined_and_large_ones_cut() -> None:
    source = Numbers(100_000)
    source.chunks = [*range(1_000, 21_000, 3_000), 24_000, 60_000, 99_500]
    found = sizes(list(sharded().partitions(source)), source)
    assert found == [10_000, 9_000, 5_000, 10_000, 10_000, 10_000, 6_000, 10_000, 10_000, 10_000, 10_000]


def test_chunks_are_looked_up_as_partitions_are_taken() -> None:
    source = Numbers(10_000_000)
    assert len(list(islice(sharded().partitions(source), 3))) == 3
    assert source.walked == [10_000, 1] * 3


@pytest.mark.parametrize("answered", [0, 2])
def test_where_chunks_are_no_use_the_log_says_why(answered: int, caplog: pytest.LogCaptureFixture) -> None:
    class Unsharded(Numbers):
        asked = 0

        def chunk_bound(self, database: str, after: DocumentId, upto: DocumentId) -> DocumentId | None:
            self.asked += 1
            if self.asked > answered:
                raise own(StoreError, "ehr.visits is not sharded, according to config.collections")
            return super().chunk_bound(database, after, upto)

    source = Unsharded(100_000)
    with caplog.at_level(logging.INFO, logger="phimask.plugins"):
        assert len(sizes(list(sharded().partitions(source)), source)) == 10
    assert source.sampled == ([] if answered else [100])
    how = "walking the _id index" if answered else "sampling"
    assert [record.message for record in caplog.records] == [
        f"partitions are cut by {how}: ehr.visits is not sharded, according to config.collections"
    ]


def object_id(seconds: float, counter: int = 0) -> DocumentId:
    return DocumentId(0x07, int(seconds).to_bytes(4, "big") + b"proce" + counter.to_bytes(3, "big"))


class Inserted(Numbers):
    """A collection of ObjectIds, in order, that answers as it should in every other way."""

    def __init__(self, ids: Sequence[DocumentId]) -> None:
        super().__init__(len(ids))
        self.ids = ids

    def first_id(self) -> DocumentId | None:
        return self.ids[0]

    def last_id(self) -> DocumentId | None:
        return self.ids[-1]

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        self.sampled.append(size)
        return [self.ids[one] for one in sorted(random.Random(5).sample(range(len(self.ids)), size))]

    def counts(self, partitions: Sequence[Partition]) -> list[int]:
        """How many documents each range holds, where all `_id`s are ObjectIds."""
        keys = [one.value for one in self.ids]
        ends = [bisect_right(keys, one.upto.value) for one in partitions if one.upto is not None]
        return [end - start for start, end in pairwise([0, *ends])]


START = 1_700_000_000


def steady() -> list[DocumentId]:
    return [object_id(START + one) for one in range(100_000)]


def in_bursts() -> list[DocumentId]:
    """Half of the documents in a second of each of ten days, the others all the time between."""
    day = 86_400
    bursts = [object_id(START + day * (one // 5_000), one % 5_000) for one in range(50_000)]
    between = [object_id(START + day * 10 * one / 50_000 + 1, 1) for one in range(50_000)]
    return sorted({*bursts, *between}, key=lambda one: one.value)


@pytest.mark.parametrize("inserted", [steady, in_bursts])
def test_time_is_cut_by_the_density_of_inserts(inserted: Callable[[], list[DocumentId]]) -> None:
    source = Inserted(inserted())
    found = source.counts(list(objectid_time(2 * MB).partitions(source)))
    assert 49 <= len(found) <= 50
    assert sum(found) == source.count
    assert max(found) < 2 * source.count / 50
    assert source.sampled == [1000]
    assert not source.walked


def test_as_many_samples_do_for_ten_times_the_partitions() -> None:
    source = Inserted(steady())
    found = source.counts(list(objectid_time(source.bytes // 5000, 200).partitions(source)))
    assert len(found) == 5000
    assert sum(found) == source.count
    assert source.sampled == [200]
    assert max(found) < 10 * source.count / 5000


def test_where_there_are_no_objectids_sampling_cuts_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Numbers(100_000)
    with caplog.at_level(logging.INFO, logger="phimask.plugins"):
        assert len(sizes(list(objectid_time().partitions(source)), source)) == 10
    assert source.sampled == [1000, 100]
    assert [record.message for record in caplog.records] == [
        "partitions are cut by sampling: there are no ObjectIds among first, last and sampled _ids"
    ]


def test_time_needs_a_sample_or_the_index_is_walked(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(Inserted):
        def sample_ids(self, size: int) -> Sequence[DocumentId]:
            raise own(StoreError, REFUSED)

        def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
            at = (0 if after is None else self.ids.index(after) + 1) + skip - 1
            return self.ids[at] if at < len(self.ids) - 1 else None

    source = Refusing(steady())
    with caplog.at_level(logging.INFO, logger="phimask.plugins"):
        assert source.counts(list(objectid_time().partitions(source))) == [10_000] * 10
    assert [record.message for record in caplog.records] == [
        f"partitions are cut by walking the _id index: sampling failed: {REFUSED}"
    ]


def test_a_document_inserted_in_front_meanwhile_turns_nothing_around() -> None:
    class Growing(Inserted):
        def sample_ids(self, size: int) -> Sequence[DocumentId]:
            return [object_id(5), *super().sample_ids(size)[1:]]

    source = Growing(steady())
    # More partitions than samples, so that some boundaries are computed from the first `_id`.
    partitions = list(objectid_time(source.bytes // 2000, 200).partitions(source))
    bounds = [one.upto.value for one in partitions if one.upto is not None]
    assert bounds == sorted(set(bounds))
    assert bounds[0] > object_id(START).value
    assert len(bounds) == 2000
