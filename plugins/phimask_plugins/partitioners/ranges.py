"""From the `_id`s between partitions to the partitions, and the walk along the index that finds such `_id`s."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from phimask import DocumentId, Partition, Source


def between(
    boundaries: Iterable[DocumentId], last: DocumentId, documents: int, each: int
) -> Iterator[Partition]:
    """The ranges (after, upto] that `boundaries`, in order, cut a collection of so many documents into.

    `each` is the estimate for one range; the last range is estimated at what remains.
    """
    number, after = 0, None
    for boundary in boundaries:
        # A range behind the last `_id` would hold nothing.
        if boundary == last:
            break
        yield Partition(number, after, boundary, each)
        number, after = number + 1, boundary
    yield Partition(
        number, after, last, min(max(documents - number * each, 0), each) if number else documents
    )


def every(documents: int, source: Source) -> Iterator[DocumentId]:
    """Every so many documents' `_id`, in index order, asked for one at a time as the caller goes on."""
    boundary = source.id_after(None, documents)
    while boundary is not None:
        yield boundary
        boundary = source.id_after(boundary, documents)
