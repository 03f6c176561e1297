"""A worker in a dask worker's process as its supervisor sees it: a thread asks for what is new, and gives orders.

Who is asked answers, or the dask worker is gone: that the scheduler says, or the place in it, which is another's or
nobody's when the process was started anew.
"""

from __future__ import annotations

import logging
import pickle
import queue
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from phimask import Lane, PhimaskError, SafeStop, describe_error
from phimask_plugins.executors.dask_cluster import Cluster, NoAnswer
from phimask_plugins.executors.dask_place import (
    SILENCE,
    Answer,
    Orders,
    Software,
    Task,
    deliver,
    exchange,
    occupy,
    software,
)
from phimask_plugins.executors.supervised import Heard, Supervised
from phimask_plugins.executors.worker import ORPHAN, Ended, Parcel

_LOGGER: Final = logging.getLogger("phimask.workers")

_PACE: Final = 0.3
"""Seconds between two questions, where no order is to be given."""
_NOBODY: Final = 60.0
"""Seconds for which there may be no dask worker at all."""
_CUT_OFF: Final = SILENCE + 10.0
"""Seconds without an answer, though the scheduler has the dask worker on its list: by then it has been told to end by
itself."""
_LONG: Final = 10.0
"""Seconds of waiting for a busy dask worker after which the log says so."""
_KILLING: Final = 8.0
"""Seconds that a worker has to be gone once it is to be killed: one that cannot be told so ends by itself."""


class _Lost(Exception):
    """The dask worker is gone; the message says how that shows."""


