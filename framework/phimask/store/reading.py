"""Reading: short keyset queries on `_id`, in raw bytes, no more than a batch's budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

from pymongo.client_session import ClientSession

from phimask.plugins.interfaces import Meter
from phimask.plugins.values import BatchBudget, ComplexityClass, DocumentId, Partition
from phimask.store.raw import by_ids, from_to, identity, split, within
from phimask.store.replies import one_reply
from phimask.store.source import ID_ORDER

_AHEAD: Final = 1.25
"""How far past the expected number of documents a query asks, since sizes vary."""
_FIRST: Final = 100
"""So many documents are asked for to learn how large they are."""
_REPLY_BYTES: Final = 2 * 1024 * 1024
"""What a query asks for, about. Each reply is copied several times on its way, a large one into memory that the system
has to clear first each time: that takes three times as long as all else about reading."""
_IDENTITIES_BYTES: Final = 8 * 1024 * 1024
"""So much may the `_id`s of a batch take: the ledger lists them in one document, besides fingerprints of each."""

_NOWHERE: Final = "(no field of this name)"


class _Batch:
    """A batch being filled, until one of its bounds is reached."""

    def __init__(
        self,
        budget: BatchBudget,
        meter: Meter | None,
        classify: Callable[[bytes], ComplexityClass],
        oversize: int | None,
    ) -> None:
        self._budget = budget
        self._oversize = oversize
        self._meter = meter
        self._classify = classify
        self.documents: list[bytes] = []
        self.size = 0
        self.classes: dict[ComplexityClass, tuple[int, int]] = {}
        self.kinds: list[ComplexityClass] = []
        self.metered = False
        self._identified = 0
        self._identities = 0

    @property
    def room(self) -> int:
        """Documents that the budget allows besides."""
        return self._budget.documents - len(self.documents)

    def take(self, raw: bytes) -> bool:
        """Take the next document in, the first one always; false: it belongs to the next batch."""
        size = len(raw)
        if self.documents and self.size + size > self._budget.bytes:
            return False
        if self.documents and self._oversize is not None and size > self._oversize:
            return False
        if (
            self.documents
            and self.size > _IDENTITIES_BYTES
            and self._identities_with(raw) > _IDENTITIES_BYTES
        ):
            return False
        if self._meter is not None:
            kind = self._classify(raw)
            if not self._meter.admits(kind, size) and self.documents:
                self.metered = True
                return False
            documents, total = self.classes.get(kind, (0, 0))
            self.classes[kind] = documents + 1, total + size
            self.kinds.append(kind)
        self.documents.append(raw)
        self.size += size
        return True

    def _identities_with(self, raw: bytes) -> int:
        """What the `_id`s come to with this document's."""
        for taken in self.documents[self._identified :]:
            self._identities += len(identity(taken).value)
        self._identified = len(self.documents)
        return self._identities + len(identity(raw).value)

    def take_all(self, found: Iterable[bytes]) -> tuple[int, list[int]]:
        """Take in what a query answers, up to where the batch ends: how many documents that were, and the sizes of
        those that belong to the next batch."""
        before = len(self.documents)
        left: list[int] = []
        for raw in found:
            if left or not self.take(raw):
                left.append(len(raw))
        return len(self.documents) - before, left


def _unknown(raw: bytes) -> ComplexityClass:  # noqa: ARG001  (where nobody can tell, batches are to be small)
    return "complex"


class BatchReader:
    """Reads one partition, batch after batch. `position` is the last `_id` read.

    A query's reply is at most 16 MiB (MongoDB's reply limit) and holds one document at least; what lies
    beyond the budget is left for the next query. There is no cursor between batches, so nothing expires.
    `classify` tells a document's class from its bytes; after a read with a meter, `classes` has the documents and
    bytes of each class, and `kinds` each document's class. A document of more than `oversize` bytes begins a batch.
    """

    def __init__(
        self,
        collection: Any,
        partition: Partition,
        query: Mapping[str, Any] | None,
        projection: Mapping[str, Any] | None,
        classify: Callable[[bytes], ComplexityClass] | None = None,
        oversize: int | None = None,
    ) -> None:
        self._collection = collection
        self._partition = partition
        self._query = query
        self._projection = _to_the_end(projection)
        self._classify = classify or _unknown
        self._oversize = oversize
        self._bytes_per_document = 0.0
        self._known: tuple[DocumentId | None, list[int]] = None, []
        self._metered: int | None = None
        self.classes: Mapping[ComplexityClass, tuple[int, int]] = {}
        self.kinds: Sequence[ComplexityClass] = ()
        self.position = partition.after

    def read(
        self, budget: BatchBudget, session: ClientSession | None = None, meter: Meter | None = None
    ) -> list[bytes]:
        """The next documents; an empty list at the partition's end. Does not move `position`.

        `meter` is a fresh one: it may end the batch before the budget does.
        """
        batch = _Batch(budget, meter, self._classify, self._oversize)
        position, known = self.position, self._known[1] if self._known[0] == self.position else []
        # Where a meter ended the last batch, as much more would be read in vain; where it does not end this one there,
        # each query may ask for as many as all before it brought.
        at_once = budget.documents
        if meter is not None and self._metered is not None:
            at_once = int(self._metered * _AHEAD) + 1
        while room := batch.room:
            most = min(room, max(at_once, len(batch.documents)))
            before = batch.size
            wanted = self._likely(most, known, budget.bytes - before)
            these = within(position, self._partition.upto, self._query)
            found = one_reply(self._collection, these, self._projection, wanted, session)
            taken, left = batch.take_all(found)
            if not taken:
                break
            position = identity(batch.documents[-1])
            known = left + known[taken + len(left) :]
            self._bytes_per_document = (batch.size - before + sum(left)) / (taken + len(left))
            if left:
                break
        if batch.documents:
            self._known = position, known
            self._metered = len(batch.documents) if batch.metered else None
        self.classes, self.kinds = batch.classes, batch.kinds
        return batch.documents

    def _likely(self, most: int, known: Sequence[int], size: int) -> int:
        """So many documents as fit into a reply and what the budget leaves of bytes: of those whose sizes are `known`,
        since they came with others, exactly; of what comes behind, if it is like the reply before."""
        if not self._bytes_per_document:
            return min(most, _FIRST)
        size = min(_REPLY_BYTES, size)
        fit = sum(total <= size for total in accumulate(known))
        if fit < len(known):
            return min(most, max(1, fit))
        behind = max(0, size - sum(known)) / self._bytes_per_document * _AHEAD
        return min(most, fit + int(behind) + 1)

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
    if projection == {"_id": 1}:
        return projection  # which the index alone answers
    if projection and 0 not in projection.values():
        return {**projection, _NOWHERE: 1}
    return projection


def whole_documents(
    collection: Any, wanted: Sequence[DocumentId], session: ClientSession | None = None
) -> dict[DocumentId, bytes]:
    """These documents, whole, by `_id`; those that are gone are missing."""
    return _by_id(collection, wanted, None, session)


def documents_between(collection: Any, wanted: Sequence[DocumentId]) -> dict[DocumentId, bytes]:
    """The same of documents in `_id` order, few others between them: read as a range, which costs the server a third of
    what it takes to look each one up."""
    if not wanted:
        return {}
    asked = set(wanted)
    there: dict[DocumentId, bytes] = {}
    these = from_to(wanted[0], wanted[-1])
    while documents := one_reply(collection, these, None, len(wanted) + 1):
        for raw in documents:
            last = identity(raw)
            if last in asked:
                there[last] = raw
        if last == wanted[-1]:
            break
        these = within(last, wanted[-1])
    return there


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
