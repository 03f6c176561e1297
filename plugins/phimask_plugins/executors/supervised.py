"""A worker as its supervisor sees it, wherever it is at work: what it said, what it costs, why it ended."""

from __future__ import annotations

import abc
import pickle
import time
from contextlib import suppress
from typing import NamedTuple

from phimask import PhimaskError
from phimask_plugins.executors.worker import Ended, Parcel


class Heard(NamedTuple):
    """What came from a worker; no parcel: nothing more will come, it says nothing any more."""

    worker: Supervised
    parcel: Parcel | None


class Supervised(abc.ABC):
    """A process that is there, was, or is about to be. Times by `time.monotonic`.

    `pid`: 0 until there is a process. `announced`: its beginning was told. `heard_at`: when it last gave a sign of
    going on. `leaving_at`: when it said its last word, or fell silent for good. `hung`, `recycled`, `let_go`: why it
    was killed or told to stop, where no person asked for that. `rss_bytes`: what it held when it was looked at last.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid = 0
        self.announced = False
        self.heard_at = time.monotonic()
        self.leaving_at: float | None = None
        self.spoke = False
        self.told_to_stop = False
        self.hung = False
        self.recycled = False
        self.let_go = False
        self.ended: Ended | None = None
        self.batches = 0
        self.batches_over = 0
        self.cpu_seconds = 0.0
        self.rss_bytes = 0
        self.peak_rss_bytes = 0
        self._closed = False

    def take(self, parcel: Parcel | None) -> None:
        """Note that it was heard, and its last word."""
        self.heard_at = time.monotonic()
        self.spoke = True
        if parcel is None:
            self._closed = True
        elif parcel.ended is not None:
            self.ended = parcel.ended
            self.cpu_seconds = parcel.ended.cpu_seconds
        else:
            return
        self.leaving_at = self.leaving_at or self.heard_at

    def error(self) -> PhimaskError | None:
        """The error that ended the work, if one did. Of one that is not phimask's only type and place are known."""
        ended = self.ended
        if ended is None or ended.text is None:
            return None
        if ended.error is None:
            return PhimaskError(f"worker {self.name} failed: {ended.text}")
        with suppress(Exception):  # a kind that only the worker can import
            error = pickle.loads(ended.error)  # noqa: S301  (by a worker of ours, on a way that nobody else has)
            if isinstance(error, PhimaskError):
                return error
        return PhimaskError(ended.text)

    @abc.abstractmethod
    def steer(self, holding: tuple[str, ...], *, stop: bool = False) -> None:
        """Tell it what to stand still for, and with `stop` to end at its batch's end."""

    @abc.abstractmethod
    def measure(self) -> None:
        """Look at what the process uses now."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End it hard, with all processes that it started."""

    @property
    @abc.abstractmethod
    def gone(self) -> bool:
        """The process is no more, and all that it said was heard."""

    @abc.abstractmethod
    def close(self) -> str:
        """Let go of a process that is gone; answers how it ended."""
