"""The workers of a run, one by one: what each is doing, and a line of the live display for each."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from phimask import events

_WINDOW: Final = 30.0
"""Seconds that a worker's rate looks back, and after which one that tells nothing is called quiet."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """One moment of one worker. Never changed once made, so that a drawing thread may read it.

    `why`: the reason of its last pause, while no batch was finished since, or why it is being replaced.
    """

    name: str
    heard: float
    state: Literal["starting", "working", "restarting"] = "starting"
    why: str = ""
    partition: int | None = None
    documents: int = 0
    documents_per_second: float | None = None
    rss_bytes: int = 0


class Workers:
    """Follows the events of worker processes; work in the run's own process has no line."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._workers: dict[str, AtWork] = {}
        self._points: dict[str, deque[tuple[float, int]]] = {}

    @property
    def now(self) -> tuple[AtWork, ...]:
        """The present ones, in the order of their first start."""
        return tuple(self._workers.values())

    def notify(self, event: events.Event) -> bool:
        """Take in an event; whether it changed anything."""
        match event:
            case events.CollectionStarted():
                self._workers.clear()
                self._points.clear()
            case events.WorkerStarted():
                before = self._workers.get(event.worker)
                documents = before.documents if before is not None else 0
                self._workers[event.worker] = AtWork(event.worker, self._clock(), documents=documents)
                self._points[event.worker] = deque([(self._clock(), documents)])
            case events.WorkerEnded(replaced=True):
                self._change(event.worker, state="restarting", why=event.reason, rss_bytes=0)
            case events.WorkerEnded():
                return self._workers.pop(event.worker, None) is not None
            case events.PartitionStarted():
                self._change(event.worker, state="working", why="", partition=event.partition)
            case events.BatchFinished():
                self._batch(event)
            case events.Paused():
                self._change(event.worker, state="working", why=event.reason)
            case _:
                return False
        return True

    def _batch(self, event: events.BatchFinished) -> None:
        before = self._workers.get(event.worker)
        if before is None:
            return
        now, documents = self._clock(), before.documents + event.documents
        points = self._points[event.worker]
        points.append((now, documents))
        while len(points) > 2 and points[0][0] < now - _WINDOW:
            points.popleft()
        then, done = points[0]
        self._change(
            event.worker,
            state="working",
            why="",
            documents=documents,
            documents_per_second=(documents - done) / (now - then) if now > then else None,
            rss_bytes=event.rss_bytes,
        )

    def _change(self, name: str, **changed: object) -> None:
        before = self._workers.get(name)
        if before is not None:
            self._workers[name] = replace(before, heard=self._clock(), **changed)  # type: ignore[arg-type]


def states(workers: Sequence[AtWork], holding: Sequence[str]) -> str:
    """How many there are, and how many of them do not just work: `4 workers, 1 restarting`."""
    if not workers:
        return ""
    counts = Counter("paused" if holding and one.state == "working" else one.state for one in workers)
    counts.pop("working", None)
    told = [f"{len(workers)} {'worker' if len(workers) == 1 else 'workers'}"]
    return ", ".join([*told, *(f"{number} {state}" for state, number in sorted(counts.items()))])


def lines(
    workers: Sequence[AtWork], holding: Sequence[str], room: int, now: float
) -> list[tuple[str, str, str, str, str]]:
    """Name, what it does, rate, documents and memory of each; of the busiest, where there is no room for all.

    The last of `room` lines then says how many more there are, and how they are.
    """
    shown, rest = list(workers), list[AtWork]()
    if len(shown) > room:
        by_rate = sorted(shown, key=lambda one: one.documents_per_second or 0.0, reverse=True)
        kept = {one.name for one in by_rate[: max(0, room - 1)]}
        shown, rest = (
            [one for one in workers if one.name in kept],
            [one for one in workers if one.name not in kept],
        )
    told = [
        (
            one.name,
            _doing(one, holding, now),
            "" if one.documents_per_second is None else f"{one.documents_per_second:,.0f} documents/s",
            f"{one.documents:,} documents",
            f"{one.rss_bytes / 1e6:,.0f} MB" if one.rss_bytes else "",
        )
        for one in shown
    ]
    if rest and room > 0:
        told.append(("", f"and {states(rest, holding).replace(' worker', ' more worker', 1)}", "", "", ""))
    return told


def _doing(one: AtWork, holding: Sequence[str], now: float) -> str:
    if one.state == "restarting":
        return f"restarting ({one.why})"
    if one.state == "starting":
        return "starting"
    if holding:
        return f"paused: {', '.join(holding)}"
    where = "working" if one.partition is None else f"partition {one.partition}"
    if now - one.heard > _WINDOW:
        where += f", quiet for {now - one.heard:.0f} s"
    return f"{where}, paused: {one.why}" if one.why else where
