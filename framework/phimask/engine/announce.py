"""Everyone who is told what happens: the report and the record over time first, then the observers, one event at a
time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from loguru import logger

from phimask.log import describe_error, relay
from phimask.observing.report import ReportBuilder
from phimask.observing.series import Series
from phimask.plugins.events import Event, Logged
from phimask.plugins.interfaces import Observer


class Announcer:
    """Tells the report, the series and the observers. An observer that raises is logged once and left out from then
    on."""

    def __init__(self, report: ReportBuilder, series: Series, observers: Sequence[Observer]) -> None:
        self._report = report
        self._series = series
        self._observers = list(observers)
        self._lock = threading.Lock()  # a writer thread has pauses to tell while the loop tells batches

    def __call__(self, event: Event) -> None:
        """Tell everyone."""
        with self._lock:
            if isinstance(event, Logged):
                relay(event.worker, event.level, event.source, event.line, event.message)
            self._report.notify(event)
            self._series.notify(event)
            for observer in tuple(self._observers):
                try:
                    observer.notify(event)
                except Exception as error:  # noqa: BLE001  (an observer may not fail the run, whatever it raises)
                    self._leave_out(observer, error)

    def close(self) -> None:
        """The run is over."""
        for observer in tuple(self._observers):
            try:
                observer.close()
            except Exception as error:  # noqa: BLE001  (as above)
                self._leave_out(observer, error)

    def _leave_out(self, observer: Observer, error: BaseException) -> None:
        self._observers.remove(observer)
        logger.warning("observer {} failed and is left out: {}", observer.name, describe_error(error))
