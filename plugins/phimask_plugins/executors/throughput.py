"""How much workers mask in a second, over a stretch of time, told from the batches that they finish.

A batch's bytes are spread over the time from the batch before it. So a stretch may begin and end anywhere within a
batch, and few long batches measure as well as many short ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from phimask import events

_MOST_BATCHES: Final = 5000
"""So many of each worker are remembered, the newest."""


class _Batch(NamedTuple):
    start: float
    end: float
    bytes: int


@dataclass(slots=True)
class _Worker:
    """`at_work_since`: when it first had something to do; `busy_since`: when its batch in hand began, None: it has
    none."""

    at_work_since: float | None = None
    busy_since: float | None = None
    batches: deque[_Batch] = field(default_factory=lambda: deque(maxlen=_MOST_BATCHES))


class Throughput:
    """Of the workers of one job. Times are whatever clock the caller goes by, in seconds."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def notify(self, event: events.Event, now: float) -> None:
        """Take in what a worker tells."""
        match event:
            case events.WorkerStarted():
                self._workers[event.worker] = _Worker()
            case events.PartitionStarted():
                worker = self._workers.setdefault(event.worker, _Worker())
                worker.busy_since = now
                worker.at_work_since = now if worker.at_work_since is None else worker.at_work_since
            case events.BatchFinished():
                worker = self._workers.setdefault(event.worker, _Worker())
                start = now - event.seconds if worker.busy_since is None else worker.busy_since
                worker.batches.append(_Batch(start, now, event.bytes))
                worker.busy_since = now
            case events.PartitionFinished() if event.worker in self._workers:
                self._workers[event.worker].busy_since = None

    def at_work_since(self, worker: str) -> float | None:
        """When it first had something to do; None: it had nothing yet."""
        known = self._workers.get(worker)
        return None if known is None else known.at_work_since

    def batches(self, worker: str, since: float) -> int:
        """How many it finished that were begun after that."""
        known = self._workers.get(worker)
        return 0 if known is None else sum(one.start >= since for one in known.batches)

    def known_until(self, workers: Collection[str], now: float) -> float:
        """Up to when it is known what all of these did: to where the slowest began what it has in hand."""
        busy = [known.busy_since for name in workers if (known := self._workers.get(name)) is not None]
        return min((since for since in busy if since is not None), default=now)

    def rate(self, since: float, until: float) -> float:
        """Bytes a second of all workers together, over that stretch."""
        done = 0.0
        for worker in self._workers.values():
            for one in worker.batches:
                within = min(one.end, until) - max(one.start, since)
                if within > 0:
                    done += one.bytes * within / (one.end - one.start)
        return done / (until - since) if until > since else 0.0
