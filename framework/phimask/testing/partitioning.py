"""The conformance check of partitioners, against collections that exist in memory alone."""

from __future__ import annotations

import random
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, Final

from phimask.errors import StoreError
from phimask.plugins.interfaces import Partitioner
from phimask.plugins.values import DocumentId, Partition
from phimask.testing.making import check_class, make, require

_INT: Final = 0x10
_STRING: Final = 0x02
_OBJECT_ID: Final = 0x07
_RANKS: Final = {_INT: 0, _STRING: 1, _OBJECT_ID: 2}
"""Source: MongoDB's manual, comparison and sort order of BSON types."""

_SIZES: Final = (0, 1, 2, 10, 1000)
_AVERAGES: Final = (400_000, 2_000_000)
"""Bytes a document: few partitions and many, by the sizes that people ask for."""
_POINTS: Final = 10
_CHUNK: Final = 7


def check_partitioner(cls: type[Partitioner], options: Mapping[str, Any] | None = None) -> None:
    """Check that a partitioner covers collections of many sizes, also where sampling fails, the estimates are
    wrong, or only a collection's end is asked for, in disjoint ranges that come one at a time.

    Raises AssertionError, which says what was broken and on which collection.
    """
    check_class("partitioner", cls)
    for size in _SIZES:
        for named, source in _sources(size):
            partitions = make(cls, options).partitions(source)
            require(
                isinstance(partitions, Iterator) and not source.asked,
                cls,
                "partitions() works before the first is asked for; make it a generator, so that ranges are streamed",
            )
            given = list(islice(partitions, 2 * size + 2))
            _check(cls, named, source, given)
            again = list(islice(make(cls, options).partitions(source), 2 * size + 2))
            _check(cls, f"{named}, the second time", source, again)


