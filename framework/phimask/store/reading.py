"""Reading: short keyset queries on `_id`, in raw bytes, no more than a batch's budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pymongo.client_session import ClientSession

from phimask.plugins.values import BatchBudget, DocumentId, Partition
from phimask.store.raw import by_ids, identity, split, within
from phimask.store.source import ID_ORDER

_AHEAD: Final = 1.25
"""How far past the expected number of documents a query asks, since sizes vary."""


_NOWHERE: Final = "(no field of this name)"


class BatchReader:
    """Reads one partition, batch after batch. `position` is the last `_id` read.

    A query's reply is at most 16 MiB (MongoDB's reply limit) and holds one document at least; what lies
    beyond the budget is left for the next query. There is no cursor between batches, so nothing expires.
    """

    def __init__(
        self,
        collection: Any,
        partition: Partition,
        query: Mapping[str, Any] | None,
        projection: Mapping[str, Any] | None,
    ) -> None:
        self._collection = collection
        self._partition = partition
        self._query = query
        self._projection = _to_the_end(projection)
        self._bytes_per_document = 0.0
        self.position = partition.after

    def read(self, budget: BatchBudget, session: ClientSession | None = None) -> list[bytes]:
        """The next documents; an empty list at the partition's end. Does not move `position`."""
        wanted = budget.documents
        if self._bytes_per_document:
            wanted = min(wanted, int(budget.bytes / self._bytes_per_document * _AHEAD) + 1)
        cursor = self._collection.find_raw_batches(
            within(self.position, self._partition.upto, self._query),
            self._projection,
            sort=ID_ORDER,
            hint=ID_ORDER,
            limit=-wanted,
            batch_size=wanted,  # or the server would answer with 101 documents, its default for a first reply
            session=session,
        )
        found: list[bytes] = []
        size = 0
        for reply in cursor:
            for raw in split(reply):
                size += len(raw)
                if found and size > budget.bytes:
                    size -= len(raw)
                    break
                found.append(raw)
        if found:
            self._bytes_per_document = size / len(found)
        return found

    def move(self, documents: Sequence[bytes]) -> None:
        """Go on behind these documents."""
        self.position = identity(documents[-1])

    def end_at(self, upto: DocumentId) -> None:
        """The partition ends there now: what lies beyond is another's."""
        self._partition = replace(self._partition, upto=upto)


def _to_the_end(projection: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The projection, with one more field where it includes fields.

    The server reads no further in a document once it has met as many fields as a projection includes, so that a
    duplicate key hides itself or another field. With one more, which no document has, a duplicate always shows.
    """
    if projection and 0 not in projection.values():
        return {**projection, _NOWHERE: 1}
    return projection


def whole_documents(
    collection: Any, wanted: Sequence[DocumentId], session: ClientSession | None = None
) -> dict[DocumentId, bytes]:
    """These documents, whole, by `_id`; those that are gone are missing."""
    return _by_id(collection, wanted, None, session)


def projected_documents(
    collection: Any, wanted: Sequence[DocumentId], projection: Mapping[str, Any] | None
) -> dict[DocumentId, bytes]:
    """These documents as BatchReader reads them under that projection."""
    return _by_id(collection, wanted, _to_the_end(projection), None)


def _by_id(
    collection: Any,
    wanted: Sequence[DocumentId],
    projection: Mapping[str, Any] | None,
    session: ClientSession | None,
) -> dict[DocumentId, bytes]:
    if not wanted:
        return {}
    cursor = collection.find_raw_batches(by_ids(wanted), projection, hint=ID_ORDER, session=session)
    return {identity(raw): raw for reply in cursor for raw in split(reply)}


def sampled_documents(collection: Any, size: int, query: Mapping[str, Any] | None) -> Iterator[bytes]:
    """Up to `size` random whole documents, one reply at a time."""
    pipeline: list[Mapping[str, Any]] = [{"$match": query}] if query else []
    pipeline.append({"$sample": {"size": size}})
    for reply in collection.aggregate_raw_batches(pipeline, allowDiskUse=True):
        yield from split(reply)


def first_documents(collection: Any, size: int, query: Mapping[str, Any] | None) -> Iterator[bytes]:
    """The first `size` whole documents in `_id` order, for where sampling fails."""
    for reply in collection.find_raw_batches(query or {}, sort=ID_ORDER, hint=ID_ORDER, limit=size):
        yield from split(reply)
