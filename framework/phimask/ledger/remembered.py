"""What validators remember of originals, in the ledger: keyed fingerprints, written before the batch that masks these.

They are pseudonyms: whoever has the masking key, and the ledger, can find out whether a value was among the originals.
`finalize` deletes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bson import ObjectId
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from phimask.ledger.opening import Ledger

_REMEMBERED: Final = "remembered"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is remembered of one collection's originals.

    `bytes` are kept; `beyond` documents were masked when there was room for no more; `partly`: some were masked while
    nothing was to be remembered.
    """

    bytes: int
    beyond: int
    partly: bool


class Remembered:
    """Of one collection's originals in one run."""

    def __init__(self, ledger: Ledger, run: str, namespace: str) -> None:
        self._kept = ledger.named(_REMEMBERED)
        self._of = {"run": run, "namespace": namespace}
        self._head = {"_id": self._of}

    def begin(self, *, wanted: bool, begun: bool) -> None:
        """Before workers begin, each time. `wanted`: they are to remember; `begun`: some documents are masked."""
        if not wanted:
            self._kept.update_one(self._head, {"$set": {"partly": True}})
            return
        self._kept.create_index([("run", 1), ("validator", 1)])
        head = {"bytes": 0, "beyond": 0, "partly": begun}
        self._kept.update_one(self._head, {"$setOnInsert": head}, upsert=True)

    def add(self, part: ObjectId, validator: str, learnt: bytes) -> None:
        """Keep this part; again after an error that passes, it is the same one."""
        try:
            self._kept.insert_one({"_id": part, **self._of, "validator": validator, "learnt": learnt})
        except DuplicateKeyError:
            return

    def grow(self, size: int) -> int:
        """So many bytes came; how many there are now."""
        head = self._kept.find_one_and_update(
            self._head, {"$inc": {"bytes": size}}, return_document=ReturnDocument.AFTER
        )
        return 0 if head is None else int(head["bytes"])

    def count_beyond(self, documents: int) -> None:
        """So many documents are about to be masked, and there is no room for more."""
        self._kept.update_one(self._head, {"$inc": {"beyond": documents}})

    def extent(self) -> Extent | None:
        """None where nothing was to be remembered, or it is deleted."""
        head = self._kept.find_one(self._head)
        return None if head is None else Extent(head["bytes"], head["beyond"], head["partly"])

    def parts(self, validator: str) -> Iterator[bytes]:
        """All that this validator learnt in the run by now, of this collection and of others: an original of one may
        be in another. Raises PyMongo's errors."""
        for one in self._kept.find({"run": self._of["run"], "validator": validator}, {"learnt": 1}):
            yield one["learnt"]


def forget(ledger: Ledger, run: str) -> int:
    """Delete all that the run remembers; how many parts of it there were."""
    kept = ledger.named(_REMEMBERED)
    parts = kept.delete_many({"run": run}).deleted_count
    kept.delete_many({"_id.run": run})
    return int(parts)
