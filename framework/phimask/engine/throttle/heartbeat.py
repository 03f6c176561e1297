"""The heartbeat document: a number that grows on the primary, and what a secondary that shows less is behind by.

Nobody waits for a majority when it is written: a late majority is what it is there to show. `at` is the server's time
($$NOW); it tells people, and later runs, when the document was last alive. The lag is not reckoned from it, since a
new primary's clock may be another.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

import pymongo
from pymongo import ReadPreference
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from phimask.engine.throttle.source import ANSWER_SECONDS, Ticker, Troubles
from phimask.engine.throttle.trail import Trail
from phimask.store.connect import Client

_EVERY_SECONDS: Final = 0.25
_UNAUTHORIZED: Final = 13
_LEFT_BEHIND_MS: Final = 24 * 3600 * 1000
"""The age at which another run's document is taken for one whose run was killed."""


class Heartbeat:
    """Beats in a thread from the beginning until closed. `collection` is where; each run has a document of its own."""

    def __init__(self, collection: Any, clock: Callable[[], float], troubles: Troubles) -> None:
        self._collection = collection.with_options(write_concern=WriteConcern(1))
        self._clock = clock
        self._troubles = troubles
        self._id = uuid.uuid4().hex
        self._beat = 0
        self._trail = Trail()
        self._ticker = Ticker(_EVERY_SECONDS, self._write, troubles)

    def _write(self) -> bool:
        # A number whose writing failed is not used again: it may have been written all the same.
        self._beat += 1
        change = [{"$set": {"beat": {"$literal": self._beat}, "at": "$$NOW"}}]
        try:
            with pymongo.timeout(ANSWER_SECONDS):
                self._collection.update_one({"_id": self._id}, change, upsert=True)
                self._trail.made(self._beat, self._clock())
                if self._beat == 1:
                    self._remove_old()
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            self._troubles.warn(f"is not watched: the user may not write to {self._collection.full_name}")
            return False
        return True

    def _remove_old(self) -> None:
        old = {"$lt": ["$at", {"$subtract": ["$$NOW", _LEFT_BEHIND_MS]}]}
        self._collection.delete_many({"beat": {"$type": "number"}, "at": {"$type": "date"}, "$expr": old})

    def read(self, member: Client) -> float:
        """How many seconds this member is behind."""
        # The time from before the question: what is missing in the answer was written by then.
        at = self._clock()
        found = (
            member[self._collection.database.name]
            .get_collection(
                self._collection.name,
                read_concern=ReadConcern("local"),
                read_preference=ReadPreference.NEAREST,
            )
            .find_one({"_id": self._id}, {"beat": 1})
        )
        return self._trail.behind(found["beat"] if found else 0, at)

    def close(self) -> None:
        """Beat no more, and remove the document."""
        self._ticker.close()
        try:
            with pymongo.timeout(ANSWER_SECONDS):
                self._collection.delete_one({"_id": self._id})
        except Exception as error:  # noqa: BLE001  (a later run removes it once it is old)
            self._troubles.tell(error)
