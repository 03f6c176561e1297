"""What partitioners ask of a collection, answered from its `_id` index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import bson
from pymongo.errors import PyMongoError

from phimask.errors import StoreError
from phimask.plugins.values import DocumentId
from phimask.store.raw import identity, within
from phimask.store.retry import terminal_error

_Answer = TypeVar("_Answer")

ID_ORDER = [("_id", 1)]


class CollectionSource:
    """Implements phimask.Source over a raw collection (see connect.raw_collection).

    The greatest `_id` is asked for once: documents inserted behind it are not the run's.
    """

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self.documents, self.bytes = self._ask(self._statistics)
        self._last = self._ask(self._greatest)

    def _statistics(self) -> tuple[int, int]:
        reply = self._collection.aggregate([{"$collStats": {"storageStats": {}}}])
        stats = [bson.decode(one.raw)["storageStats"] for one in reply]
        return sum(int(one["count"]) for one in stats), sum(int(one["size"]) for one in stats)

    def _greatest(self) -> DocumentId | None:
        found = self._collection.find_one({}, {"_id": 1}, sort=[("_id", -1)], hint=ID_ORDER)
        return None if found is None else identity(found.raw)

    def last_id(self) -> DocumentId | None:
        """The greatest `_id` at the time this was made."""
        return self._last

    def sample_ids(self, size: int) -> Sequence[DocumentId]:
        """Random `_id`s in BSON order, without repeats."""

        def ask() -> list[DocumentId]:
            pipeline: list[Mapping[str, Any]] = [
                {"$sample": {"size": size}},
                # Behind $sample, not before: a $match in front would make it read the whole collection.
                {"$match": within(None, self._last)},
                {"$project": {"_id": 1}},
                {"$group": {"_id": "$_id"}},
                {"$sort": {"_id": 1}},
            ]
            return [identity(one.raw) for one in self._collection.aggregate(pipeline, allowDiskUse=True)]

        return self._ask(ask)

    def id_after(self, after: DocumentId | None, skip: int) -> DocumentId | None:
        """The `_id` that `skip` documents beyond `after` end with."""

        def ask() -> DocumentId | None:
            found = self._collection.find_one(
                within(after, self._last), {"_id": 1}, sort=ID_ORDER, hint=ID_ORDER, skip=skip - 1
            )
            return None if found is None else identity(found.raw)

        return self._ask(ask)

    def count(self, query: Mapping[str, Any] | None) -> int:
        """How many documents up to the last `_id` match `query`: an exact count where there is a query."""
        if not query:
            return self.documents
        return self._ask(lambda: int(self._collection.count_documents(within(None, self._last, query))))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except StoreError:
            raise
        except PyMongoError as error:
            raise terminal_error(error, "reading the collection's _id index") from None
