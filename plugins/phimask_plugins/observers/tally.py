"""Where a run stands: what a progress display shows, drawn from events and a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from phimask import events
from phimask_plugins.observers.at_work import AtWork, Workers

_WINDOW: Final = 30.0
"""Seconds that the rate looks back: long enough to be calm, short enough to show a server slowing down."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment of a collection's work. Never changed once made, so that a drawing thread may read it.

    `total` is an estimate, 0 where unknown; rates are those of the last half minute, None before they can be known;
    `batch` counts batches, `batch_documents` and `batch_seconds` are the last one's; `seconds_left` was right at
    `moment`, by the clock of the tally. `workers` are the processes at work, none where the run's own process works;
    memory is then theirs, added up. While all are to stand still, `holding` has the reasons, and `detail` has
    them with their numbers.
    """

    namespace: str
    target: str | None
    phase: str
    done: int
    total: int
    moment: float
    began: float
    documents_per_second: float | None = None
    mb_per_second: float | None = None
    seconds_left: float | None = None
    batch: int = 0
    batch_documents: int = 0
    batch_seconds: float = 0.0
    rss_bytes: int = 0
    ceiling_bytes: int | None = None
    workers: tuple[AtWork, ...] = ()
    holding: tuple[str, ...] = ()
    detail: str = ""

    @property
    def share(self) -> float | None:
        """What is done of all, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else None


class Tally:
    """Follows the events of one run, a collection at a time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._standing: Standing | None = None
        self._workers = Workers(clock)
        self._detail = ""
        self._holding: tuple[str, ...] = ()
        self._bytes = 0
        self._documents = 0
        self._before = 0
        self._began = 0.0
        self._last: float | None = None
        self._points: deque[tuple[float, int, int]] = deque()

    @property
    def standing(self) -> Standing | None:
        """The present one; None before the first collection."""
        return self._standing

    @property
    def masked(self) -> tuple[int, int, float]:
        """Documents and bytes of the collection's batches, and seconds from its beginning to the last of them."""
        return self._documents, self._bytes, 0.0 if self._last is None else self._last - self._began

    def notify(self, event: events.Event) -> None:
        """Take in an event; those that move nothing pass by."""
        changed = self._workers.notify(event)
        if isinstance(event, events.Holding):
            self._holding, self._detail, changed = event.reasons, event.detail, True
        self._count(event)
        before = self._standing
        if not changed or before is None:
            return
        now = replace(before, workers=self._workers.now, holding=self._holding, detail=self._detail)
        if now.workers:
            now = replace(now, rss_bytes=sum(one.rss_bytes for one in now.workers), ceiling_bytes=None)
        self._standing = now

    def _count(self, event: events.Event) -> None:
        if isinstance(event, events.CollectionStarted):
            now = self._clock()
            self._documents = self._bytes = 0
            self._began, self._last = now, None
            self._before = event.done
            self._standing = Standing(
                event.namespace, event.target, "masking", event.done, event.documents, now, now
            )
            self._points = deque([(now, event.done, 0)])
        elif isinstance(event, events.BatchFinished):
            self._batch(event)
        elif isinstance(event, events.VerificationProgress):
            self._verified(event)

    def _batch(self, event: events.BatchFinished) -> None:
        before = self._standing
        if before is None or before.namespace != event.namespace:
            return
        self._last = self._clock()
        self._documents += event.documents
        self._bytes += event.bytes
        self._advance(
            replace(
                before,
                done=self._before + self._documents,
                batch=before.batch + 1,
                batch_documents=event.documents,
                batch_seconds=event.seconds,
                rss_bytes=event.rss_bytes,
                ceiling_bytes=event.ceiling_bytes,
            ),
            self._bytes,
        )

    def _verified(self, event: events.VerificationProgress) -> None:
        before = self._standing
        if before is None or before.namespace != event.namespace:
            return
        if before.phase != "verifying":
            now = self._clock()
            self._points = deque([(now, event.checked, 0)])
            before = replace(
                before, phase="verifying", began=now, documents_per_second=None, seconds_left=None
            )
        self._advance(replace(before, done=event.checked, total=event.documents, mb_per_second=None), 0)

    def _advance(self, standing: Standing, size: int) -> None:
        now = self._clock()
        self._points.append((now, standing.done, size))
        while len(self._points) > 2 and self._points[0][0] < now - _WINDOW:
            self._points.popleft()
        then, done, size_then = self._points[0]
        if now <= then or standing.done <= done:
            self._standing = replace(standing, moment=now)
            return
        rate = (standing.done - done) / (now - then)
        left = max(0, standing.total - standing.done) / rate if standing.total > 0 else None
        speed = (size - size_then) / (now - then) / 1e6
        self._standing = replace(
            standing,
            moment=now,
            documents_per_second=rate,
            mb_per_second=speed if size else None,
            seconds_left=left,
        )
