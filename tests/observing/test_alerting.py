from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from phimask.config.model import Alerts, SlowRun
from phimask.observing.alerting import Alerting
from phimask.plugins import events

NOON = 1_795_694_400.0
OFF = Alerts(
    slow=None, memory=None, batch=None, holding=None, breaker=None, worker=None, quarantine=None, finding=None,
    finished=False,
)  # fmt: skip
BATCH = events.BatchFinished(
    "ehr.a", 0, documents=100, bytes=700, seconds=0.5, written=100, unchanged=0, quarantined=0, missing=0, rss_bytes=90
)  # fmt: skip


@dataclass
class Told:
    """A run's alerts under some rules, by a clock that the test moves."""

    rules: Alerts
    seconds: float = 0.0
    alerts: list[events.AlertRaised] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._alerting = Alerting(self.rules, lambda: self.seconds, lambda: NOON)
        self.on(
            events.RunStarted("r", "p", ("ehr.a",)), events.CollectionStarted("ehr.a", None, 10**6, 10**9)
        )

    def on(self, *told: events.Event) -> None:
        for event in told:
            self.alerts += self._alerting.notify(event)

    def after(self, seconds: int, each_second: Iterable[events.Event] = ()) -> None:
        for _ in range(seconds):
            self.seconds += 1
            self.on(*each_second)
            self.alerts += self._alerting.look()

    def ended(self) -> list[events.AlertRaised]:
        return self._alerting.end()

    @property
    def rules_told(self) -> list[str]:
        return [("-" if one.cleared else "+") + one.rule for one in self.alerts]


def test_rules_that_are_off_say_nothing() -> None:
    run = Told(OFF)
    run.on(
        events.PartitionStarted("ehr.a", 0, None),
        replace(BATCH, seconds=1e6, peak_bytes=10**15, quarantined=9),
        events.Holding(("replica lag",)),
        events.BreakerTripped("failures", "3 in a row"),
        events.WorkerEnded("w1", "died", 1, replaced=True),
        events.FindingMade("ehr.a", "count", "after", "lost", None, 1),
        events.FindingMade("ehr.a", "quarantine", "during", "left", None, 9),
        events.RunFinished("failed", {}),
    )
    run.after(1000)
    assert run.alerts == []


def test_a_slow_run_is_told_once_and_again_when_it_is_not_any_more() -> None:
    run = Told(replace(OFF, slow=SlowRun(200, 10.0)))
    run.on(events.PartitionStarted("ehr.a", 0, None))
    run.after(9, [BATCH])
    assert run.alerts == []  # not before there was time to get going
    run.after(60, [BATCH])
    assert run.rules_told == ["+slow"]
    assert run.alerts[0] == events.AlertRaised(
        "slow", "100 documents a second over 10 s, fewer than 200", NOON, "ehr.a"
    )
    run.after(30, [BATCH, BATCH])
    assert run.rules_told == ["+slow"]  # 200 a second is no relief yet
    run.after(30, [BATCH, BATCH, BATCH])
    assert run.rules_told == ["+slow", "-slow"]


def test_a_run_that_stands_still_without_a_word_is_slow() -> None:
    run = Told(replace(OFF, slow=SlowRun(200, 10.0)))
    run.on(events.PartitionStarted("ehr.a", 0, None))
    run.after(20, [BATCH, BATCH, BATCH])
    run.after(20)
    assert run.rules_told == ["+slow"]


@pytest.mark.parametrize(
    "idle",
    [
        events.Holding(("replica lag",)),
        events.Holding(("time window",)),
        events.PartitionFinished("ehr.a", 0, "w1"),
        events.SetAside("ehr.a", 0, 16_000_000, "w1"),
        events.WorkerEnded("w1", "done", 0),
        events.VerificationProgress("ehr.a", 0, 100),
        events.CollectionFinished("ehr.a", {}),
    ],
    ids=lambda event: type(event).__name__,
)
def test_who_is_not_to_work_is_not_slow(idle: events.Event) -> None:
    run = Told(replace(OFF, slow=SlowRun(200, 10.0)))
    run.on(events.PartitionStarted("ehr.a", 0, None, "w1"))
    run.after(20, [BATCH, BATCH, BATCH])
    run.on(idle)
    run.after(1000)
    assert run.alerts == []


def test_the_next_collection_is_given_time_to_get_going() -> None:
    run = Told(replace(OFF, slow=SlowRun(200, 10.0)))
    run.on(events.PartitionStarted("ehr.a", 0, None))
    run.after(20, [BATCH, BATCH, BATCH])
    run.on(events.CollectionStarted("ehr.b", None, 5, 5), events.PartitionStarted("ehr.b", 0, None))
    run.after(9)
    assert run.alerts == []
    run.after(2)
    assert [(one.rule, one.namespace) for one in run.alerts] == [("slow", "ehr.b")]


def test_long_and_large_batches_are_told_once_a_spell() -> None:
    run = Told(replace(OFF, batch=10.0, memory=2_000_000_000))
    run.on(replace(BATCH, seconds=10.0, rss_bytes=2_000_000_000))
    assert run.alerts == []
    large = replace(BATCH, seconds=14.2, peak_bytes=2_310_000_000, worker="w3")
    run.after(50, [large])
    assert run.rules_told == ["+batch", "+memory"]
    assert run.alerts == [
        events.AlertRaised(
            "batch", "a batch of 100 documents took 14.2 s, more than 10 s", NOON, "ehr.a", "w3"
        ),
        events.AlertRaised("memory", "a batch came to 2.31 GB, more than 2.00 GB", NOON, "ehr.a", "w3"),
    ]
    run.after(59, [BATCH])
    assert len(run.alerts) == 2
    run.after(1, [BATCH])
    assert run.rules_told[2:] == ["-batch", "-memory"]
    assert run.alerts[2].message == "not again for 60 s; it was 50 times"
    run.on(large)
    assert run.rules_told[4:] == ["+batch", "+memory"]


