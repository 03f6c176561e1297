"""A worker's place in a dask worker: the task that holds it, and what the run's own process may ask of it.

All of this happens in the dask worker's process, and none of it imports dask. The work itself is done by a process
beside it, as `local` has them: it can be stopped, ended and replaced without anybody else's tasks, nothing that it
raises comes into dask's logs, and when the dask worker is gone, however it went, it ends. Nothing here raises: dask
would log the error with its text, and with what the function was given.
"""

from __future__ import annotations

import logging
import multiprocessing
import platform
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final

from phimask import Lane, __version__, describe_error
from phimask_plugins.executors.process import WorkerProcess
from phimask_plugins.executors.supervised import Heard
from phimask_plugins.executors.worker import Parcel

SILENCE: Final = 30.0
"""Seconds without a question from the run's own process after which nobody supervises the worker any more."""
_AT_END: Final = 60.0
"""Seconds that a worker has for its batch then."""
_TICK: Final = 0.05
_LOOK: Final = 1.0
"""Seconds between two looks at the process."""

_STARTING: Final = threading.Lock()
_PLACES: Final[dict[str, Place]] = {}


@dataclass(frozen=True, slots=True)
class Software:
    """What has to be the same in all of a run's processes. `plugins`: versions of what provides any, by name."""

    python: str
    phimask: str
    plugins: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        plugins = "".join(f", {name} {version}" for name, version in sorted(self.plugins.items()))
        return f"Python {self.python}, phimask {self.phimask}{plugins}"


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker is to do. `job` is a pickled phimask.Job, which holds keys: who prints what a function was given
    does not print it. `folder`: the run's own, see `serve`."""

    worker: str
    job: bytes = field(repr=False)
    holding: tuple[str, ...]
    lane: Lane
    folder: str


@dataclass(frozen=True, slots=True)
class Orders:
    """Stand still for these reasons, or go on; `stop`: end at the next batch's end; `kill`: now; `over`: all that was
    said has come, the place is free."""

    holding: tuple[str, ...] = ()
    stop: bool = False
    kill: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is new. `parcels` follow those that were acknowledged; `alive`: the worker gave a sign of going on. `pid` is
    0 until there is a process; `how`: it is no more, and how it ended. Memory in bytes."""

    parcels: tuple[Parcel, ...]
    alive: bool
    has_task: bool
    pid: int
    cpu_seconds: float
    rss_bytes: int
    peak_rss_bytes: int
    how: str | None


def software() -> Software:
    """Of this process."""
    found = {
        one.dist.name: one.dist.version
        for one in metadata.entry_points(group="phimask")
        if one.dist is not None and one.dist.name != "phimask"
    }
    return Software(".".join(platform.python_version_tuple()[:2]), __version__, found)


def occupy(token: str) -> None:
    """The task: hold a place of that name, let a worker work when the job comes, and return when all is over."""
    place = Place()
    _PLACES[token] = place
    dask_log = logging.getLogger("distributed.worker")
    dask_log.addFilter(_unmentioned)
    try:
        place.hold()
    except BaseException as failure:  # noqa: BLE001  (see above)
        place.end(describe_error(failure))
    finally:
        del _PLACES[token]
        if not _PLACES:
            dask_log.removeFilter(_unmentioned)


def deliver(token: str, task: Task) -> None:
    """Here is what to do in that place; a second time it is not taken."""
    place = _PLACES.get(token)
    if place is not None:
        place.deliver(task)


def exchange(token: str, acknowledged: int, orders: Orders) -> Answer | None:
    """Give orders, and hear what is new since so many parcels; None: there is no such place (yet)."""
    place = _PLACES.get(token)
    return None if place is None else place.exchange(acknowledged, orders)


class Place:
    """What one task holds. `deliver` and `exchange` come from the dask worker's own thread and never wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._task: Task | None = None
        self._has_task = False
        self._orders = Orders()
        self._asked_at = time.monotonic()
        self._parcels: deque[Parcel] = deque()
        self._heard = 0
        self._alive = False
        self._worker: WorkerProcess | None = None
        self._how: str | None = None

    def deliver(self, task: Task) -> None:
        """See above."""
        with self._lock:
            if not self._has_task:
                self._has_task = True
                self._task = task

    def exchange(self, acknowledged: int, orders: Orders) -> Answer:
        """See above."""
        with self._lock:
            self._asked_at = time.monotonic()
            self._orders = orders
            while self._parcels and self._heard < acknowledged:
                self._parcels.popleft()
                self._heard += 1
            alive, self._alive = self._alive, False
            worker = self._worker
            return Answer(
                parcels=tuple(self._parcels),
                alive=alive,
                has_task=self._has_task,
                pid=0 if worker is None else worker.pid,
                cpu_seconds=0.0 if worker is None else worker.cpu_seconds,
                rss_bytes=0 if worker is None else worker.rss_bytes,
                peak_rss_bytes=0 if worker is None else worker.peak_rss_bytes,
                how=self._how,
            )

    def end(self, how: str) -> None:
        """The worker is no more."""
        with self._lock:
            self._how = how

    def hold(self) -> None:
        """Until whoever asks says that it is over, or asks no more."""
        while not self._has_task and not self._left:
            time.sleep(_TICK)
        with self._lock:
            task, self._task = self._task, None
        if task is not None:
            self._let_work(task)
        while not self._left:
            time.sleep(_TICK)

    @property
    def _silent(self) -> float:
        """For so many seconds nobody asked."""
        return time.monotonic() - self._asked_at

    @property
    def _left(self) -> bool:
        return self._orders.over or self._silent > SILENCE

    def _let_work(self, task: Task) -> None:
        heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        try:
            worker = _started(task, heard)
        except OSError as error:
            self.end(f"its process could not be started: {error.strerror}")
            return
        with self._lock:
            self._worker = worker
        followed = Orders(task.holding)
        looked_at = time.monotonic()
        while not worker.gone:
            with suppress(queue.Empty):
                self._take(worker, heard.get(timeout=_TICK).parcel)
            followed = self._follow(worker, followed)
            if time.monotonic() - looked_at > _LOOK:
                looked_at = time.monotonic()
                worker.measure()
        self.end(worker.close())

    def _take(self, worker: WorkerProcess, parcel: Parcel | None) -> None:
        worker.take(parcel)
        with self._lock:
            self._alive = True
            if parcel is not None and (parcel.events or parcel.ended is not None):
                self._parcels.append(parcel)

    def _follow(self, worker: WorkerProcess, before: Orders) -> Orders:
        """Do as the orders say; without anybody who gives any, end."""
        orders = self._orders
        if orders.kill or self._silent > SILENCE + _AT_END:
            worker.kill()
        elif self._silent > SILENCE:
            orders = Orders(stop=True)
        if orders != before:
            worker.steer(orders.holding, stop=orders.stop)
        return orders


def _started(task: Task, heard: queue.SimpleQueue[Heard]) -> WorkerProcess:
    """dask's nanny makes its workers daemons, to which Python refuses children. Ours ends with them all the same."""
    this: Any = multiprocessing.current_process()
    with _STARTING:
        daemon = this.daemon
        if daemon:
            this.daemon = False
        try:
            return WorkerProcess(task.worker, task.job, task.holding, heard, task.lane, task.folder)
        finally:
            if daemon:
                this.daemon = True


def _unmentioned(record: logging.LogRecord) -> bool:
    """dask logs each function that is called beside tasks; this one is, several times a second."""
    return record.args != (exchange.__name__,)
