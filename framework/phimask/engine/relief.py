"""What is done about memory between two batches: the steps of a ladder, as far up as the governor says."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, get_args

from phimask.config.model import Collector
from phimask.engine.resident import give_back
from phimask.errors import SafeStop
from phimask.masking.core import MaskingCore
from phimask.plugins.events import Event, MemorySpent, Paused
from phimask.plugins.given import Control
from phimask.plugins.interfaces import BatchSizer, MemoryGovernor
from phimask.plugins.values import MemoryReading, Relief

_LADDER: Final[tuple[Relief, ...]] = get_args(Relief)
_PATIENCE: Final = 20
"""How often, half a second apart, memory may be found critical before the run stops safely."""
_PAUSE: Final = 0.5


class MemoryRelief:
    """Between two batches: shrink, drop caches, collect, pause, recycle, and at last stop: in this order, as far as the
    pressure asks. `cache`: the most bytes that maskers may have put aside, None: what their options allow."""

    def __init__(
        self,
        governor: MemoryGovernor,
        sizer: BatchSizer,
        core: MaskingCore,
        cache: int | None,
        control: Control,
        emit: Callable[[Event], None],
        worker: str,
    ) -> None:
        self._governor = governor
        self._sizer = sizer
        self._core = core
        self._cache = cache
        self._control = control
        self._emit = emit
        self._worker = worker
        self._shrunk_at = 0

    def mind(self, settle: Callable[[], object]) -> None:
        """Do what the governor asks for. `settle` finishes what is in flight: it is called before work stands still.

        Raises SafeStop where memory stays critical.
        """
        if self._cache is not None and self._core.cached_bytes() > self._cache:
            self._core.drop_caches()
        reading = self._governor.read()
        if reading.pressure == "ok" and reading.relief is None:
            self._shrunk_at = 0
            return
        steps = _steps(reading)
        if reading.rss_bytes > self._shrunk_at:
            self._sizer.shrink(reading.shrink)
            self._shrunk_at = reading.rss_bytes
        if "drop" in steps:
            self._core.drop_caches()
        if "collect" in steps:
            _collect()
        if "pause" in steps:
            settle()
            self._stand_still(reading)

    def _stand_still(self, reading: MemoryReading) -> None:
        start = time.perf_counter()
        told = False
        for _ in range(_PATIENCE):
            _collect()
            reading = self._governor.read()
            if reading.pressure != "critical":
                break
            if reading.relief == "recycle" and not told:
                told = True
                self._emit(MemorySpent(reading.rss_bytes, worker=self._worker))
            if self._control.wait(_PAUSE):
                return
        else:
            raise SafeStop(
                f"memory stays critical ({reading.rss_bytes / 1e6:,.0f} MB of {reading.ceiling_bytes / 1e6:,.0f} "
                "MB); lower batch_sizer.options.bytes or raise the memory_governor's ceiling"
            )
        paused = time.perf_counter() - start
        if paused >= _PAUSE:
            self._emit(Paused("memory", paused, worker=self._worker))


def _steps(reading: MemoryReading) -> tuple[Relief, ...]:
    """What is to be done; where the governor leaves that open, as it follows from the pressure."""
    if reading.relief is not None:
        return _LADDER[: _LADDER.index(reading.relief) + 1]
    return ("shrink", "collect") if reading.pressure == "high" else ("shrink", "drop", "collect", "pause")


def _collect() -> None:
    gc.collect()
    give_back()


@contextmanager
def frozen(settings: Collector) -> Iterator[None]:
    """What is there before a worker's first partition is not looked at again, if the profile says so: to look at all of
    it takes as long as to mask a hundred documents."""
    frozen_before = gc.get_freeze_count() > 0
    if settings.freeze:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        if settings.freeze and not frozen_before:  # by the process that phimask is called in
            gc.unfreeze()


@contextmanager
def collecting(settings: Collector) -> Iterator[None]:
    """Let Python's collector of cycles work as the profile says while batches go on: left to itself it walks a batch's
    values again and again."""
    was_enabled, before = gc.isenabled(), gc.get_threshold()
    if settings.thresholds is None:
        if settings.freeze:
            gc.collect()  # what the partitions before left, which is little
        gc.disable()
    else:
        gc.set_threshold(*settings.thresholds)
        gc.enable()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if was_enabled:
            gc.enable()
        else:
            gc.disable()


def after_batch(settings: Collector) -> None:
    """Look for cycles among what the last batch left, as far as the profile says."""
    if settings.after_batch == "young":
        gc.collect(1)
    elif settings.after_batch == "all":
        gc.collect()
