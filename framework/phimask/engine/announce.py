"""Everyone who is told what happens: the report and the record over time first, then the observers, one event at a
time; and the alerts that follow from what happens, or from nothing happening."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Final

from loguru import logger

from phimask.log import describe_error, relay, scrub
from phimask.observing.alerting import Alerting
from phimask.observing.report import ReportBuilder
from phimask.observing.series import Series
from phimask.plugins.events import Event, Logged, RunStarted, Warned
from phimask.plugins.interfaces import Observer

_LOOK_SECONDS: Final = 1.0
"""How often the time that went by is judged."""


class Announcer:
    """Tells the report, the series and the observers. An observer that raises is left out from then on, which the log
    and the report say once."""

    def __init__(
        self, report: ReportBuilder, series: Series, observers: Sequence[Observer], alerting: Alerting
    ) -> None:
        self._report = report
        self._series = series
        self._observers = list(observers)
        self._alerting = alerting
        self._lock = threading.Lock()  # a writer thread has pauses to tell while the loop tells batches
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._go_on, name="phimask-alerts", daemon=True)
        for observer in observers:
            observer.warn = self._said.put

    def __call__(self, event: Event) -> None:
        """Tell everyone."""
        with self._lock:
            if isinstance(event, Logged):
                relay(event.worker, event.level, event.source, event.line, event.message)
            self._tell(event)
            for alert in self._alerting.notify(event):
                self._tell(alert)
            self._pass_on()
        if isinstance(event, RunStarted):
            self._looking.start()

    def end_alerts(self) -> None:
        """The run is about to end: alerts that are open are told as over, and time raises none any more."""
        self._stop_looking()
        with self._lock:
            for alert in self._alerting.end():
                self._tell(alert)
            self._pass_on()

    def close(self) -> None:
        """The run is over. What observers still have to say is for the report, the record over time and the log."""
        self._stop_looking()
        for observer in tuple(self._observers):
            try:
                observer.close()
            except Exception as error:  # noqa: BLE001  (an observer may not fail the run, whatever it raises)
                self._leave_out(observer, error)
        self._observers.clear()
        self._pass_on(log=True)

    def _stop_looking(self) -> None:
        self._over.set()
        if self._looking.is_alive():
            self._looking.join()

    def _tell(self, event: Event) -> None:
        self._report.notify(event)
        self._series.notify(event)
        for observer in tuple(self._observers):
            try:
                observer.notify(event)
            except Exception as error:  # noqa: BLE001  (as above)
                self._leave_out(observer, error)

    def _pass_on(self, *, log: bool = False) -> None:
        """What observers have said since."""
        while not self._said.empty():
            message = scrub(self._said.get())
            if log:
                logger.warning("{}", message)
            self._tell(Warned(message))

    def _leave_out(self, observer: Observer, error: BaseException) -> None:
        self._observers.remove(observer)
        message = f"observer {observer.name} failed and is left out: {describe_error(error)}"
        logger.warning("{}", message)
        for one in (self._report, self._series):
            one.notify(Warned(message))

    def _go_on(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            with self._lock:
                for alert in self._alerting.look():
                    self._tell(alert)
                self._pass_on()