class FakeSource:
    """A `Source` over `_id`s of three BSON types, in order; the collection does not change.

    `average` is a document's BSON bytes; `estimate` is what it says of its number of documents; `sampling` is
    how `sample_ids`, `split_points` and `chunk_bound` answer: with those of all the collection, with StoreError,
    with none, or with those of the collection's beginning. The first `skipped` documents lie before `after`.
    """

    def __init__(
        self,
        size: int,
        estimate: int | None = None,
        sampling: str = "random",
        average: int = _AVERAGES[0],
        skipped: int = 0,
    ) -> None:
        third = size // 3
        self.ids = (
            [DocumentId(_INT, struct.pack("<i", number - third // 2)) for number in range(third)]
            + [_text(f"patient-{number:06}") for number in range(third)]
            + [DocumentId(_OBJECT_ID, number.to_bytes(12, "big")) for number in range(size - 2 * third)]
        )
        self.after = self.ids[skipped - 1] if skipped else None
        self.ids = self.ids[skipped:]
        self.documents = len(self.ids) if estimate is None else estimate
        self.bytes = self.documents * average
        self.sampling = sampling
        self.asked = 0
        self._average = average
        self._orders = [order(one) for one in self.ids]

    def first_id(self) -> DocumentId | None:
        """See Source."""
        self.asked += 1
        return self.ids[0] if self.ids else None

    def last_id(self) -> DocumentId | None:
        """See Source."""
        self.asked += 1
        return self.ids[-1] if self.ids else None

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        """See Source."""
        self.asked += 1
        if size < 1:
            raise AssertionError(f"sample_ids() is asked for {size} documents; ask for at least 1")
        known = self._known()
        if self.sampling == "beginning":
            return known
        chosen = random.Random(self.asked).sample(range(len(known)), min(size, len(known)))  # noqa: S311
        return [self.ids[position] for position in sorted(chosen)]

    def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
        """See Source."""
        self.asked += 1
        if skip < 1:
            raise AssertionError(f"id_after() is asked to skip {skip} documents; skip at least 1")
        position = self._beyond(after) + skip - 1
        return self.ids[position] if position < len(self.ids) - 1 else None

    def split_points(self, after: DocumentId | None, size: int) -> Sequence[DocumentId]:
        """See Source."""
        self.asked += 1
        each = max(1, size // self._average)
        return self._known()[self._beyond(after) + each : -1 : each][:_POINTS]

    def chunk_bound(self, database: str, after: DocumentId, upto: DocumentId) -> DocumentId | None:
        """See Source."""
        self.asked += 1
        if not database:
            raise AssertionError("chunk_bound() is asked of no database; name one, such as config")
        bounds = self._known()[::_CHUNK]
        return next((one for one in reversed(bounds) if order(after) < order(one) <= order(upto)), None)

    def _known(self) -> list[DocumentId]:
        """What those questions are answered from that a server may refuse."""
        if self.sampling == "error":
            raise StoreError("28799 Location28799")
        share = {"none": 0, "beginning": max(1, len(self.ids) // 10)}
        return self.ids[: share.get(self.sampling)]

    def _beyond(self, after: DocumentId | None) -> int:
        return 0 if after is None else bisect_right(self._orders, order(after))


def order(document_id: DocumentId) -> tuple[int, Any]:
    """What compares as the `_id` does in BSON's order. Raises KeyError for a type that no source here has."""
    rank = _RANKS[document_id.bson_type]
    if document_id.bson_type == _INT:
        return rank, struct.unpack("<i", document_id.value)[0]
    if document_id.bson_type == _STRING:
        return rank, document_id.value[4:-1]
    return rank, document_id.value


def _text(text: str) -> DocumentId:
    encoded = text.encode() + b"\0"
    return DocumentId(_STRING, struct.pack("<i", len(encoded)) + encoded)


def _sources(size: int) -> Iterator[tuple[str, FakeSource]]:
    for average in _AVERAGES:
        of = f"on {size} documents of {average} bytes"
        yield of, FakeSource(size, average=average)
        yield f"{of}, estimated to be none", FakeSource(size, estimate=0, average=average)
        yield (
            f"{of}, estimated to be three times as many",
            FakeSource(size, estimate=3 * size + 1, average=average),
        )
        for sampling in ("error", "none", "beginning"):
            yield f"{of}, sampling: {sampling}", FakeSource(size, sampling=sampling, average=average)
        if size > 1:
            yield (
                f"{of}, of which the latter half is asked for",
                FakeSource(size, average=average, skipped=size // 2),
            )


def _check(cls: type[Partitioner], named: str, source: FakeSource, partitions: Sequence[Partition]) -> None:
    def holds(kept: bool, broken: str) -> None:
        require(kept, cls, f"{named}: {broken}")

    if not source.ids:
        holds(not partitions, "an empty collection has no partitions")
        return
    holds(bool(partitions), "there are no partitions, so nothing would be masked")
    holds(
        all(isinstance(one, Partition) for one in partitions),
        "partitions() gives what is no phimask.Partition",
    )
    holds(
        [one.number for one in partitions] == list(range(len(partitions))),
        "partitions are not numbered 0, 1, 2 and so on",
    )
    holds(
        partitions[0].after == source.after,
        "the first partition does not begin at the source's `after`: it leaves out documents, or takes in others",
    )
    last = source.ids[-1]
    holds(
        len(partitions) <= 2 * len(source.ids), "there are more partitions than documents, or no end to them"
    )
    holds(
        partitions[-1].upto == last,
        "the last partition does not end with last_id(): it leaves documents out, or grows with the collection",
    )
    for one, following in pairwise(partitions):
        holds(
            one.upto is not None and following.after == one.upto,
            f"partition {following.number} does not begin where {one.number} ends: a gap or an overlap",
        )
    for one in partitions:
        holds(
            one.upto is not None and (one.after is None or order(one.after) < order(one.upto)),
            f"partition {one.number} is empty or upside down: its bounds do not ascend",
        )
        holds(
            one.documents is None or (type(one.documents) is int and one.documents >= 0),
            f"partition {one.number} estimates {one.documents!r} documents; give a number from 0 on, or None",
        )
