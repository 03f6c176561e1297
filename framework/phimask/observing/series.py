"""A run over time: what happened between one look and the next, as points, and what a person should know, as notes.

Points hold counts, sizes and seconds; notes are sentences that observers were told. Neither holds a value.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from phimask.observing.spread import spread
from phimask.plugins.events import (
    AlertRaised,
    BatchFinished,
    BreakerTripped,
    CollectionFinished,
    CollectionStarted,
    Event,
    FindingMade,
    Holding,
    Scaled,
    VerificationProgress,
    Warned,
    WorkerEnded,
    WorkerStarted,
)

Level = Literal["information", "warning", "alert"]
Phase = Literal["masking", "verifying", "done"]

SHORTEST: Final = 0.5
"""Seconds between two points of a run that has just begun."""
LONGEST: Final = 5.0
"""The same once it has gone on for long: what watches it is never further behind."""
_SHARE: Final = 600
"""Between those, a run so many times as long as the time between two points: hours make no more points than a plot
can show."""
_MOST_NOTES: Final = 200
"""Kept between two looks."""


@dataclass(frozen=True, slots=True)
class Point:
    """One collection between two looks.

    `seconds` is how long that was. `done` of `total` documents (an estimate) are masked, or checked while `verifying`;
    `documents`, `bytes` (BSON bytes as read) and `batches` are of this time alone. `batch_p50`, `batch_max`: seconds
    of these batches, None without any; `expected_p50`: what the batch sizer expected of those that it predicted.
    `rss_max` and `rss_total`: resident bytes of the largest worker and of all. `ceiling`: what one may reach.
    `simple`, `medium`, `complex`: documents by class. `holding`: why work stands still.
    """

    namespace: str
    phase: Phase
    seconds: float
    done: int
    total: int
    documents: int = 0
    bytes: int = 0
    batches: int = 0
    batch_p50: float | None = None
    batch_max: float | None = None
    expected_p50: float | None = None
    rss_max: int = 0
    rss_total: int = 0
    ceiling: int | None = None
    workers: int = 1
    simple: int = 0
    medium: int = 0
    complex: int = 0
    holding: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """As a mapping."""
        return {**asdict(self), "holding": list(self.holding)}

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Point:
        """What `entry` made; what else is there is left out."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in entry.items() if name in known}
        return cls(**{**values, "holding": tuple(values["holding"])})


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know. `what` is the kind of event that told it."""

    level: Level
    what: str
    text: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run over time: points, each with the number of the resume that it comes from, and notes, each with its time of
    day (ISO 8601, UTC)."""

    points: Sequence[tuple[int, Point]] = ()
    notes: Sequence[tuple[str, Note]] = ()

    def of(self, namespace: str) -> list[tuple[int, Point]]:
        """One collection's points."""
        return [(epoch, point) for epoch, point in self.points if point.namespace == namespace]


def interval(elapsed: float) -> float:
    """Seconds until the next point of a run that began `elapsed` seconds ago."""
    return min(LONGEST, max(SHORTEST, elapsed / _SHARE))


class Series:
    """Follows the events of a run. Events come from one thread, `take` may be called from another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._namespace: str | None = None
        self._phase: Phase = "masking"
        self._done = 0
        self._total = 0
        self._looked = clock()
        self._documents = 0
        self._bytes = 0
        self._seconds: list[float] = []
        self._expected: list[float] = []
        self._classes: dict[str, int] = {}
        self._rss: dict[str, int] = {}
        self._ceiling: int | None = None
        self._workers: set[str] = set()
        self._holding: tuple[str, ...] = ()
        self._notes: deque[Note] = deque(maxlen=_MOST_NOTES)

    def notify(self, event: Event) -> None:
        """Take in an event; the kinds that move nothing pass by."""
        with self._lock:
            self._count(event)
            note = _note(event)
            if note is not None:
                self._notes.append(note)

    def take(self) -> tuple[Point | None, list[Note]]:
        """The time since the last call as a point, None where no collection is at work, and the notes of that time."""
        with self._lock:
            notes = list(self._notes)
            self._notes.clear()
            now = self._clock()
            point = self._point(now - self._looked)
            self._looked = now
            self._documents = self._bytes = 0
            self._seconds, self._expected, self._classes = [], [], {}
            return point, notes

    def _point(self, seconds: float) -> Point | None:
        if self._namespace is None or (self._phase == "done" and not self._documents):
            return None
        return Point(
            namespace=self._namespace,
            phase=self._phase,
            seconds=round(seconds, 3),
            done=self._done,
            total=self._total,
            documents=self._documents,
            bytes=self._bytes,
            batches=len(self._seconds),
            batch_p50=spread(self._seconds)["p50"],
            batch_max=spread(self._seconds)["max"],
            expected_p50=spread(self._expected)["p50"],
            rss_max=max(self._rss.values(), default=0),
            rss_total=sum(self._rss.values()),
            ceiling=self._ceiling,
            workers=len(self._workers) or 1,
            simple=self._classes.get("simple", 0),
            medium=self._classes.get("medium", 0),
            complex=self._classes.get("complex", 0),
            holding=self._holding,
        )

    def _count(self, event: Event) -> None:
        if isinstance(event, BatchFinished):
            self._batch(event)
        elif isinstance(event, CollectionStarted):
            self._namespace, self._phase = event.namespace, "masking"
            self._done, self._total = event.done, event.documents
        elif isinstance(event, VerificationProgress):
            self._phase, self._done, self._total = "verifying", event.checked, event.documents
        elif isinstance(event, CollectionFinished):
            self._phase = "done"
        elif isinstance(event, Holding):
            self._holding = event.reasons
        elif isinstance(event, WorkerStarted):
            self._workers.add(event.worker)
        elif isinstance(event, WorkerEnded):
            self._workers.discard(event.worker)
            self._rss.pop(event.worker, None)

    def _batch(self, event: BatchFinished) -> None:
        self._done += event.documents
        self._documents += event.documents
        self._bytes += event.bytes
        self._seconds.append(event.seconds)
        if event.expected is not None:
            self._expected.append(event.expected.seconds)
        for name, count in event.classes.items():
            self._classes[name] = self._classes.get(name, 0) + count
        self._rss[event.worker] = event.rss_bytes
        self._ceiling = event.ceiling_bytes


def _note(event: Event) -> Note | None:
    what = type(event).__name__
    if isinstance(event, AlertRaised):
        over = " is over" if event.cleared else ""
        level: Level = "information" if event.cleared else "alert"
        return Note(level, what, f"{event.rule}{over}: {event.message}", event.namespace)
    if isinstance(event, Warned):
        return Note("warning", what, event.message)
    if isinstance(event, FindingMade):
        place = f" at {event.path}" if event.path else ""
        return Note(
            "warning", what, f"{event.validator}: {event.count:,} x {event.what}{place}", event.namespace
        )
    if isinstance(event, BreakerTripped):
        return Note("warning", what, f"the circuit breaker opened ({event.reason}): {event.detail}")
    if isinstance(event, WorkerEnded) and event.reason in ("died", "hung", "failed"):
        again = ", and is replaced" if event.replaced else ""
        return Note("warning", what, f"worker {event.worker} {event.reason}{again}")
    if isinstance(event, Scaled) and event.before:
        return Note("information", what, f"{event.workers} workers, were {event.before}: {event.because}")
    return None
