"""A run's partitions as the page shows them: read once, and from then on only those in which something happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import RunRecord
from phimask.monitor.strip import mark

COUNTS: Final = ("read", "masked", "unchanged", "missing", "quarantined", "bytes")
_ALL_AGAIN: Final = 15
"""After so many looks all are read again: those that were split off or withdrawn do not tell by themselves."""
_OVERLAP: Final = timedelta(seconds=2)
"""So much is read again: what was written at the moment of the look before may not have been seen by it."""

_SHAPE: Final[Mapping[str, Any]] = {
    "_id": 0,
    "namespace": "$_id.namespace",
    "number": "$_id.number",
    **dict.fromkeys(("state", "worker", "documents", "crashes", "renewed"), 1),
    **{name: f"$tally.{name}" for name in COUNTS},
    "checked": "$tally.checked",
    "findings": "$tally.findings",
}

Row = Mapping[str, Any]


class CollectionPartitions:
    """One collection's, with their sums: each row that comes takes the place of the one before it."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._places: dict[int, int] = {}
        self._marks: list[str] = []
        self.counts: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        self.findings: Counter[tuple[str, str, str | None]] = Counter()
        self.documents = 0
        self.uncounted = 0
        self.leased: dict[int, str] = {}

    def take(self, row: Row) -> None:
        """A partition as it is now."""
        number = row["number"]
        before = self._rows.get(number)
        if before is not None:
            self._add(before, -1)
        self._rows[number] = row
        self._add(row, 1)
        self.leased.pop(number, None)
        if row["state"] == "leased":
            self.leased[number] = row["worker"]
        if before is None:
            self._places.clear()
        elif self._places:
            self._marks[self._places[number]] = mark(row)

    def strip(self) -> str:
        """A character each, by number."""
        if not self._places:
            self._places = {number: place for place, number in enumerate(sorted(self._rows))}
            self._marks = [mark(self._rows[number]) for number in self._places]
        return "".join(self._marks)

    def _add(self, row: Row, sign: int) -> None:
        for name in COUNTS:
            self.counts[name] += sign * (row.get(name) or 0)
        self.states[row["state"]] += sign
        self.documents += sign * (row["documents"] or 0)
        self.uncounted += sign * (row["documents"] is None)
        for name, count in row.get("checked") or ():
            self.checked[name] += sign * count
        for name, what, path, count in row.get("findings") or ():
            self.findings[name, what, path] += sign * count


class RunPartitions:
    """All of a run's, by namespace."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._kept = ledger.partitions
        self._run = run
        self._by_namespace: defaultdict[str, CollectionPartitions] = defaultdict(CollectionPartitions)
        self._upto: datetime | None = None
        self._looks = 0
        self._since: tuple[frozenset[str], str] = frozenset(), ""

    def read(self, record: RunRecord) -> None:
        """Read what is new, or all that there is. Raises PyMongo's errors."""
        cut = len(record.cut) == len(record.pins)
        since = record.cut, record.standing
        again = not cut or since != self._since or self._looks % _ALL_AGAIN == 0
        asked: dict[str, Any] = {"_id.run": self._run}
        if not again and self._upto is not None:
            asked["$or"] = [{"state": "leased"}, {"renewed": {"$gt": self._upto - _OVERLAP}}]
        for row in list(self._kept.aggregate([{"$match": asked}, {"$project": _SHAPE}])):
            self[row["namespace"]].take(row)
            self._upto = row["renewed"] if self._upto is None else max(self._upto, row["renewed"])
        self._since = since
        self._looks += 1

    def __getitem__(self, namespace: str) -> CollectionPartitions:
        return self._by_namespace[namespace]
