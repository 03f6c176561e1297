from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from phimask import events
from phimask.log import close_log, configure_log
from phimask.testing import check_observer
from phimask_plugins.observers import ALL, JsonLog, LogObserver, Notify, OpenTelemetry, Progress, Prometheus

NOON = 1_795_694_400.0


def batch(namespace: str) -> events.BatchFinished:
    return events.BatchFinished(
        namespace=namespace,
        partition=3,
        documents=10,
        bytes=700,
        seconds=0.25,
        written=7,
        unchanged=1,
        quarantined=2,
        missing=0,
        rss_bytes=90,
        masked=(5, 6),
        redacted_on_error=(0, 1),
    )


EXPECTED = [
    (
        events.RunStarted("r1", "emergency", ("ehr.a", "ehr.b")),
        "INFO",
        "run r1 started, profile emergency, collections ehr.a, ehr.b",
    ),
    (
        events.CollectionStarted("ehr.a", None, 30, 2100),
        "INFO",
        "ehr.a: started in place, 30 documents, 2100 bytes",
    ),
    (
        events.CollectionStarted("ehr.a", "m.a", 30, 2100),
        "INFO",
        "ehr.a: started into m.a, 30 documents, 2100 bytes",
    ),
    (events.PartitionStarted("ehr.a", 3, None), "INFO", "ehr.a: partition 3 started"),
    (events.PartitionStarted("ehr.a", 3, 9), "INFO", "ehr.a: partition 3 started, about 9 documents"),
    (
        batch("ehr.a"),
        "INFO",
        "ehr.a: batch 1 of partition 3: 10 documents, 700 bytes, 0.250 s, 7 written, 1 unchanged, "
        "2 quarantined, 0 missing, 11 values masked, 1 redacted on error, 90 bytes resident",
    ),
    (
        events.PartitionStarted("ehr.a", 3, 9, "w2"),
        "INFO",
        "ehr.a: partition 3 started by w2, about 9 documents",
    ),
    (events.PartitionFinished("ehr.a", 3, "w2"), "INFO", "ehr.a: partition 3 finished by w2"),
    (events.PartitionFinished("ehr.a", 3), "INFO", "ehr.a: partition 3 finished"),
    (events.Paused("memory", 1.5), "INFO", "stood still for 1.500 s: memory"),
    (events.Paused("memory", 1.5, "w2"), "INFO", "w2 stood still for 1.500 s: memory"),
    (
        events.SetAside("ehr.a", 3, 16_000_000, "w2"),
        "INFO",
        "ehr.a: partition 3 begins with a document of 16000000 bytes now and is set aside: it is masked after all "
        "others",
    ),
    (
        events.MemorySpent(700, "w2"),
        "WARNING",
        "w2 holds 700 bytes and cannot give them back but by its end",
    ),
    (events.Holding(("replica lag", "flag file")), "INFO", "standing still: replica lag, flag file"),
    (
        events.Holding(("replica lag",), "replica lag: b:1 is 2.4 s behind"),
        "INFO",
        "standing still: replica lag: b:1 is 2.4 s behind",
    ),
    (events.Holding(()), "INFO", "going on"),
    (
        events.Scaled(4, 8, "4 have 9.1 MB/s: trying 8"),
        "INFO",
        "workers: 8 rather than 4: 4 have 9.1 MB/s: trying 8",
    ),
    (events.Scaled(8, 8, "8 it is, with 18.0 MB/s"), "INFO", "workers: 8 as before: 8 it is, with 18.0 MB/s"),
    (events.WorkerStarted("w2", 4711), "INFO", "worker w2 started, process 4711"),
    (
        events.WorkerEnded("w2", "died", 3, True, 1.25, 700),
        "WARNING",
        "worker w2 ended: died, to be replaced, 3 restarts so far, 1.2 s of CPU, at most 700 bytes resident",
    ),
    (
        events.WorkerEnded("w2", "done", 0, False, 1.25, 700),
        "INFO",
        "worker w2 ended: done, 0 restarts so far, 1.2 s of CPU, at most 700 bytes resident",
    ),
    (
        events.BreakerTripped("failures", "3 in a row"),
        "WARNING",
        "the circuit breaker opened: failures: 3 in a row",
    ),
    (
        events.FindingMade("ehr.a", "structure", "during", "a type changed", "A.B", 2),
        "WARNING",
        "ehr.a: structure (during) found at A.B: a type changed (2)",
    ),
    (
        events.FindingMade("ehr.a", "count", "after", "one is lost", None, 1),
        "WARNING",
        "ehr.a: count (after) found: one is lost (1)",
    ),
    (events.VerificationProgress("ehr.a", 5, 30), "INFO", "ehr.a: 5 of 30 documents verified"),
    (events.Warned("100% of {rules} match"), "WARNING", "100% of {rules} match"),
    (
        events.AlertRaised("batch", "a batch took 14.2 s, more than 10 s", NOON, "ehr.a", "w2"),
        "WARNING",
        "ehr.a: alert batch by w2: a batch took 14.2 s, more than 10 s",
    ),
    (
        events.AlertRaised("worker", "not again for 60 s; it was once", NOON, cleared=True),
        "INFO",
        "alert worker is over: not again for 60 s; it was once",
    ),
    (events.AlertRaised("finished", "run completed", NOON), "INFO", "alert finished: run completed"),
    (
        events.CollectionFinished(
            "ehr.a", {"documents": {"total": 30, "masked": 29}, "quarantined_ids": ["canary"]}
        ),
        "INFO",
        "ehr.a: finished, documents: 30 total, 29 masked",
    ),
    (events.RunFinished("completed", {"collections": ["canary"]}), "INFO", "run completed"),
    (events.RunFinished("failed", {}), "WARNING", "run failed"),
]


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    level = logging.getLogger("phimask").level
    path = configure_log(tmp_path, run="r1", quiet=True)
    assert path is not None
    yield path
    close_log()
    logging.getLogger("phimask").setLevel(level)


