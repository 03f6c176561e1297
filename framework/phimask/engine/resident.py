"""How much memory this process holds: the most while a batch was in hand, and giving back what it does not need."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from pathlib import Path
from typing import Final, Protocol

import psutil

_STATUS: Final = Path("/proc/self/status")
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_RESET_PEAK: Final = "5"
"""Makes VmHWM begin anew and touches nothing else (Linux 4.0 and later; proc_pid_clear_refs(5))."""
_MMAP_THRESHOLD: Final = -3
_LARGE_BLOCK: Final = 1024 * 1024
_SAMPLE_SECONDS: Final = 0.02


class _Source(Protocol):
    def take(self) -> tuple[int, int]:
        """Bytes resident now, and the most since this was asked last."""
        ...

    def watch(self, *, on: bool) -> None:
        """Whether anybody wants to know."""
        ...


class _HighWaterMark:
    """The kernel's own record, which misses nothing. Raises OSError where it is not to be had."""

    def __init__(self) -> None:
        self.take()

    def take(self) -> tuple[int, int]:
        found: dict[str, int] = {}
        for line in _STATUS.read_text("ascii", "replace").splitlines():
            name, _, rest = line.partition(":")
            if name in ("VmHWM", "VmRSS"):
                found[name] = int(rest.split()[0]) * 1024
        _CLEAR_REFS.write_text(_RESET_PEAK, "ascii")
        if len(found) != 2:
            raise OSError
        return found["VmRSS"], max(found.values())

    def watch(self, *, on: bool) -> None:
        del on


class _Sampler:
    """Looks again and again, where the system keeps no record that can be begun anew."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._highest = 0
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> tuple[int, int]:
        now = int(self._process.memory_info().rss)
        highest, self._highest = max(now, self._highest), now
        return now, highest

    def watch(self, *, on: bool) -> None:
        if not on:
            self._wanted.clear()
            return
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="phimask-resident", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        while True:
            self._wanted.wait()
            with contextlib.suppress(psutil.Error):
                self._highest = max(self._highest, int(self._process.memory_info().rss))
            threading.Event().wait(_SAMPLE_SECONDS)


class Span:
    """The time that one batch is in hand. `resident`: bytes when it began; `peak`: the most since then."""

    __slots__ = ("peak", "resident")

    def __init__(self, resident: int) -> None:
        self.resident = self.peak = resident


class ResidentMemory:
    """Tells what the process came to while a batch was in hand, also where several are at the same time."""

    def __init__(self, *, sample: bool = False) -> None:
        """`sample`: look again and again, even where the system keeps a record."""
        self._lock = threading.Lock()
        self._open: list[Span] = []
        self._source: _Source = _Sampler() if sample else _source()

    def begin(self) -> Span:
        """A batch is begun."""
        with self._lock:
            self._source.watch(on=True)
            span = Span(self._mark())
            self._open.append(span)
        return span

    def end(self, span: Span) -> None:
        """It is done, or given up; to be told again does nothing."""
        with self._lock:
            if span in self._open:
                self._mark()
                self._open.remove(span)
                self._source.watch(on=bool(self._open))

    def _mark(self) -> int:
        now, highest = self._source.take()
        for span in self._open:
            span.peak = max(span.peak, highest)
        return now


def _source() -> _Source:
    try:
        return _HighWaterMark()
    except (OSError, ValueError):
        return _Sampler()


def give_back() -> None:
    """Let the C library return to the system what it keeps for later, where it can (glibc: malloc_trim(3))."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def return_large_blocks() -> None:
    """From now on, let large blocks, such as documents and replies, go back to the system as soon as they are free.

    glibc does so up to a size that grows with the blocks that are freed, to 32 MB: a process that has had a few
    documents of 16 MB keeps many times as much. A size that is set does not grow (mallopt(3), M_MMAP_THRESHOLD).
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)