def test_holding_for_long_is_told_unless_somebody_wants_it() -> None:
    run = Told(replace(OFF, holding=300.0))
    run.on(events.Holding(("replica lag",)))
    run.after(300)
    assert run.alerts == []
    run.on(events.Holding(("asked to pause", "replica lag", "flow control")))  # it is still held
    run.after(100)
    assert [one.message for one in run.alerts] == [
        "work has stood still for 301 s: replica lag, flow control"
    ]
    run.on(events.Holding(()))
    assert run.rules_told == ["+holding", "-holding"]
    assert run.alerts[1].message == "replica lag, flow control held for 400 s, work goes on"
    run.on(events.Holding(("time window",)))
    run.after(10_000)
    run.on(events.Holding(("asked to pause",)))
    run.after(10_000)
    assert len(run.alerts) == 2


def test_openings_and_lost_workers_count_from_the_first_or_from_a_later_one() -> None:
    run = Told(replace(OFF, breaker=2, worker=1))
    trip = events.BreakerTripped("slow_batch", "a batch took 16.1 s, more than 15 s")
    run.on(trip)
    assert run.alerts == []
    run.on(trip, trip)
    run.on(events.WorkerEnded("w2", "done", 0), events.WorkerEnded("w2", "memory", 1, replaced=True))
    run.on(events.WorkerEnded("w2", "hung", 2, replaced=True), events.WorkerEnded("w3", "died", 2))
    assert [(one.rule, one.message, one.worker) for one in run.alerts] == [
        ("breaker", "the circuit breaker opened (slow_batch): a batch took 16.1 s, more than 15 s", ""),
        ("worker", "worker w2 hung and is replaced", "w2"),
    ]
    run.after(60)
    assert run.rules_told[2:] == ["-breaker", "-worker"]


def test_quarantine_and_findings_are_told_once_a_collection_and_stay() -> None:
    run = Told(replace(OFF, quarantine=3, finding=1))
    left = replace(BATCH, quarantined=2)
    run.on(left)
    assert run.alerts == []
    run.on(left, left, replace(left, namespace="ehr.b"))
    run.on(events.FindingMade("ehr.a", "no_original", "after", "an original is left", "Visits.Note", 7))
    run.on(events.FindingMade("ehr.a", "count", "after", "one is missing", None, 1))
    # what was set aside before a resume, and told by no batch
    run.on(events.FindingMade("ehr.b", "quarantine", "during", "documents left unmasked", None, 5))
    run.after(1000)
    assert [(one.rule, one.namespace, one.message) for one in run.alerts] == [
        ("quarantine", "ehr.a", "4 documents in quarantine so far; see the report"),
        ("finding", "ehr.a", "1 finding of the verification so far; see the report"),
        ("quarantine", "ehr.b", "5 documents in quarantine so far; see the report"),
    ]


def test_what_is_open_is_over_with_the_run() -> None:
    run = Told(replace(OFF, slow=SlowRun(200, 10.0), batch=10.0, holding=5.0, quarantine=1))
    run.on(events.PartitionStarted("ehr.a", 0, None), replace(BATCH, seconds=11.0, quarantined=1))
    run.after(20, [replace(BATCH, seconds=11.0)])
    run.on(events.Holding(("replica lag",)))
    run.after(10)
    assert run.rules_told == ["+batch", "+quarantine", "+slow", "+holding"]
    run.alerts = run.ended()
    assert [(one.rule, one.message, one.namespace, one.cleared) for one in run.alerts] == [
        ("slow", "it was slow until the run ended", "ehr.a", True),
        ("holding", "replica lag held for 10 s, until the run ended", "ehr.a", True),
        ("batch", "the run ended; it was 21 times", "ehr.a", True),
    ]
    assert run.ended() == []


def test_a_run_without_open_alerts_ends_without_a_word() -> None:
    run = Told(replace(OFF, slow=SlowRun(200, 10.0), batch=10.0, holding=5.0, breaker=1))
    run.on(events.BreakerTripped("failures", "3 in a row"), events.Holding(("replica lag",)))
    run.after(60)
    run.on(events.Holding(()))
    assert run.rules_told == ["+breaker", "+holding", "-breaker", "-holding"]
    assert run.ended() == []


def test_the_end_says_how_it_was() -> None:
    one: dict[str, Any] = {
        "documents": {"masked": 1200, "quarantined": 3},
        "verification": [{"findings": [{"what": "Zebulon Quagmire", "path": "P.Zebulon", "count": 3}]}],
    }
    run = Told(replace(OFF, finished=True))
    run.on(events.RunFinished("completed", {"collections": [one, one], "throughput": {"seconds": 61.7}}))
    run.on(events.RunFinished("failed", {}))
    assert [each.message for each in run.alerts] == [
        "run completed: 2,400 documents masked in 62 s, 6 in quarantine, 2 findings",
        "run failed: 0 documents masked in 0 s, 0 in quarantine, 0 findings",
    ]
