"""The supervisor of worker processes: starts them, hears them, replaces the dead, and ends them all.

It acts in one thread, the caller's; a thread a worker only carries what comes through its pipe. Who masks what is none
of its business: the ledger knows, and a dead worker's partitions are free for others as soon as the job was told that
it is dead.
"""

from __future__ import annotations

import logging
import pickle
import queue
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, Literal, TypeAlias

from phimask import Control, Interrupted, Job, Lane, PhimaskError, SafeStop, events
from phimask_plugins.executors.autoscale import Autoscale, Room
from phimask_plugins.executors.deaths import Deaths
from phimask_plugins.executors.limits import Limits
from phimask_plugins.executors.process import WorkerProcess
from phimask_plugins.executors.sizing import available_memory
from phimask_plugins.executors.supervised import Heard, Supervised

_LOGGER: Final = logging.getLogger("phimask.workers")

_TICK: Final = 0.1
"""Seconds between two looks at what the run's control says."""
_LOOK: Final = 1.0
"""Seconds between two looks at the processes, and at how long they have been silent."""
_AWAY: Final = 10.0
"""Seconds between two looks after which this process itself was away, asleep or stopped, and its workers with it."""
_AT_A_TIME: Final = 200
"""So many messages at most are taken between two looks at the control."""
_AT_START: Final = 120.0
"""Seconds that a process has, at the least, to load its programs and say so."""
_AT_END: Final = 60.0
"""Seconds of silence, at the most, before a worker that was told to stop is killed."""
_LEAVING: Final = 10.0
"""Seconds that a process has to be gone after its last word."""
_CLEARING: Final = 3.0
"""Seconds that workers have to stop where this process itself is failing."""
_BATCHES_OVER: Final = 3
"""So many batches in a row end above the memory that a worker is to have before it is recycled."""
_LEAST_BATCHES: Final = 10
"""A worker does at least so many batches: a new one costs a second or two."""

FEW: Final = "work for no more at a time (a partition is for one worker, and --limit has one for all)"

_Reason: TypeAlias = Literal["done", "stopped", "memory", "failed", "died", "hung"]

Start: TypeAlias = Callable[[str, bytes, tuple[str, ...], "queue.SimpleQueue[Heard]", Lane], Supervised]
"""Begins a worker: its name, the pickled job, what to stand still for, where to say what it says, its lane. Raises
OSError where the system has no room for it."""


