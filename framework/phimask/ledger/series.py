"""A run over time in the ledger: a document for each point and each note, by the time of the ledger's server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne, WriteConcern
from pymongo.read_concern import ReadConcern

from phimask.ledger.opening import Ledger
from phimask.observing.series import Note, Point


@dataclass(frozen=True, slots=True)
class Timed:
    """A point or a note, and when it was entered (UTC). `epoch` grows with each resume."""

    at: datetime
    epoch: int
    kept: Point | Note


class RunSeries:
    """One run's, in the ledger's collection `series`."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        # Nothing hangs on it but what people look at, so nobody waits for a majority, neither to write nor to read.
        self._kept = ledger.named("series").with_options(
            write_concern=WriteConcern(1), read_concern=ReadConcern("local")
        )
        self._run = run

    def add(self, epoch: int, point: Point | None, notes: list[Note]) -> None:
        """Enter what a look brought. Raises PyMongo's errors."""
        entries = [{"kind": "note", **asdict(note)} for note in notes]
        if point is not None:
            entries.append({"kind": "point", **point.entry()})
        if entries:
            self._kept.bulk_write([self._entered(epoch, entry) for entry in entries])

    def points(self, since: datetime | None = None) -> Iterator[Timed]:
        """In the order of time, those after `since`."""
        return (Timed(one["at"], one["epoch"], Point.of(one)) for one in self._found("point", since))

    def notes(self, since: datetime | None = None) -> Iterator[Timed]:
        """As `points`."""
        for one in self._found("note", since):
            note = Note(one["level"], one["what"], one["text"], one["namespace"])
            yield Timed(one["at"], one["epoch"], note)

    def _entered(self, epoch: int, entry: dict[str, Any]) -> UpdateOne:
        # An upsert, since only an update lets the server say what time it is.
        fields = {"run": self._run, "epoch": epoch, **entry}
        return UpdateOne({"_id": ObjectId()}, {"$set": fields, "$currentDate": {"at": True}}, upsert=True)

    def _found(self, kind: str, since: datetime | None) -> Iterator[dict[str, Any]]:
        asked: dict[str, Any] = {"run": self._run, "kind": kind}
        if since is not None:
            asked["at"] = {"$gt": since}
        yield from self._kept.find(asked, sort=[("at", 1), ("_id", 1)])
