"""Ranges of the time in which documents were inserted, as their ObjectIds tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Final

from phimask import DocumentId, Source
from phimask_plugins.partitioners.ranges import LOG, SizedPartitioner, sampled, sized_options, walked
from phimask_plugins.partitioners.sample import by_sampling

_OBJECT_ID: Final = 0x07
_LENGTH: Final = 12


class ObjectIdTimePartitioner(SizedPartitioner):
    """As many ranges as `target_size` goes into the collection's bytes, cut by the time within ObjectIds.

    Between the first and the last ObjectId, some sampled ones tell when documents were inserted, and how densely; the
    boundaries are computed between those. So their number does not grow with that of the partitions, as it does for
    `sample`: for collections of many thousand partitions. A burst of inserts shorter than one sample stands for makes
    uneven partitions. `_id`s of other types are cut at the samples, as `sample` does it. Where no ObjectIds are found,
    `sample` cuts; where sampling fails or would read the whole collection, the `_id` index is walked. The log says why.
    """

    name: ClassVar[str] = "objectid_time"
    options_schema: ClassVar[Mapping[str, Any]] = sized_options(
        samples={
            "type": "integer",
            "minimum": 1,
            "default": 1000,
            "description": "how many _ids are sampled for the whole collection",
        }
    )

    def boundaries(self, source: Source, count: int, each: int) -> Iterator[DocumentId]:
        """See SizedPartitioner."""
        wanted: int = self.options["samples"]
        samples = sampled(source, wanted, -(-wanted // 2))
        if isinstance(samples, str):
            yield from walked(samples, each, source)
            return
        known = _known(source, samples)
        if any(_both(*pair) for pair in pairwise(known)):
            yield from (_at(known, number, count) for number in range(1, count))
            return
        LOG.info("partitions are cut by sampling: there are no ObjectIds among first, last and sampled _ids")
        yield from by_sampling(source, count, each)


def _known(source: Source, samples: Sequence[DocumentId]) -> list[DocumentId]:
    """First, sampled and last `_id`, in order."""
    first, last = source.first_id(), source.last_id()
    if first is None or last is None:
        return []
    # What was inserted in front of the first after that was asked for would turn the order around.
    behind = [one for one in samples if not _both(first, one) or one.value > first.value]
    return [first, *behind, last]


def _at(known: Sequence[DocumentId], number: int, count: int) -> DocumentId:
    """The `_id` at `number` of `count` equal shares, taking it that each two of `known` have as much between them."""
    index, share = divmod(number * (len(known) - 1), count)
    low, high = known[index], known[min(index + 1, len(known) - 1)]
    if _both(low, high):
        # An ObjectId is a number of 12 bytes, big-endian, of which time is the first four.
        start, end = int.from_bytes(low.value, "big"), int.from_bytes(high.value, "big")
        return DocumentId(_OBJECT_ID, (start + (end - start) * share // count).to_bytes(_LENGTH, "big"))
    return high if index + 2 < len(known) else low


def _both(one: DocumentId, other: DocumentId) -> bool:
    return one.bson_type == other.bson_type == _OBJECT_ID