class Supervisor:
    """Lets one job work in processes of its own: as many as `limits` says, or as `autoscale` says meanwhile. They are
    of this machine, unless `start` begins others.

    Documents that are too large for them wait until all others are done. Then one new process has them, and it may die
    of each: that counts as long as it gets no further.
    """

    def __init__(
        self,
        job: Job,
        control: Control,
        tell: Callable[[events.Event], None],
        limits: Limits,
        autoscale: Autoscale | None = None,
        start: Start = WorkerProcess,
    ) -> None:
        """Raises PhimaskError for a job that cannot be pickled."""
        try:
            self._pickled = pickle.dumps(job)
        except Exception as error:  # noqa: BLE001  (pickle raises several; their texts may hold what it was about)
            raise PhimaskError(
                f"the work cannot be handed to other processes ({type(error).__name__}); use the executor inline"
            ) from None
        self._job = job
        self._control = control
        self._tell = tell
        self._limits = limits
        self._autoscale = autoscale
        self._start = start
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._workers: dict[str, Supervised] = {}
        self._due: dict[str, float] = {}
        self._enlisted: set[str] = set()
        self._finished = 0
        self._lane: Lane = "ordinary"
        self._aside = 0
        self._restarts = 0
        self._deaths = Deaths(limits)
        self._holding: tuple[str, ...] = ()
        self._ending = False
        self._failure: PhimaskError | None = None
        self._looked_at = time.monotonic()
        self._warned = False

    def run(self) -> None:
        """Come back when all workers have ended. Raises the PhimaskError that ended the run."""
        try:
            if self._autoscale is not None:
                self._tell(events.Scaled(0, self._autoscale.workers, self._autoscale.because))
            elif self._of_use < self._limits.workers:
                _LOGGER.info("workers: %d to begin with, since there is %s", self._of_use, FEW)
            self._work()
            if not (self._ending or self._control.stopping) and (aside := self._job.set_aside()):
                self._lane, self._autoscale, self._aside = "oversize", None, aside
                self._enlisted.clear()
                self._work()
        finally:
            self._clear()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        self._enlist()
        while self._workers or self._due:
            self._steer()
            self._start_due()
            self._listen()
            self._reap()
            self._look()

    def _enlist(self) -> None:
        """Have as many workers as there are partitions, as far as is known by now, up to the limit."""
        wanted = 1 if self._lane == "oversize" else self._of_use
        for turn in range(wanted - len(self._enlisted)):
            name = next(name for number in count(1) if (name := f"w{number}") not in self._names)
            self._enlisted.add(name)
            self._due[name] = time.monotonic() + turn * self._limits.stagger

    @property
    def _of_use(self) -> int:
        """So many workers have something to do, as far as is known by now."""
        wanted = self._limits.workers if self._autoscale is None else self._autoscale.workers
        partitions = self._job.partitions
        return wanted if partitions is None else max(1, min(partitions, wanted))

    @property
    def _names(self) -> set[str]:
        """Those that are taken; of one that was let go, until it is gone."""
        return self._enlisted | self._workers.keys()

    def _scale(self, autoscale: Autoscale) -> None:
        """Start more workers, or let some go, where that is what is to be now."""
        staying = [one for one in self._workers.values() if not one.let_go]
        if self._enlisted - self._workers.keys() - self._due.keys():
            return  # some came back: nothing is left to begin
        partitions = self._job.partitions
        room = Room(
            present=[one.name for one in staying],
            leaving=len(staying) < len(self._workers),
            holding=bool(self._holding),
            available=available_memory(),
            held=sum(one.rss_bytes for one in self._workers.values()),
            partitions=None if partitions is None else max(partitions - self._finished, 0),
        )
        decision = autoscale.look(room, time.monotonic())
        if decision is None:
            return
        self._tell(events.Scaled(len(self._enlisted), decision.workers, decision.because))
        for name in sorted(self._enlisted, key=_number)[decision.workers :]:
            self._enlisted.discard(name)
            self._due.pop(name, None)
            if name in self._workers:
                self._workers[name].let_go = True
                self._workers[name].steer(self._holding, stop=True)

    def _steer(self) -> None:
        """Pass on what the control says."""
        if self._control.stopping:
            self._end()
        holding = tuple(self._control.holding)
        if holding != self._holding:
            self._holding = holding
            for worker in self._workers.values():
                worker.steer(holding)
                worker.heard_at = time.monotonic()

    def _end(self) -> None:
        """Nothing new is begun: whoever works stops at its batch's end."""
        if not self._ending:
            self._ending = True
            self._due.clear()
            for worker in self._workers.values():
                worker.steer(self._holding, stop=True)

    def _fail(self, error: PhimaskError) -> None:
        """The first error is the run's."""
        self._failure = self._failure or error
        self._end()

    def _start_due(self) -> None:
        now = time.monotonic()
        for name in [name for name, due in self._due.items() if due <= now]:
            del self._due[name]
            try:
                worker = self._start(name, self._pickled, self._holding, self._heard, self._lane)
            except OSError as error:
                self._fail(
                    SafeStop(f"a worker process could not be started ({error.strerror}); have fewer workers")
                )
                return
            self._workers[name] = worker
            self._announce(worker)

    def _announce(self, worker: Supervised) -> None:
        if worker.pid and not worker.announced:
            worker.announced = True
            self._tell_all(events.WorkerStarted(worker.name, worker.pid))

    def _tell_all(self, event: events.Event) -> None:
        self._finished += isinstance(event, events.PartitionFinished)
        if self._autoscale is not None:
            self._autoscale.notify(event, time.monotonic())
        self._tell(event)

    def _listen(self) -> None:
        """Take what has come; wait for it a moment."""
        wait = _TICK
        with suppress(queue.Empty):
            for _ in range(_AT_A_TIME):
                worker, parcel = self._heard.get(timeout=wait)
                wait = 0.0
                worker.take(parcel)
                self._announce(worker)
                for event in parcel.events if parcel is not None else ():
                    if isinstance(event, events.BatchFinished):
                        self._mind_memory(worker, event)
                    elif isinstance(event, events.MemorySpent):
                        self._recycle(worker)
                    self._tell_all(event)

    def _mind_memory(self, worker: Supervised, batch: events.BatchFinished) -> None:
        """Recycle a worker whose memory stays above what it is to have: Python seldom gives any back."""
        worker.batches += 1
        over = batch.rss_bytes > self._limits.memory
        worker.batches_over = worker.batches_over + 1 if over else 0
        if worker.batches_over < _BATCHES_OVER or worker.batches < _LEAST_BATCHES or worker.told_to_stop:
            return
        if worker.batches_over == worker.batches and not self._warned:
            self._warned = True
            self._tell(
                events.Warned(
                    f"workers take more than the {self._limits.memory / 1e6:,.0f} MB of executor.options.memory from "
                    "their first batch on, so that starting anew does not help; raise it, or lower batch_sizer's bytes"
                )
            )
        self._recycle(worker)

    def _recycle(self, worker: Supervised) -> None:
        """Let it end at its batch's end, and start another in its place."""
        if worker.batches and not worker.told_to_stop:  # one that has done nothing has nothing to give back
            worker.recycled = True
            worker.steer(self._holding, stop=True)

    def _reap(self) -> None:
        now = time.monotonic()
        for worker in tuple(self._workers.values()):
            if worker.gone:
                self._over(worker)
            elif worker.leaving_at is not None and now - worker.leaving_at > _LEAVING:
                worker.kill()

    def _over(self, worker: Supervised) -> None:
        """A process is no more: free its partitions, replace it if it is to be."""
        how = worker.close()
        del self._workers[worker.name]
        ended = worker.ended
        if ended is None or ended.text is not None:
            try:
                self._job.abandon(worker.name)
            except PhimaskError as error:
                self._fail(error)
        reason, how = self._judge(worker, how)
        replaced = worker.name in self._due
        self._restarts += replaced
        if reason in ("died", "hung"):
            fate = (
                "another takes its place" if replaced else "it was to go" if worker.let_go else "the run ends"
            )
            self._tell(events.Warned(f"worker {worker.name} {reason} ({how}); {fate}"))
        if worker.announced:
            self._tell(
                events.WorkerEnded(
                    worker.name, reason, self._restarts, replaced, worker.cpu_seconds, worker.peak_rss_bytes
                )
            )

    def _judge(self, worker: Supervised, how: str) -> tuple[_Reason, str]:
        """Why it ended, and in words how; what follows from that is done."""
        ended = worker.ended
        error = worker.error()
        if ended is not None and error is None and not ended.stopped:
            return "done", how
        if isinstance(error, Interrupted) or (ended is not None and error is None):
            if self._ending:
                if error is not None:
                    self._fail(error)
                return "stopped", how
            if worker.let_go:
                return "stopped", how
            if worker.recycled:
                self._due[worker.name] = time.monotonic()
                return "memory", how
            how = "somebody else told it to end"
        elif error is not None:
            self._fail(error)
            return "failed", how
        reason: _Reason = "hung" if worker.hung else "died"
        if not self._ending:
            self._mourn(worker, reason, how)
        return reason, how

    def _mourn(self, worker: Supervised, reason: str, how: str) -> None:
        """Replace it after a while, the longer the more died of late; too many end the run."""
        now = time.monotonic()
        limits = self._limits
        if self._lane == "oversize" and (aside := self._job.set_aside()) < self._aside:
            self._aside = aside
            self._deaths.forget()
        wait = self._deaths.another(now)
        if wait is None:
            self._fail(
                SafeStop(
                    f"worker {worker.name} {reason} ({how}): {len(self._deaths)} workers died or hung within "
                    f"{limits.period:g} s, and executor.options.restarts allows {limits.restarts}; see the log for "
                    "what they said last"
                )
            )
        elif not worker.let_go:
            self._due[worker.name] = now + wait

    def _look(self) -> None:
        """Measure the processes, and end those that are hung."""
        now = time.monotonic()
        since = now - self._looked_at
        if since < _LOOK:
            return
        self._looked_at = now
        for worker in self._workers.values():
            worker.measure()
            if self._holding or since > _AWAY:
                worker.heard_at = now
            patience = self._limits.patience if worker.spoke else max(self._limits.patience, _AT_START)
            if worker.told_to_stop and not worker.let_go:
                patience = min(patience, _AT_END)
            if worker.leaving_at is None and now - worker.heard_at > patience:
                worker.hung = True
                worker.kill()
        if self._ending:
            return
        if self._autoscale is not None:
            self._scale(self._autoscale)
        self._enlist()

    def _clear(self) -> None:
        """Leave no process behind, whatever is being raised here."""
        for worker in self._workers.values():
            worker.steer((), stop=True)
        until = time.monotonic() + _CLEARING
        while self._workers:
            with suppress(queue.Empty):
                worker, parcel = self._heard.get(timeout=_TICK)
                worker.take(parcel)
            for worker in tuple(self._workers.values()):
                if worker.gone:
                    worker.close()
                    del self._workers[worker.name]
                    with suppress(Exception):  # something else is being raised; leases end by themselves
                        self._job.abandon(worker.name)
                elif time.monotonic() > until:
                    worker.kill()


def _number(name: str) -> int:
    return int(name[1:])
