"""A worker: leases one partition after the other and masks it, until nothing is left or the end is asked for."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

import psutil
from pymongo.errors import PyMongoError

from phimask.engine.journal import Journal
from phimask.engine.means import Means
from phimask.engine.partition import PartitionLoop
from phimask.engine.relief import frozen
from phimask.engine.writing_behind import leave, note_lost
from phimask.ledger.leases import Lease, LeaseLost
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import RENEWAL_SECONDS, Partitions
from phimask.ledger.runs import Runs
from phimask.plugins.values import Lane

_LOOK_SECONDS: Final = 0.1
"""How long to wait before looking again whether somebody left a partition behind."""
_LOOKS_BETWEEN_ASKING: Final = 10


class Worker:
    """Works for one collection of a run, lane after lane. `journal` makes a partition's journal; `take_up` settles what
    the holder before left open."""

    def __init__(
        self,
        means: Means,
        ledger: Ledger,
        run: str,
        journal: Callable[[Lease, Partitions], Journal],
        take_up: Callable[[Journal], None],
        lanes: Sequence[Lane],
    ) -> None:
        self._means = means
        self._ledger = ledger
        self._run = run
        self._partitions = Partitions(ledger, run, means.namespace)
        self._runs = Runs(ledger)
        self._make_journal = journal
        self._take_up = take_up
        self._lanes = lanes
        self._loop = PartitionLoop(means)
        self._journal: Journal | None = None

    def work(self) -> None:
        """Raises SafeStop, Interrupted, MaskingError or StoreError; the partition in hand is left for others then."""
        self._count_against_limit(self._loop.persist(self._partitions.tally).read)
        with (
            frozen(self._means.memory.collector),
            _Alive(self._ledger, self._run, self._means.worker, self._in_hand),
            self._loop,
        ):
            for lane in self._lanes:
                self._one_lane(lane)

    def _in_hand(self) -> list[Journal]:
        return [one for one in (self._loop.ending, self._journal) if one is not None]

    def _one_lane(self, lane: Lane) -> None:
        control = self._means.control
        looks = 0
        while not control.stopping:
            if self._means.remaining == 0:
                return
            lease = self._loop.persist(lambda: self._next(lane))
            if lease is not None:
                looks = 0
                self._one(lease)
                continue
            if self._loop.settle():  # others may have given up something meanwhile
                continue
            cut = self._loop.persist(self._all_cut)
            if cut and self._loop.persist(lambda: self._all_done(lane)):
                return
            if cut and looks % _LOOKS_BETWEEN_ASKING == 0:
                self._loop.persist(self._partitions.want_splits)
            looks += 1
            control.wait(_LOOK_SECONDS)

    def _next(self, lane: Lane) -> Lease | None:
        ending = self._loop.ending
        besides = None if ending is None else ending.lease.number
        return self._partitions.lease(self._means.worker, lane, besides)

    def _one(self, lease: Lease) -> None:
        journal = self._journal = self._make_journal(lease, self._partitions)
        try:
            if lease.intent is not None or lease.crashes:
                self._loop.settle()  # one thing at a time
            closed = lease.tally.read
            self._loop.persist(lambda: self._take_up(journal))
            self._count_against_limit(lease.tally.read - closed)
            self._loop.run(journal)
        except LeaseLost:
            note_lost(self._means.namespace, journal)
        except BaseException:
            leave(journal)
            raise
        finally:
            self._journal = None

    def _count_against_limit(self, documents: int) -> None:
        """So many were done by workers before this one."""
        if self._means.remaining is not None:
            self._means.remaining = max(self._means.remaining - documents, 0)

    def _all_cut(self) -> bool:
        """No more partitions will come but by splits."""
        return self._runs.is_cut(self._run, self._means.namespace)

    def _all_done(self, lane: Lane) -> bool:
        """Nothing of the lane is open or held by anybody."""
        states = self._partitions.states(lane)
        return not (states["open"] or states["leased"])


class _Alive:
    """Says in the ledger that the worker lives, and renews the leases that it holds, while its work takes its time."""

    def __init__(
        self, ledger: Ledger, run: str, worker: str, in_hand: Callable[[], Sequence[Journal]]
    ) -> None:
        self._kept = ledger.workers
        self._id = {"run": run, "worker": worker}
        self._in_hand = in_hand
        self._over = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._go_on, name="phimask-alive", daemon=True)

    def __enter__(self) -> _Alive:
        with contextlib.suppress(PyMongoError):
            self._kept.update_one(
                {"_id": self._id},
                {
                    "$set": {
                        "host": socket.gethostname(),
                        "pid": os.getpid(),
                        "started": self._process.create_time(),
                        "rss_bytes": self._process.memory_info().rss,
                    },
                    "$currentDate": {"seen": True},
                },
                upsert=True,
            )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(RENEWAL_SECONDS)
        with contextlib.suppress(PyMongoError):
            self._kept.delete_one({"_id": self._id})

    def _go_on(self) -> None:
        while not self._over.wait(RENEWAL_SECONDS):
            # One renewal that fails is one of several that fit into a lease.
            with contextlib.suppress(PyMongoError):
                rss = self._process.memory_info().rss
                self._kept.update_one(
                    {"_id": self._id}, {"$set": {"rss_bytes": rss}, "$currentDate": {"seen": True}}
                )
            for journal in self._in_hand():
                with contextlib.suppress(PyMongoError, LeaseLost):
                    journal.renew()
