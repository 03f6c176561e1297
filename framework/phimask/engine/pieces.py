"""What verification looks at, in pieces: ranges of all documents' `_id`s, or lists of those of a random sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pymongo.errors import PyMongoError

from phimask.engine.share import Piece
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.plugins.values import DocumentId, Partition
from phimask.store.raw import identity_of, within
from phimask.store.retry import terminal_error
from phimask.store.source import CollectionSource

_PIECES_EACH: Final = 16
"""Pieces for each process, so that none waits long for the last of another."""
_PIECE: Final = (250, 50_000)
"""The fewest and the most documents of a piece."""
_SAMPLE_PIECE: Final = 500


def pieces_of(plan: CollectionPlan, source: Namespace, sample: int | None, processes: int) -> list[Piece]:
    """Of the plan's scope, for so many processes. Raises StoreError."""
    last = last_of(plan)
    if last is None:
        return []
    try:
        if sample is not None:
            return list(_drawn(source.raw(), sample, last, plan.scope.query))
        if plan.scope.limit is not None:
            return [Partition(0, None, last)]
        return list(_ranges(source.raw(), plan.documents, last, processes))
    except PyMongoError as error:
        raise terminal_error(error, f"cutting {source} into ranges") from None


def last_of(plan: CollectionPlan) -> DocumentId | None:
    """The greatest `_id` that the plan is about."""
    return plan.indexed.last_id() if plan.indexed is not None else None


def _ranges(collection: Any, documents: int, last: DocumentId, processes: int) -> Iterator[Partition]:
    """Of about as many documents each."""
    source = CollectionSource(collection)
    source.end_at(last)
    each = min(max(documents // (processes * _PIECES_EACH), _PIECE[0]), _PIECE[1])
    after: DocumentId | None = None
    number = 0
    while (upto := source.id_after(after, each)) is not None and upto != last:
        yield Partition(number, after, upto)
        after, number = upto, number + 1
    yield Partition(number, after, last)


def _drawn(
    collection: Any, size: int, last: DocumentId, query: Mapping[str, Any] | None
) -> Iterator[tuple[DocumentId, ...]]:
    """The `_id`s of random documents of the scope, without repeats. MongoDB's $sample may answer with a document twice,
    so a few more are asked for."""
    wanted = size + max(20, size // 20)
    match: list[Mapping[str, Any]] = [{"$match": within(None, last, query)}] if query else []
    found: dict[DocumentId, None] = {}
    for one in collection.aggregate(
        [*match, {"$sample": {"size": wanted}}, {"$match": within(None, last)}, {"$project": {"_id": 1}}],
        allowDiskUse=True,
    ):
        found[identity_of(one)] = None
    chosen = list(found)[:size]
    for start in range(0, len(chosen), _SAMPLE_PIECE):
        yield tuple(chosen[start : start + _SAMPLE_PIECE])
