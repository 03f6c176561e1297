"""How a run is told to stand still and to end: by a person's Ctrl-C, by the system, or by the engine itself."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STEP: Final = 0.02
"""Seconds between two looks of who waits."""


class StopSignal:
    """A phimask.Control for one process. A stop is set once, never cleared; a hold comes and goes.

    `interrupted`: it was a person or the system that asked for the end.
    """

    # Plain flags and no lock: a signal's handler runs in the main thread, which may hold that lock just then.

    def __init__(self) -> None:
        self._stopping = False
        self._reasons: tuple[str, ...] = ()
        self.interrupted = False

    @property
    def stopping(self) -> bool:
        """True once somebody asked for the end."""
        return self._stopping

    @property
    def holding(self) -> tuple[str, ...]:
        """The reasons to stand still now; empty: go on."""
        return self._reasons

    def hold(self, reasons: Iterable[str]) -> None:
        """Ask for a standstill between batches, for these reasons instead of those before."""
        self._reasons = tuple(reasons)

    def release(self) -> None:
        """Let the work go on."""
        self._reasons = ()

    def stop(self) -> None:
        """Ask for the end at the next batch boundary."""
        self._stopping = True

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until the end is asked for, give or take a moment; true if it is."""
        until = time.monotonic() + seconds
        while not self.stopping:
            left = until - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _STEP))
        return self.stopping


@contextmanager
def stop_on_signals(stop: StopSignal) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and Windows' SIGBREAK into a stop after the batch in hand.

    Only the main thread may install handlers; in any other this does nothing.
    """

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (the signature of a handler)
        stop.interrupted = True
        stop.stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
