"""Recording a run over time: what happened since the last look goes into the ledger, every half second at first."""

from __future__ import annotations

import time
from collections.abc import Callable

from loguru import logger
from pymongo.errors import PyMongoError

from phimask.ledger.series import RunSeries
from phimask.log import describe_error
from phimask.observing.series import Note, Point, Series, interval


class Recorder:
    """Called as often as anybody likes, from one thread; writes when it is time to."""

    def __init__(
        self, series: Series, kept: RunSeries, epoch: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._series = series
        self._kept = kept
        self._epoch = epoch
        self._clock = clock
        self._began = self._due = clock()

    def __call__(self, *, last: bool = False) -> None:
        """Write, if it is time or the `last` time. Without an answer from the ledger, that part of the record is
        missing: the run does not hang on it."""
        now = self._clock()
        if now < self._due and not last:
            return
        self._due = now + interval(now - self._began)
        self._add(*self._series.take())

    def afterwards(self) -> None:
        """Write what was said since the last time; nothing else goes on any more."""
        _, notes = self._series.take()
        self._add(None, notes)

    def _add(self, point: Point | None, notes: list[Note]) -> None:
        try:
            self._kept.add(self._epoch, point, notes)
        except PyMongoError as error:
            logger.debug("the record of the run over time has a gap: {}", describe_error(error))
