"""Rollbacks in the ledger: how far each partition is, and which documents were not what masking had left."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
from pymongo import UpdateOne

from phimask.errors import UsageError
from phimask.ledger.identities import packed, unpacked
from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import SILENCE_SECONDS, process_lives
from phimask.plugins.values import DocumentId

Place = tuple[str, int]
"""A partition: its collection's namespace and its number."""


@dataclass(slots=True)
class Progress:
    """One partition's: copies of batches that are done with, documents put back and found to be as they were."""

    copies: int = 0
    restored: int = 0
    unmasked: int = 0
    complete: bool = False


class Rollbacks:
    """One run's rollback, in the collections `rollbacks` (a document a partition, and one for all) and `conflicts`."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._kept = ledger.named("rollbacks")
        self._conflicts = ledger.named("conflicts")
        self._run = run
        self._partitions = {"_id.run": run, "_id.namespace": {"$exists": True}}

    def at_work(self) -> bool:
        """Whether another process is at it."""
        return any(map(_lives, self._found()))

    def begin(self) -> bool:
        """Go on with what was cut off, or begin anew; true where it goes on. Raises UsageError where one is at work."""
        for found in self._found():
            if _lives(found):
                raise UsageError(
                    f"run {self._run} is being rolled back already, on {found['host']} (process {found['pid']})"
                )
            if found["state"] == "running":
                self._take()
                return True
        self._conflicts.delete_many({"_id.run": self._run})
        self._kept.delete_many(self._partitions)
        self._take()
        return False

    def _found(self) -> list[dict[str, Any]]:
        """The document for all, if there is one, with the seconds since it was heard of."""
        silence = {"$divide": [{"$subtract": ["$$NOW", "$seen"]}, 1000]}
        return list(
            self._kept.aggregate([{"$match": {"_id": {"run": self._run}}}, {"$set": {"silence": silence}}])
        )

    def _take(self) -> None:
        process = psutil.Process()
        fields = {
            "state": "running",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": process.create_time(),
        }
        self._kept.update_one(
            {"_id": {"run": self._run}}, {"$set": fields, "$currentDate": {"seen": True}}, upsert=True
        )

    def beat(self) -> None:
        """It is still at work."""
        self._kept.update_one({"_id": {"run": self._run}}, {"$currentDate": {"seen": True}})

    def leave(self) -> None:
        """It stops here, for another to go on."""
        self._kept.update_one({"_id": {"run": self._run}}, {"$unset": {"seen": True}})

    def end(self, report: Mapping[str, Any]) -> None:
        """It is done, and this is its report."""
        self._kept.update_one(
            {"_id": {"run": self._run}},
            {"$set": {"state": "done", "report": dict(report)}, "$unset": {"seen": True}},
        )

    def of(self, place: Place) -> Progress:
        """How far a partition is."""
        found = self._kept.find_one({"_id": self._id(place)})
        if found is None:
            return Progress()
        return Progress(found["copies"], found["restored"], found["unmasked"], found["complete"])

    def save(self, place: Place, progress: Progress) -> None:
        """A partition is so far."""
        fields = {
            "copies": progress.copies,
            "restored": progress.restored,
            "unmasked": progress.unmasked,
            "complete": progress.complete,
        }
        self._kept.update_one({"_id": self._id(place)}, {"$set": fields}, upsert=True)
        self.beat()

    def list(self, place: Place, conflicts: Mapping[DocumentId, str]) -> None:
        """These documents were left as they are, for these reasons."""
        if conflicts:
            self._conflicts.bulk_write(
                [
                    UpdateOne(
                        {"_id": self._conflict_id(place, found)},
                        {"$set": {"partition": place[1], "reason": reason}},
                        upsert=True,
                    )
                    for found, reason in conflicts.items()
                ],
                ordered=False,
            )

    def settle(self, place: Place, found: Iterable[DocumentId]) -> None:
        """These are no conflicts any more."""
        ids = [self._conflict_id(place, one) for one in found]
        self._conflicts.delete_many({"_id": {"$in": ids}})

    def conflicts(self, namespace: str, reason: str | None = None) -> Iterator[tuple[Place, DocumentId, str]]:
        """A collection's conflicts: those for one reason, or all."""
        wanted: dict[str, Any] = {"_id.run": self._run, "_id.namespace": namespace}
        if reason is not None:
            wanted["reason"] = reason
        for one in self._conflicts.find(wanted, sort=[("_id", 1)]):
            found = unpacked(one["_id"]["document"])
            if found is not None:
                yield (namespace, one["partition"]), found, one["reason"]

    def totals(self, namespace: str) -> tuple[int, int, int]:
        """Documents of a collection put back, found to be as they were, and in conflict."""
        restored = unmasked = 0
        for one in self._kept.find({"_id.run": self._run, "_id.namespace": namespace}):
            restored += one["restored"]
            unmasked += one["unmasked"]
        conflicts = {"_id.run": self._run, "_id.namespace": namespace}
        return restored, unmasked, self._conflicts.count_documents(conflicts)

    def forget(self) -> None:
        """The run is given up: nothing of it is kept but that."""
        self._conflicts.delete_many({"_id.run": self._run})
        self._kept.delete_many({"_id.run": self._run})

    def _id(self, place: Place) -> dict[str, Any]:
        return {"run": self._run, "namespace": place[0], "number": place[1]}

    def _conflict_id(self, place: Place, found: DocumentId) -> dict[str, Any]:
        return {"run": self._run, "namespace": place[0], "document": packed(found)}


def _lives(found: Mapping[str, Any]) -> bool:
    silence = found.get("silence")
    if found["state"] != "running" or silence is None or silence > SILENCE_SECONDS:
        return False
    if found["host"] != socket.gethostname():
        return True
    return process_lives(found["pid"], found["started"]) and found["pid"] != os.getpid()
