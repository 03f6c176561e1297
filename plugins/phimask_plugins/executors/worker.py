"""A worker process, from its first line to its last: it lets the job work, and tells its supervisor.

It outlives nobody: when the supervisor's end of the pipe closes, for whatever reason, the worker stops at its next
batch's end, and ends hard if that takes long. What it says goes through the pipe and is safe to show; nothing that
an exception holds reaches stderr.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from phimask import Job, Lane, PhimaskError, StopSignal, describe_error, events, forward_log
from phimask.cycles import look_seldom

_LOGGER: Final = logging.getLogger("phimask.workers")

OUT_OF_MEMORY: Final = 71
"""The exit code of a worker that was refused memory: nothing it could still say would be sure to be right."""

ORPHAN: Final = 5.0
"""Seconds that a worker whose supervisor is gone has for the batch in hand."""
_GATHER: Final = 0.05
"""Seconds that events wait for others, to be sent together."""
_BEAT: Final = 1.0
"""Seconds after which a worker that has nothing to tell, but goes on, says that it does."""


@dataclass(frozen=True, slots=True)
class Steer:
    """From the supervisor: stand still for these reasons, or go on; with `stop`, end at the next batch's end."""

    reasons: tuple[str, ...] = ()
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The last that a worker says. `error`: a pickled phimask.PhimaskError, if one ended the work; `text` describes
    that or any other error without its values; neither: the work came back. `stopped`: somebody had asked it to."""

    cpu_seconds: float
    stopped: bool
    text: str | None = None
    error: bytes | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """From a worker: what happened since the last one, in order. An empty one says that the work goes on."""

    events: tuple[events.Event, ...] = ()
    ended: Ended | None = None


def serve(
    connection: Connection,
    job: Connection,
    worker: str,
    holding: tuple[str, ...],
    lane: Lane,
    folder: str | None = None,
) -> None:
    """The main function of a worker process. Through `job` comes a pickled phimask.Job. `folder`: where files are that
    the configuration names without saying where, if it is there; None: where the process was started."""
    look_seldom()
    if folder is not None:
        with suppress(OSError):  # who needs a file from there says that there is none
            os.chdir(folder)
    stop = _Watched()
    stop.hold(holding)
    _take_signals(stop)
    # The supervisor's stdout may be a file or a pipe that a machine reads.
    sys.stdout = sys.stderr
    post = _Post(connection, stop)
    forward_log(lambda level, source, line, text: post.put(events.Logged(worker, level, text, source, line)))
    _tell_no_values()
    threading.Thread(target=_listen, args=(connection, stop), name="phimask-steer", daemon=True).start()
    post.start()
    text: str | None = None
    error: bytes | None = None
    try:
        with job:
            unpacked: Job = pickle.loads(job.recv_bytes())  # noqa: S301  (by the supervisor, through a pipe of its own)
        unpacked.work(worker, stop, post.put, lane)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except PhimaskError as failure:
        text = str(failure)
        error = pickle.dumps(failure.alone())
    except BaseException as failure:  # noqa: BLE001  (its text may hold a value, and a traceback would print it)
        text = describe_error(failure)
    post.close(Ended(time.process_time(), stop.stopping, text, error))


class _Watched(StopSignal):
    """Counts how often it is asked: work that asks is not hung."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    @property
    def stopping(self) -> bool:
        """See StopSignal."""
        self.looks += 1
        return super().stopping


class _Post:
    """Sends what the work tells, a few events at a time, from a thread of its own: the work never waits for it."""

    def __init__(self, connection: Connection, stop: _Watched) -> None:
        self._connection = connection
        self._stop = stop
        self._waiting: list[events.Event] = []
        self._ended: Ended | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="phimask-post", daemon=True)

    def start(self) -> None:
        """Begin to send; the first parcel says that the process is there."""
        self._thread.start()

    def put(self, event: events.Event) -> None:
        """To be sent soon, after all that was put before."""
        with self._changed:
            self._waiting.append(event)
            self._changed.notify()

    def close(self, ended: Ended) -> None:
        """Send all there is, and the end."""
        with self._changed:
            self._ended = ended
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        heard = -1
        while True:
            with self._changed:
                if not self._waiting and self._ended is None:
                    self._changed.wait(_BEAT)
                ended = self._ended
            if ended is None:
                time.sleep(_GATHER)
            with self._changed:
                told, self._waiting = tuple(self._waiting), []
                ended = self._ended
            if told or ended is not None or self._stop.looks != heard:
                heard = self._stop.looks
                try:
                    self._connection.send(Parcel(told, ended))
                except OSError:
                    self._stop.stop()  # nobody is there any more; the listener sees to the rest
                    return
            if ended is not None:
                return


def _listen(connection: Connection, stop: StopSignal) -> None:
    """Do as the supervisor says; without one, end."""
    while True:
        try:
            order: Steer = connection.recv()
        except (EOFError, OSError):
            break
        stop.hold(order.reasons)
        if order.stop:
            stop.stop()
    stop.stop()
    time.sleep(ORPHAN)
    os._exit(1)


def _take_signals(stop: StopSignal) -> None:
    """A terminal's signals go to all its processes: the supervisor decides what follows from them."""
    for name in ("SIGINT", "SIGBREAK", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: stop.stop())  # noqa: ARG005  (the signature of a handler)
    if sys.platform != "win32":
        signal.pthread_sigmask(
            signal.SIG_UNBLOCK, {signal.SIGINT}
        )  # blocked by the supervisor, for our start


def _tell_no_values() -> None:
    """Let no hook print an exception's message or traceback: either may hold a document."""

    def thread(failure: threading.ExceptHookArgs) -> None:
        _tell("a thread", failure.exc_value)

    def unraisable(failure: Any) -> None:
        _tell("a destructor or a callback", failure.exc_value)

    threading.excepthook = thread
    sys.unraisablehook = unraisable


def _tell(where: str, failure: BaseException | None) -> None:
    said = "something unknown" if failure is None else describe_error(failure)
    _LOGGER.warning("%s of a worker failed: %s", where, said)
