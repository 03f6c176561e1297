"""Workers over a server that only waits, by a clock of their own: hours of a run in a moment.

What all of them mask together depends on their number, as a test says. A worker takes its time to start, its batches
are small at first and then aimed at two seconds, and none takes as long as another.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from phimask import events
from phimask_plugins.executors.autoscale import Autoscale, Decision, Room

GB = 10**9
NAMESPACE = "ehr.patients"
_START = 2.5
_TARGET = 2.0


@dataclass
class Simulated:
    """`rate`: bytes a second of so many workers together, at that time. `noise`: of a batch's rate, as a deviation."""

    scale: Autoscale
    rate: Callable[[int, float], float]
    noise: float = 0.15
    seed: int = 1
    holding: Callable[[int, float], bool] = lambda workers, now: False
    available: Callable[[int, float], int] = lambda workers, now: 1000 * GB
    partitions: int | None = None
    now: float = 0.0
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    masked: float = 0.0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._due: list[tuple[float, int, str, int]] = []
        self._workers: dict[str, int] = {}
        self._leaving: set[str] = set()
        self._number = 0
        self._turn = 0

    def run(self, seconds: float) -> int:
        """How many workers there are to be in the end."""
        until = self.now + seconds
        look = self.now
        while self.now < until:
            while self._due and self._due[0][0] <= look:
                self.now, _, worker, size = heapq.heappop(self._due)
                self._batch(worker, size)
            self.now = look
            self._supervise()
            look += 1.0
        return self.scale.workers

    def within(self, best: float) -> float:
        """What the workers that there are to be mask, of the best that any number does."""
        return self.rate(self.scale.workers, self.now) / best

    def _supervise(self) -> None:
        staying = [name for name in self._workers if name not in self._leaving]
        held = self.holding(len(staying), self.now)
        room = Room(
            present=staying,
            leaving=bool(self._leaving),
            holding=held,
            available=self.available(len(staying), self.now),
            held=0,
            partitions=self.partitions,
        )
        decision = self.scale.look(room, self.now)
        if decision is not None:
            self.decisions.append((self.now, decision))
        for name in staying[self.scale.workers :]:
            self._leaving.add(name)
        for _ in range(self.scale.workers - len(staying)):
            self._number += 1
            self._workers[f"w{self._number}"] = 0
            self.scale.notify(events.WorkerStarted(f"w{self._number}", 1), self.now)
            self._next(f"w{self._number}", self.now + _START, 0)

    def _next(self, worker: str, due: float, size: int) -> None:
        self._turn += 1
        heapq.heappush(self._due, (due, self._turn, worker, size))

    def _batch(self, worker: str, size: int) -> None:
        """One ends, and the next begins, unless the worker is to go."""
        if self._workers[worker] == 0:
            self.scale.notify(events.PartitionStarted(NAMESPACE, 0, None, worker), self.now)
        else:
            self.masked += size
            self.scale.notify(a_batch(worker, size), self.now)
        self._workers[worker] += 1
        if worker in self._leaving:
            self._leaving.discard(worker)
            del self._workers[worker]
            return
        count = len(self._workers)
        own = self.rate(count, self.now) / count * self._random.lognormvariate(0, self.noise)
        seconds = min(_TARGET, 0.05 * 2.0 ** min(10, self._workers[worker])) * self._random.uniform(0.8, 1.2)
        self._next(worker, self.now + seconds, round(own * seconds))


def a_batch(worker: str, size: int) -> events.BatchFinished:
    return events.BatchFinished(
        namespace=NAMESPACE, partition=0, documents=10, bytes=size, seconds=0.1, written=10, unchanged=0,
        quarantined=0, missing=0, rss_bytes=0, worker=worker,
    )  # fmt: skip