class RemoteWorker(Supervised):
    """Takes a free dask worker, or waits for one, and lets the job work there."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        job: bytes,
        holding: tuple[str, ...],
        heard: queue.SimpleQueue[Heard],
        lane: Lane = "ordinary",
    ) -> None:
        super().__init__(name)
        self._cluster = cluster
        self._heard = heard
        self._token = secrets.token_hex(16)
        self._orders = Orders(holding)
        self._changed = threading.Event()
        self._killed_at: float | None = None
        self._gone_from = 0.0
        self._how = ""
        self._acknowledged = 0
        self._thread = threading.Thread(
            target=self._run, args=(job, lane), name=f"phimask-ask-{name}", daemon=True
        )
        self._thread.start()

    def steer(self, holding: tuple[str, ...], *, stop: bool = False) -> None:
        """Goes with the next question, which is asked at once."""
        self.told_to_stop |= stop
        self._orders = replace(self._orders, holding=holding, stop=self.told_to_stop)
        self._changed.set()

    def measure(self) -> None:
        """Each answer says it."""

    def kill(self) -> None:
        """Its process, not the dask worker's."""
        if self._killed_at is None:
            self._killed_at = time.monotonic()
            self._orders = replace(self._orders, kill=True)
            self._changed.set()

    @property
    def gone(self) -> bool:
        """Of one whose dask worker was killed this is so when its process, too, has ended for certain."""
        return self._closed and time.monotonic() >= self._gone_from

    def close(self) -> str:
        """See Supervised."""
        self._thread.join(timeout=1.0)
        return self._how

    def _run(self, job: bytes, lane: Lane) -> None:
        try:
            self._serve(job, lane)
        except _Lost as lost:
            self._how = str(lost)
            self._gone_from = time.monotonic() + ORPHAN + 1.0
        except PhimaskError as error:
            self._say(Parcel(ended=Ended(0.0, False, str(error), pickle.dumps(error.alone()))))
        except BaseException as failure:  # noqa: BLE001  (its text may hold anything)
            self._how = describe_error(failure)
        self._heard.put(Heard(self, None))

    def _say(self, parcel: Parcel) -> None:
        self._heard.put(Heard(self, parcel))

    def _serve(self, job: bytes, lane: Lane) -> None:
        address = self._find()
        if address is None:
            self._say(Parcel(ended=Ended(0.0, True)))
            return
        try:
            self._compare(address)
            task = self._cluster.submit(address, occupy, self._token)
            try:
                self._attend(address, job, lane)
            finally:
                with suppress(Exception):  # without a scheduler there is nothing to forget it
                    task.cancel()
                    task.release()
        finally:
            self._cluster.give_back(address)

    def _find(self) -> str | None:
        """A dask worker of our own; None: we were told to end first."""
        since = time.monotonic()
        while not (self._orders.stop or self._orders.kill):
            try:
                if (address := self._cluster.take()) is not None:
                    return address
                if self._cluster.addresses():
                    since = time.monotonic()
                why = "there are no dask workers"
            except NoAnswer as no:
                why = f"the dask scheduler does not answer ({no})"
            if time.monotonic() - since > _NOBODY:
                raise SafeStop(f"{why}, for {_NOBODY:g} s now; start some, then `phimask resume`")
            self._say(Parcel())
            self._wait()
        return None

    def _wait(self) -> None:
        self._changed.wait(_PACE)
        self._changed.clear()

    def _compare(self, address: str) -> None:
        """Raises SafeStop where other software is installed there."""
        here = software()
        try:
            there: Software = self._cluster.ask(address, software)
        except NoAnswer as no:
            if no.refused:
                raise SafeStop(
                    f"the dask worker {address} has no phimask, or not this one ({no}); install there what is here: "
                    f"{here}; then `phimask resume`"
                ) from None
            raise _Lost(f"the dask worker {address} did not answer: {no}") from None
        if there != here:
            raise SafeStop(
                f"the dask worker {address} has {there}, and here is {here}; install the same there, then "
                "`phimask resume`"
            )

    def _attend(self, address: str, job: bytes, lane: Lane) -> None:
        """Ask until the worker has ended and all that it said has come. Raises _Lost and SafeStop."""
        answered_at = since = time.monotonic()
        begun = told = False
        while True:
            if self._killed_at is not None and time.monotonic() - self._killed_at > _KILLING:
                raise _Lost(f"its process, at {address}, could not be seen to end")
            orders = self._orders
            try:
                answer: Answer | None = self._ask(address, orders)
                if answer is not None and not answer.has_task and not orders.stop:
                    task = Task(self.name, job, orders.holding, lane, str(Path.cwd()))
                    self._cluster.ask(address, deliver, self._token, task)
            except NoAnswer as no:
                self._judge(address, time.monotonic() - answered_at, no)
                self._wait()
                continue
            answered_at = time.monotonic()
            if answer is not None and answer.has_task:
                begun = True
                self._hear(answer)
                if answer.how is not None:
                    self._how = f"{answer.how}, at {address}"
                    self._leave(address)
                    return
            elif begun:
                raise _Lost(f"the dask worker {address} began anew")
            elif orders.stop or orders.kill:
                self._leave(address)
                self._say(Parcel(ended=Ended(0.0, True)))
                return
            else:
                self._say(Parcel())
                if not told and answered_at - since > _LONG:
                    told = True
                    _LOGGER.info("worker %s waits for %s, which is busy with other tasks", self.name, address)
            self._wait()

    def _ask(self, address: str, orders: Orders) -> Answer | None:
        answer: Answer | None = self._cluster.ask(address, exchange, self._token, self._acknowledged, orders)
        return answer

    def _hear(self, answer: Answer) -> None:
        self.pid = answer.pid
        self.cpu_seconds = max(self.cpu_seconds, answer.cpu_seconds)
        self.rss_bytes, self.peak_rss_bytes = answer.rss_bytes, answer.peak_rss_bytes
        self._acknowledged += len(answer.parcels)
        for parcel in answer.parcels or ((Parcel(),) if answer.alive else ()):
            self._say(parcel)

    def _leave(self, address: str) -> None:
        """All has come: the place is free for others."""
        with suppress(NoAnswer):  # then it frees itself
            self._ask(address, replace(self._orders, over=True))

    def _judge(self, address: str, silent: float, no: NoAnswer) -> None:
        """It did not answer: come back if it may yet. Raises _Lost and SafeStop."""
        try:
            known = address in self._cluster.addresses()
        except NoAnswer as nor:
            if silent > _CUT_OFF:
                raise SafeStop(
                    f"the dask scheduler has not answered for {silent:.0f} s ({nor}); its workers end by themselves; "
                    "start it again, then `phimask resume`"
                ) from None
            return
        if not known:
            raise _Lost(f"the dask worker {address} is gone")
        if silent > _CUT_OFF:
            raise _Lost(f"the dask worker {address} has not answered for {silent:.0f} s: {no}")
