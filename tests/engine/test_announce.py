"""Who is told what, and what becomes of an observer that fails or has something to say."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from phimask.config.model import Alerts
from phimask.engine import announce
from phimask.engine.announce import Announcer
from phimask.observing.alerting import Alerting
from phimask.observing.report import ReportBuilder
from phimask.observing.series import Series
from phimask.plugins import events
from phimask.plugins.interfaces import Observer

RULES = Alerts(
    slow=None, memory=None, batch=None, holding=0.0, breaker=1, worker=None, quarantine=None, finding=None,
    finished=True,
)  # fmt: skip
STARTED = events.RunStarted("r", "p", ())


class Keeping(Observer):
    name = "keeping"

    def __init__(self) -> None:
        super().__init__({})
        self.told: list[events.Event] = []
        self.alerted = threading.Event()

    def notify(self, event: events.Event) -> None:
        self.told.append(event)
        if isinstance(event, events.AlertRaised):
            self.alerted.set()


class Complaining(Observer):
    name = "complaining"

    def notify(self, event: events.Event) -> None:
        if isinstance(event, events.RunStarted):
            self.warn("the port is taken; mongodb://admin:hunter2@h has nothing to do with it")

    def close(self) -> None:
        self.warn("the last one was not delivered")


class Failing(Observer):
    name = "failing"

    def notify(self, event: events.Event) -> None:
        raise RuntimeError("Zebulon Quagmire")


def announcer(report: ReportBuilder, *observers: Observer) -> Announcer:
    return Announcer(report, Series(lambda: 0.0), observers, Alerting(RULES))


def test_alerts_follow_the_event_that_they_come_from() -> None:
    keeping = Keeping()
    tell = announcer(ReportBuilder(), keeping)
    tell(events.BreakerTripped("failures", "3 in a row"))
    tell(events.RunFinished("stopped", {}))
    assert [type(one).__name__ for one in keeping.told] == [
        "BreakerTripped", "AlertRaised", "RunFinished", "AlertRaised",
    ]  # fmt: skip


def test_open_alerts_are_over_before_the_report_is_made() -> None:
    keeping, report = Keeping(), ReportBuilder()
    tell = announcer(report, keeping)
    tell(STARTED)
    tell(events.BreakerTripped("failures", "3 in a row"))
    tell.end_alerts()
    tell(events.RunFinished("stopped", {}))
    told = [(one.rule, one.cleared) for one in keeping.told if isinstance(one, events.AlertRaised)]
    assert told == [("breaker", False), ("breaker", True), ("finished", False)]
    assert not [one for one in threading.enumerate() if one.name == "phimask-alerts"]
    tell.close()


def test_time_alone_raises_alerts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "_LOOK_SECONDS", 0.01)
    keeping = Keeping()
    tell = announcer(ReportBuilder(), keeping)
    tell(STARTED)
    tell(events.Holding(("replica lag",)))
    assert keeping.alerted.wait(30)
    tell.close()
    assert not [one for one in threading.enumerate() if one.name == "phimask-alerts"]


def test_what_observers_have_to_say_reaches_all_and_the_report() -> None:
    keeping, report = Keeping(), ReportBuilder()
    tell = announcer(report, Complaining({}), keeping)
    tell(STARTED)
    said = "the port is taken; mongodb://***@h has nothing to do with it"
    assert keeping.told == [STARTED, events.Warned(said)]
    tell.close()
    assert report.warnings == [said, "the last one was not delivered"]


def test_an_observer_that_fails_is_left_out_and_the_report_says_so() -> None:
    keeping, report = Keeping(), ReportBuilder()
    tell = announcer(report, Failing({}), keeping)
    for _ in range(3):
        tell(events.Holding(()))
    tell.close()
    assert len(keeping.told) == 3
    (said,) = report.warnings
    assert said.startswith("observer failing failed and is left out: RuntimeError at test_announce:")
    assert "Zebulon" not in said


def test_an_observer_outside_of_a_run_speaks_to_nobody() -> None:
    watching: Any = Complaining({})
    watching.notify(STARTED)
    watching.close()
