"""Cutting by bytes, which most partitioners do, and what they fall back on: from the `_id`s between partitions to the
partitions, the walk along the index that finds such `_id`s, and the sample that is too thin to find them."""

from __future__ import annotations

import abc
import logging
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from phimask import DocumentId, Partition, Partitioner, Source, StoreError

LOG: Final = logging.getLogger("phimask.plugins")

_RANDOM_CURSOR_SHARE: Final = 0.05


def sized_options(**others: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a SizedPartitioner's options: `target_size`, and its own."""
    target_size = {
        "format": "size",
        "default": "128MB",
        "description": "about how many BSON bytes a partition holds",
    }
    return MappingProxyType(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"target_size": target_size, **others},
        }
    )


class SizedPartitioner(Partitioner):
    """As many ranges as `target_size` goes into the collection's bytes; where they end is a subclass's to say."""

    options_schema: ClassVar[Mapping[str, Any]] = sized_options()

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if options["target_size"] <= 0:
            raise ValueError("target_size is no size; give it a positive size such as 128MB")

    def partitions(self, source: Source) -> Iterator[Partition]:
        """See Partitioner; each range is cut when it is asked for, as far as `boundaries` can do that."""
        count = min(-(-source.bytes // self.options["target_size"]), source.documents)
        each = -(-source.documents // max(count, 1))
        yield from between(self.boundaries(source, count, each) if count > 1 else (), source, each)

    @abc.abstractmethod
    def boundaries(self, source: Source, count: int, each: int) -> Iterator[DocumentId]:
        """The `_id`s that end all ranges but the last, in order: of about `count` ranges (two at least) of `each`
        documents. A generator, so that nothing is asked of the source before the first range is."""


def between(boundaries: Iterable[DocumentId], source: Source, each: int) -> Iterator[Partition]:
    """The ranges (after, upto] that `boundaries`, in order, cut a collection into; none where it is empty.

    `each` is the estimate of one range's documents; the last range is estimated at what remains.
    """
    last = source.last_id()
    if last is None:
        return
    number, after, rest = 0, source.after, source.documents
    for boundary in boundaries:
        # A range behind the last `_id` would hold nothing.
        if boundary == last:
            break
        if boundary == after:
            continue
        yield Partition(number, after, boundary, each)
        number, after, rest = number + 1, boundary, rest - each
    yield Partition(number, after, last, min(max(rest, 0), each) if number else rest)


def every(documents: int, source: Source, after: DocumentId | None = None) -> Iterator[DocumentId]:
    """Every so many documents' `_id` beyond `after`, in index order, asked for one at a time as the caller goes on."""
    boundary = source.id_after(after, documents)
    while boundary is not None:
        yield boundary
        boundary = source.id_after(boundary, documents)


def walked(
    reason: str, documents: int, source: Source, after: DocumentId | None = None
) -> Iterator[DocumentId]:
    """As `every`, in place of what cannot be done for this `reason`, which the log is told."""
    LOG.info("partitions are cut by walking the _id index: %s", reason)
    yield from every(documents, source, after)


def sampled(source: Source, wanted: int, needed: int) -> list[DocumentId] | str:
    """So many random `_id`s in order, or why they are no use: fewer than `needed` came, or it costs too much.

    MongoDB's `$sample` reads and sorts everything from a twentieth of the documents on. Source: MongoDB manual,
    $sample, Behavior.
    """
    if wanted >= source.documents * _RANDOM_CURSOR_SHARE:
        return f"{wanted} samples of {source.documents} documents would read the whole collection"
    try:
        samples = list(source.sample_ids(wanted))
    except StoreError as error:
        return f"sampling failed: {error}"
    return samples if len(samples) >= needed else f"only {len(samples)} of {wanted} samples came back"
