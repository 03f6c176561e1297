"""How many workers there are to be now: the search for the best number, held back by memory and by the throttle.

It starts and ends no process. The supervisor tells it what it hears, asks it every second, and does as it says.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

from phimask import events
from phimask_plugins.executors.climbing import Search, Step, search
from phimask_plugins.executors.throughput import Throughput

_WARM: Final = 5.0
"""Seconds from its first partition on after which a worker counts: its first batches are small."""
_WINDOW: Final = 10.0
"""Seconds that a rate is measured over, at the least."""
_LEAST_BATCHES: Final = 3
"""So many batches of each worker are within them, too."""
_LONGEST: Final = 60.0
"""Seconds after which a worker that has not come so far is not waited for."""
_CAPPED: Final = 300.0
"""Seconds for which there are not to be more again, after one was let go for want of memory."""
_SHORT: Final = 0.25
"""Where less than this part of one worker's memory is left, one is let go."""
_WORTHWHILE: Final = 180.0
"""Seconds of work that are left, at the least, where a search begins: it takes one or two minutes, in which batches
change with the number of workers, and what it finds is to be of use for longer."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the supervisor sees. `present`: the workers that are to stay; `leaving`: some are not gone yet; `holding`:
    they are told to stand still; `available`: bytes of memory that can still be given out; `held`: bytes that workers
    have; `partitions`: how many are not finished, None: not known."""

    present: Collection[str]
    leaving: bool
    holding: bool
    available: int
    held: int
    partitions: int | None


class Decision(NamedTuple):
    """From now on there are to be so many, for that reason; as many as before, where nothing better was found."""

    workers: int
    because: str


class Autoscale:
    """Between `least` and `most` workers of `memory` bytes each, `begin` at first, `because` of that."""

    def __init__(self, least: int, most: int, memory: int, begin: int, because: str) -> None:
        self._least = least
        self._most = most
        self._memory = memory
        self._throughput = Throughput()
        self._may_be = most
        self._cap: tuple[int, float] | None = None
        self._trouble = False
        self._began: float | None = None
        self._finished = 0
        self._measuring_since: float | None = None
        self._waiting_since: float | None = None
        self._search: Search
        self._step: Step
        self._rests_until = 0.0
        self._searching = False
        self._begin_at(begin, because)

    @property
    def workers(self) -> int:
        """How many there are to be."""
        return self._step.workers

    @property
    def because(self) -> str:
        """Why so many."""
        return self._step.because

    def notify(self, event: events.Event, now: float) -> None:
        """Take in what workers tell."""
        self._throughput.notify(event, now)
        match event:
            case events.PartitionStarted() if self._began is None:
                self._began = now
            case events.PartitionFinished():
                self._finished += 1
            case events.MemorySpent() | events.BreakerTripped() | events.Paused(reason="memory"):
                self._trouble = True

    def look(self, room: Room, now: float) -> Decision | None:
        """What is to be from now on, where that was found out just now."""
        before = self._step
        self._mind_bounds(room, now)
        trouble, self._trouble = self._trouble or room.holding, False
        if room.available < self._memory * _SHORT and self.workers > self._least and not room.leaving:
            self._cap = (self.workers - 1, now + _CAPPED)
            self._begin_at(self.workers - 1, f"{room.available / 1e6:,.0f} MB of memory are left")
        elif trouble:
            self._measuring_since = None
            if self._step.more:
                self._answer(None, now)
        elif (rate := self._measured(room, now)) is not None and (
            self._searching or self._left(room, now) >= _WORTHWHILE
        ):
            self._answer(rate, now)
        return None if self._step is before else Decision(self.workers, self.because)

    def _mind_bounds(self, room: Room, now: float) -> None:
        if self._cap is not None and now > self._cap[1]:
            self._cap = None
        bounds = [self._most, (room.available + room.held) // max(self._memory, 1)]
        if self._cap is not None:
            bounds.append(self._cap[0])
        if room.partitions is not None:
            bounds.append(room.partitions)
        self._may_be = min(bounds)

    def _left(self, room: Room, now: float) -> float:
        """Seconds until all is masked, if it goes on as it has; what workers have in hand is taken to be half done.
        Without end, where nobody knows."""
        if room.partitions is None or self._began is None:
            return math.inf
        done = self._finished + len(room.present) / 2
        return room.partitions * (now - self._began) / done

    def _measured(self, room: Room, now: float) -> float | None:
        """The rate of so many workers as there are to be; None: it is not known yet."""
        if now < self._rests_until:
            return None
        if not self._settled(room, now):
            self._measuring_since = None
            return None
        if self._measuring_since is None:
            self._measuring_since = now
        since = self._measuring_since
        until = self._throughput.known_until(room.present, now)
        if now - since >= _LONGEST:
            return self._throughput.rate(since, max(until, since + _LONGEST / 2))
        enough = all(self._throughput.batches(one, since) >= _LEAST_BATCHES for one in room.present)
        return self._throughput.rate(since, until) if enough and until - since >= _WINDOW else None

    def _settled(self, room: Room, now: float) -> bool:
        """There are as many as there are to be, and each has been at work for a while, or could have been."""
        if len(room.present) != self.workers or room.leaving:
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = now
        if now - self._waiting_since >= _LONGEST:
            return True
        since = [self._throughput.at_work_since(one) for one in room.present]
        return all(one is not None and now - one >= _WARM for one in since)

    def _begin_at(self, workers: int, because: str) -> None:
        """Search from there on."""
        self._search = search(self._least, lambda: self._may_be, workers, because)
        self._take(next(self._search), 0.0)
        self._searching = False

    def _answer(self, rate: float | None, now: float) -> None:
        self._take(self._search.send(rate), now)
        self._searching = not self._step.rest

    def _take(self, step: Step, now: float) -> None:
        self._step = step
        self._rests_until = now + step.rest
        self._measuring_since = self._waiting_since = None