@pytest.mark.parametrize(("event", "level", "said"), EXPECTED)
def test_every_event_is_one_line_of_the_log(
    event: events.Event, level: str, said: str, log_file: Path
) -> None:
    LogObserver({}).notify(event)
    (line,) = log_file.read_text("utf-8").splitlines()
    assert line.split()[1] == level
    assert _said(line) == said


def _said(line: str) -> str:
    return line.split(" phimask.events:", 1)[1].split(" ", 1)[1]


def test_every_kind_of_event_is_among_them() -> None:
    tested = {type(event).__name__ for event, _, _ in EXPECTED}
    assert tested == set(events.__all__) - {"Event", "Logged"}


def test_what_a_worker_logged_is_not_logged_again(log_file: Path) -> None:
    LogObserver({}).notify(events.Logged("w2", "WARNING", "an index is missing"))
    assert log_file.read_text("utf-8") == ""


def test_an_event_of_a_later_version_is_named() -> None:
    class Invented(events.Event):
        def __repr__(self) -> str:
            return "canary"

    seen: list[str] = []

    class Witness(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logger = logging.getLogger("phimask.events")
    witness, level = Witness(), logger.level
    logger.addHandler(witness)
    logger.setLevel(logging.INFO)
    try:
        LogObserver({}).notify(Invented())
    finally:
        logger.removeHandler(witness)
        logger.setLevel(level)
    assert seen == ["Invented"]


def test_batches_are_numbered_within_their_collection(log_file: Path) -> None:
    observer = LogObserver({})
    for namespace in ("ehr.a", "ehr.a", "ehr.b"):
        observer.notify(batch(namespace))
    starts = [_said(line)[:14] for line in log_file.read_text("utf-8").splitlines()]
    assert starts == ["ehr.a: batch 1", "ehr.a: batch 2", "ehr.b: batch 1"]


def test_it_keeps_its_interface() -> None:
    check_observer(LogObserver)


def test_the_built_in_observers_are_these() -> None:
    assert set(ALL) == {JsonLog, LogObserver, Notify, OpenTelemetry, Progress, Prometheus}


def test_what_all_stand_still_for_is_no_line_of_each_worker(log_file: Path) -> None:
    observer = LogObserver({})
    for event in (
        events.Holding(("replica lag", "flag file")),
        *(events.Paused(reason, 10.0, f"w{n}") for n in range(16) for reason in ("replica lag", "flag file")),
        events.Paused("retry: code 112", 0.5, "w1"),
        events.Holding(()),
        events.Paused("replica lag", 0.4, "w1"),
        events.Holding(("flag file",)),
        events.Holding(()),
    ):
        observer.notify(event)
    assert [_said(line) for line in log_file.read_text("utf-8").splitlines()] == [
        "standing still: replica lag, flag file",
        "w1 stood still for 0.500 s: retry: code 112",
        "going on",
        "standing still: flag file",
        "going on",
    ]
