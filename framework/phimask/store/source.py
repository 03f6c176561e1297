"""What partitioners ask of a collection, answered from its `_id` index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import bson
from pymongo.errors import OperationFailure, PyMongoError

from phimask.config.model import Retry
from phimask.errors import StoreError
from phimask.plugins.values import DocumentId
from phimask.store.chunks import Chunks
from phimask.store.raw import by_id, by_ids, identity_of, within
from phimask.store.retry import retrying, terminal_error

_Answer = TypeVar("_Answer")

ID_ORDER = [("_id", 1)]

_SAMPLE: Final = 1000
"""How many documents tell what share of a collection lies beyond an `_id`."""
_SAMPLED_FROM: Final = 20 * _SAMPLE
"""Below this many, MongoDB's $sample would read the whole collection. Source: MongoDB manual, $sample, Behavior."""
_LITTLE: Final = _SAMPLE // 20

_LEAST: Final = DocumentId(0xFF, b"")  # MinKey
_POINTS: Final = 10
"""How many points splitVector looks for at once: few, since the first is waited for."""
_SPLITTING: Final = (1 << 20, 1 << 30)
"""The least and the most bytes that splitVector takes for a chunk."""
_EMPTY_RANGE: Final = 51175
"""MongoDB's answer where min() does not come before max()."""


class CollectionSource:
    """Implements phimask.Source over a raw collection (see connect.raw_collection), or over what lies beyond `after`.

    The greatest `_id` is asked for once: documents inserted behind it are not the run's. `retry`: what is asked is
    asked again while the error is one that passes.
    """

    def __init__(
        self, collection: Any, after: DocumentId | None = None, *, retry: Retry | None = None
    ) -> None:
        self.after = after
        self._retry = retry
        self._collection = collection
        self._chunks: dict[str, Chunks] = {}
        self._all, size = self._ask(self._statistics)
        self._last: DocumentId | None = None
        self._last = self._ask(lambda: self._end(-1))
        self.documents = self._all if after is None else self._ask(self._beyond)
        self.bytes = size if after is None else size * self.documents // max(self._all, 1)

    def _statistics(self) -> tuple[int, int]:
        reply = self._collection.aggregate([{"$collStats": {"storageStats": {}}}])
        stats = [bson.decode(one.raw)["storageStats"] for one in reply]
        return sum(int(one["count"]) for one in stats), sum(int(one["size"]) for one in stats)

    def _end(self, direction: int) -> DocumentId | None:
        found = self._collection.find_one(
            within(self.after, self._last), {"_id": 1}, sort=[("_id", direction)], hint=ID_ORDER
        )
        return None if found is None else identity_of(found)

    def _beyond(self) -> int:
        """The number of documents beyond `after`: estimated by a sample, or counted where they are few."""
        if self._last is None:
            return 0
        these = within(self.after, self._last)
        if self._all > _SAMPLED_FROM:
            pipeline: list[Mapping[str, Any]] = [
                {"$sample": {"size": _SAMPLE}},
                {"$match": these},
                {"$project": {"_id": 1}},
            ]
            try:
                found = sum(1 for _ in self._collection.aggregate(pipeline))
            except OperationFailure:
                found = 0
            if found > _LITTLE:
                return self._all * found // _SAMPLE
        return int(self._collection.count_documents(these, hint=ID_ORDER))

    def first_id(self) -> DocumentId | None:
        """The least `_id` now."""
        return None if self._last is None else self._ask(lambda: self._end(1))

    def last_id(self) -> DocumentId | None:
        """The greatest `_id` at the time this was made."""
        return self._last

    def end_at(self, last: DocumentId | None) -> None:
        """What is behind this `_id` is not the run's: a run that is taken up again ends where it was to end."""
        self._last = last

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        """Random `_id`s in BSON order, without repeats."""

        def ask() -> list[DocumentId]:
            pipeline: list[Mapping[str, Any]] = [
                # Of the whole collection, of which this may be a part.
                {"$sample": {"size": -(-size * self._all // self.documents) if self.documents else size}},
                # Behind $sample, not before: a $match in front would make it read the whole collection.
                {"$match": within(self.after, self._last)},
                {"$limit": size},
                {"$project": {"_id": 1}},
                {"$group": {"_id": "$_id"}},
                {"$sort": {"_id": 1}},
            ]
            return [identity_of(one) for one in self._collection.aggregate(pipeline, allowDiskUse=True)]

        return [] if self._last is None else self._ask(ask)

    def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
        """The `_id` that `skip` documents beyond `after` end with, short of the last."""
        start = self.after if after is None else after
        if self._last is None or start == self._last:
            return None
        last = self._last

        def ask() -> DocumentId | None:
            # min and max instead of a filter, for which the server would fetch every document that is skipped.
            command: dict[str, Any] = {
                "find": self._collection.name,
                "hint": {"_id": 1},
                "max": by_id(last),
                "projection": {"_id": 1},
                "skip": skip - 1,
                "limit": 1,
                "singleBatch": True,
                "readConcern": {"level": "majority"},
            }
            if start is not None:
                # min is inclusive, and the document may be gone.
                there = self._collection.find_one(by_ids([start]), {"_id": 1}) is not None
                command |= {"min": by_id(start), "skip": skip - 1 + there}
            try:
                reply = self._command(command)
            except OperationFailure as error:
                if error.code == _EMPTY_RANGE:
                    return None
                raise
            return next((identity_of(one) for one in reply["cursor"]["firstBatch"]), None)

        return self._ask(ask)

    def split_points(self, after: DocumentId | None, size: int) -> Sequence[DocumentId]:
        """Where splitVector cuts; mongod's limits for pieces of a chunk are kept."""
        start = self.after if after is None else after
        if self._last is None or start == self._last:
            return []
        least, most = _SPLITTING
        command = {
            "splitVector": self._collection.full_name,
            "keyPattern": {"_id": 1},
            "min": by_id(start or _LEAST),
            "max": by_id(self._last),
            # It splits at half of these bytes, and nothing where the collection has less than these.
            "maxChunkSizeBytes": min(max(min(2 * size, self.bytes), least), most),
            "maxChunkObjects": max(1, size * self.documents // max(self.bytes, 1)),
            "maxSplitPoints": _POINTS,
        }
        reply = self._ask(lambda: self._command(command), "splitVector")
        return [identity_of(one) for one in reply["splitKeys"]]

    def chunk_bound(self, database: str, after: DocumentId, upto: DocumentId) -> DocumentId | None:
        """The greatest bound between two chunks in (after, upto]."""

        def ask() -> DocumentId | None:
            if database not in self._chunks:
                self._chunks[database] = Chunks(self._collection, database)
            return self._chunks[database].bound(after, upto)

        return self._ask(ask, "reading where the collection's chunks begin")

    def count(self, query: Mapping[str, Any] | None) -> int:
        """How many documents up to the last `_id` match `query`: an exact count where there is a query."""
        if not query:
            return self.documents
        these = within(self.after, self._last, query)
        return self._ask(lambda: int(self._collection.count_documents(these)))

    def _command(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        reply: Mapping[str, Any] = self._collection.database.command(
            command, codec_options=self._collection.codec_options
        )
        return reply

    def _ask(
        self, question: Callable[[], _Answer], doing: str = "reading the collection's _id index"
    ) -> _Answer:
        try:
            if self._retry is None:
                return question()
            answer: _Answer = retrying(self._retry, lambda *_: None, lambda: False)(question)
            return answer
        except StoreError:
            raise
        except PyMongoError as error:
            raise terminal_error(error, doing) from None
