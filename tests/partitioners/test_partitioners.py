from __future__ import annotations

import logging
import random
import struct
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import DocumentId, Partition, Partitioner, StoreError
from phimask.testing import check_partitioner
from phimask_plugins.partitioners import ALL, PaginatePartitioner, SamplePartitioner, SinglePartitioner

MB = 1_000_000
REFUSED = "reading the _id index: MongoDB answered code 28799 (Location28799)"


def number(value: int) -> DocumentId:
    return DocumentId(0x10, struct.pack("<i", value))


def value(found: DocumentId | None, otherwise: int) -> int:
    return otherwise if found is None else int(struct.unpack("<i", found.value)[0])


class Numbers:
    """A collection whose `_id`s are 1 to `count`, with what is asked of it."""

    def __init__(self, count: int, each_bytes: int = 1_000, estimate: int | None = None) -> None:
        self.count = count
        self.documents = count if estimate is None else estimate
        self.bytes = self.documents * each_bytes
        self.sampled: list[int] = []
        self.walked: list[int] = []

    def last_id(self) -> DocumentId | None:
        return number(self.count) if self.count else None

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        self.sampled.append(size)
        chosen = random.Random(3).sample(range(1, self.count + 1), min(size, self.count))
        return [number(one) for one in sorted(chosen)]

    def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
        self.walked.append(skip)
        found = value(after, 0) + skip
        return number(found) if found <= self.count else None


class NoSampling(Numbers):
    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        raise StoreError(REFUSED)


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
    ],
)
def test_each_conforms_with_other_options(cls: type[Partitioner], options: dict[str, Any]) -> None:
    check_partitioner(cls, options)


@pytest.mark.parametrize("made", [SinglePartitioner({}), sample(), paginate()], ids=lambda one: one.name)
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


def test_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="target_size is no size"):
        sample(0)
