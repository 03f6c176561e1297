"""What is remembered of a run between two looks: its series, read on from where the last look ended."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import RunRecord
from phimask.ledger.series import RunSeries, Timed
from phimask.monitor.curve import Curve
from phimask.monitor.forecast import RecentRate
from phimask.monitor.partitions import RunPartitions
from phimask.observing.series import Note

_RECENT_SECONDS: Final = 1800
"""What the plots show of the last time, beside the whole."""
_MOST_NOTES: Final = 200
_OVERLAP: Final = timedelta(seconds=2)
"""So much is read again: of two entries of the same moment one may not have been there at the look before."""


class Followed:
    """One run's series: curves, rate, totals and notes. `settled`: how a run that is not live was last shown."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        self.partitions = RunPartitions(ledger, run)
        self._series = RunSeries(ledger, run)
        self._whole = Curve()
        self._recent = Curve(_RECENT_SECONDS)
        self._rate = RecentRate()
        self._totals: dict[str, int] = {}
        self._verifying: dict[str, tuple[int, int]] = {}
        self._notes: deque[Timed] = deque(maxlen=_MOST_NOTES)
        self._upto: dict[str, datetime] = {}
        self._overlapping: dict[str, set[Timed]] = {"points": set(), "notes": set()}
        self._epoch = 0
        self.settled: tuple[RunRecord, dict[str, Any]] | None = None

    def catch_up(self) -> None:
        """Read what was entered since. Raises PyMongo's errors; the next call goes on where this one came to, so that a
        record of days is read even where a look has no time for all of it."""
        for name, read in (("points", self._series.points), ("notes", self._series.notes)):
            upto, known = self._upto.get(name), self._overlapping[name]
            try:
                for one in read(None if upto is None else upto - _OVERLAP):
                    if one not in known:
                        known.add(one)
                        self._take(one)
                        self._upto[name] = one.at if upto is None else max(one.at, upto)
            finally:
                if name in self._upto:
                    oldest = self._upto[name] - _OVERLAP
                    self._overlapping[name] = {one for one in known if one.at > oldest}

    def _take(self, one: Timed) -> None:
        self.settled = None
        if isinstance(one.kept, Note):
            self._notes.append(one)
            return
        point = one.kept
        if one.epoch > self._epoch:
            self._epoch, self._rate = one.epoch, RecentRate()
        at = one.at.replace(tzinfo=timezone.utc).timestamp()
        self._whole.add(at, point)
        self._recent.add(at, point)
        self._rate.add(point)
        if point.phase == "verifying":
            self._verifying[point.namespace] = (point.done, point.total)
        else:
            self._totals[point.namespace] = point.total

    def total(self, namespace: str) -> int | None:
        """How many documents the collection was reckoned to have to mask when it was begun; None before that."""
        return self._totals.get(namespace)

    def verifying(self, namespace: str) -> dict[str, int] | None:
        """How far the check of the whole collection is; None where it has not begun."""
        found = self._verifying.get(namespace)
        return None if found is None else {"checked": found[0], "documents": found[1]}

    def speed(self) -> dict[str, float] | None:
        """Documents and bytes a second of late."""
        rate = self._rate.per_second
        return None if rate is None else {"documents": round(rate[0], 1), "bytes": round(rate[1])}

    def forecast(self, documents: int) -> dict[str, float | None] | None:
        """Seconds for so many more documents."""
        made = self._rate.forecast(documents)
        if made is None:
            return None
        return {name: None if value is None else round(value) for name, value in asdict(made).items()}

    def curves(self) -> dict[str, Any]:
        """The run as a whole, and its last half hour."""
        return {"whole": self._whole.rows(), "recent": self._recent.rows()}

    def notes(self) -> list[dict[str, Any]]:
        """The newest first."""
        return [
            {"at": int(one.at.replace(tzinfo=timezone.utc).timestamp() * 1000), **asdict(one.kept)}
            for one in reversed(self._notes)
        ]
