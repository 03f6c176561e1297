"""The coordinator: says in the ledger that the run lives, does what it is told there, and tells workers when to stand
still."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from loguru import logger
from pymongo.errors import PyMongoError

from phimask.engine.control import StopSignal
from phimask.engine.recording import Recorder
from phimask.engine.throttle import Throttle
from phimask.errors import Interrupted, PhimaskError, SafeStop, StoreError
from phimask.ledger.run_record import State
from phimask.ledger.runs import Runs, Superseded
from phimask.log import describe_error
from phimask.plugins.events import Event, Holding

_LOOK_SECONDS: Final = 0.5
"""How often the ledger is asked what to do: a pause or a stop arrives within this time."""
_SAY_AGAIN: Final = 10.0
"""Seconds after which numbers that have changed are told again, while work stands still."""

ASKED_TO_PAUSE: Final = "asked to pause"


class Coordinator:
    """A thread beside the run, for as long as the `with` block lasts.

    `most_seconds`: how long the run may take. `still_there` says what has become of the collections where they are no
    longer those that the run began with. `record` writes down how the run goes.
    """

    def __init__(
        self,
        runs: Runs,
        run: str,
        epoch: int,
        stop: StopSignal,
        tell: Callable[[Event], None],
        *,
        throttle: Throttle | None = None,
        still_there: Callable[[], str | None] = lambda: None,
        most_seconds: float | None = None,
        record: Recorder | None = None,
    ) -> None:
        self._runs = runs
        self._run = run
        self._epoch = epoch
        self._stop = stop
        self._tell = tell
        self._throttle = throttle
        self._still_there = still_there
        self._ends = None if most_seconds is None else time.monotonic() + most_seconds
        self._record = record
        self._over = threading.Event()
        self._because: PhimaskError | None = None
        self._said = ""
        self._said_at = 0.0
        self._thread = threading.Thread(target=self._go_on, name="phimask-coordinator", daemon=True)

    def __enter__(self) -> Coordinator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._look_no_more()

    def why_stopped(self, otherwise: PhimaskError | None = None) -> PhimaskError:
        """What to raise after a stop: the coordinator's reason where it asked for it, else `otherwise`."""
        return (
            self._because
            or otherwise
            or Interrupted(
                f"interrupted; every batch that was begun is finished, and `phimask resume {self._run}` goes on"
            )
        )

    def end(self, state: State, report: Mapping[str, Any], *, touched: bool) -> None:
        """The run ends in this state, with this report; also one that ends before the `with` block is reached."""
        self._look_no_more()
        if self._record is not None:
            self._record(last=True)
        self._runs.end(self._run, self._epoch, state, report, touched=touched)

    def said_at_the_end(self, warnings: Sequence[str]) -> None:
        """What observers said while they closed is in the report that is kept, too. Raises PyMongo's errors."""
        self._runs.keep_warnings(self._run, self._epoch, warnings)
        if self._record is not None:
            self._record.afterwards()

    def still_mine(self) -> None:
        """Raises SafeStop where another coordinator has the run, and PyMongo's errors."""
        try:
            self._runs.beat(self._run, self._epoch, "running")
        except Superseded:
            raise self._let_go() from None

    def _let_go(self) -> SafeStop:
        return SafeStop(f"run {self._run} was taken up by another coordinator; this one has let go of it")

    def _look_no_more(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        throttle, self._throttle = self._throttle, None
        if throttle is not None:
            throttle.close()

    def _go_on(self) -> None:
        while not self._over.is_set():
            try:
                self._look()
                if self._record is not None:
                    self._record()
            except Exception as error:  # noqa: BLE001  (nobody waits for this thread, and without it nothing stops the run)
                self._ask(PhimaskError(f"the coordinator of run {self._run} failed: {describe_error(error)}"))
                return
            self._over.wait(_LOOK_SECONDS)

    def _look(self) -> None:
        reasons = () if self._throttle is None else self._throttle.reasons()
        held = self._stop.holding
        try:
            command = self._runs.beat(self._run, self._epoch, "paused" if held else "running", held)
        except Superseded:
            self._ask(self._let_go())
            return
        except PyMongoError as error:
            # Workers find out by themselves; they write nothing without the ledger.
            logger.warning("the ledger does not answer: {}", describe_error(error))
            command = "pause" if ASKED_TO_PAUSE in held else "run"
        self._mind_collections()
        if command == "stop":
            self._ask(SafeStop(f"stopped on request; `phimask resume {self._run}` goes on"))
        elif self._ends is not None and time.monotonic() > self._ends:
            self._ask(SafeStop(f"--max-duration is over; `phimask resume {self._run}` goes on"))
        if command == "pause":
            reasons = (ASKED_TO_PAUSE, *reasons)
        if reasons or held:
            self._hold(reasons, changed=reasons != held)

    def _hold(self, reasons: tuple[str, ...], *, changed: bool) -> None:
        """Have work stand still for these, or go on, and tell so; numbers that have changed are told again."""
        told = [ASKED_TO_PAUSE] if ASKED_TO_PAUSE in reasons else []
        if self._throttle is not None and reasons:
            told.append(self._throttle.detail())
        detail = "; ".join(filter(None, told))
        if changed:
            if reasons:
                self._stop.hold(reasons)
            else:
                self._stop.release()
        elif detail == self._said or time.monotonic() - self._said_at < _SAY_AGAIN:
            return
        self._said, self._said_at = detail, time.monotonic()
        self._tell(Holding(reasons, detail))

    def _mind_collections(self) -> None:
        with contextlib.suppress(PyMongoError):  # a deployment that does not answer is the workers' matter
            gone = self._still_there()
            if gone is not None:
                self._ask(StoreError(gone))

    def _ask(self, because: PhimaskError) -> None:
        if self._because is None and not self._stop.interrupted:
            self._because = because
        self._stop.stop()
