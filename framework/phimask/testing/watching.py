"""The conformance checks of what only looks: detectors at texts, observers at a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from phimask.plugins import events
from phimask.plugins.interfaces import Detector, Observer
from phimask.plugins.values import Detection
from phimask.testing.making import check_class, make, require

_TEXTS: Final = (
    "", " ", "\n", "🩺🩺🩺🩺🩺🩺 123-45-6789", "מרים כהן 212-555-0134",
    "Wilhelmina Oakes, MRN 0047113, SSN 123-45-6789, born 04/17/1931, lives at 17 Elm Street, Springfield, MA 01103.",
    "Call (212) 555-0134 or +1 212-555-0178 ext. 5, or write to w.oakes@example.org, see https://example.com/p/4711.",
    "Card 4111 1111 1111 1111, IBAN GB82 WEST 1234 5698 7654 32, IP 192.0.2.77, NPI 1234567893, on 2019-03-04.",
    "No PHI in this sentence.", "e\u0301" * 200, "\x00\x00123-45-6789\x00", "1" * 5000, "a@" * 2500,
    "-" * 5000, "(" * 2000,
    "\ud800 123-45-6789",
)  # fmt: skip


def check_detector(cls: type[Detector], options: Mapping[str, Any] | None = None) -> None:
    """Check that a detector's stretches lie inside the text, in order, under labels that it declares, and are
    the same when asked again."""
    check_class("detector", cls)
    labels = cls.labels
    require(
        isinstance(labels, frozenset | set)
        and bool(labels)
        and all(isinstance(one, str) and one for one in labels),
        cls,
        "it declares no labels; set `labels` to the names of what it finds",
    )
    detector = make(cls, options)
    for text in _TEXTS:
        try:
            found = list(detector.detect(text))
        except Exception as error:  # noqa: BLE001  (a detector may raise anything, and that is what is looked for)
            raise AssertionError(
                f"{cls.__qualname__}: detect() raises {type(error).__name__} on {text[:40]!r}; find nothing instead"
            ) from None
        _check_detections(cls, text, found)
        require(
            list(make(cls, options).detect(text)) == found,
            cls,
            f"it finds something else when asked again: {text[:40]!r}",
        )


def _check_detections(cls: type[Detector], text: str, found: list[Detection]) -> None:
    shown = f"in {text[:40]!r}"
    for one in found:
        require(
            isinstance(one, Detection), cls, f"detect() gives a {type(one).__name__}; give phimask.Detection"
        )
        require(
            0 <= one.start < one.end <= len(text),
            cls,
            f"[{one.start}, {one.end}) is no stretch of {len(text)} characters {shown}; count code points, not bytes",
        )
        require(one.label in cls.labels, cls, f"the label {one.label!r} is not among its `labels` {shown}")
        require(0 <= one.confidence <= 1, cls, f"a confidence of {one.confidence!r} {shown}; give 0 to 1")
    starts = [one.start for one in found]
    require(starts == sorted(starts), cls, f"its stretches are not in order of start {shown}")


_NOON: Final = 1_795_694_400.0
_AT: Final = "ehr.patients [bold] 🩺 {0} %s"

EVENTS: Final[tuple[events.Event, ...]] = (
    events.RunStarted(run_id="0f6c", profile="emergency", collections=(_AT, "ehr.visits")),
    events.CollectionStarted(namespace=_AT, target="ehr_masked.patients", documents=12, bytes=90_000),
    events.WorkerStarted(worker="w1", pid=4711),
    events.WorkerStarted(worker="w2", pid=4712),
    events.PartitionStarted(namespace=_AT, partition=0, documents=None, worker="w1"),
    events.BatchFinished(
        namespace=_AT, partition=0, documents=7, bytes=52_000, seconds=0.25, written=5, unchanged=1, quarantined=1,
        missing=0, rss_bytes=80_000_000, masked=(3, 0), redacted_on_error=(1, 0), classes={"simple": 6, "complex": 1},
        worker="w1",
    ),
    events.BatchFinished(
        namespace=_AT, partition=0, documents=0, bytes=0, seconds=0.0, written=0, unchanged=0, quarantined=0,
        missing=0, rss_bytes=0,
    ),
    events.Paused(reason="memory", seconds=1.5, worker="w1"),
    events.SetAside(namespace=_AT, partition=0, bytes=16_000_000, worker="w1"),
    events.Scaled(before=2, workers=4, because="2 have 9.1 MB/s: trying 4"),
    events.MemorySpent(rss_bytes=2_900_000_000, worker="w1"),
    events.Holding(reasons=("replica lag", "flag file"), detail="replica lag: b:27017 is 2.4 s behind"),
    events.Holding(reasons=()),
    events.Logged(worker="w1", level="WARNING", message=_AT, source="phimask.engine", line=7),
    events.WorkerEnded(worker="w2", reason="died", restarts=1, replaced=True),
    events.WorkerStarted(worker="w2", pid=4713),
    events.BreakerTripped(reason="slow_batch", detail="16.1 s"),
    events.Warned(message="a rule matches nothing: $.rules[3]"),
    events.AlertRaised(
        rule="slow", message="147 documents a second over 60 s, fewer than 200", at=_NOON, namespace=_AT
    ),
    events.AlertRaised(rule="worker", message="worker w2 died and is replaced", at=_NOON, worker="w2"),
    events.AlertRaised(
        rule="slow", message="231 documents a second over 60 s", at=_NOON, namespace=_AT, cleared=True
    ),
    events.FindingMade(
        namespace=_AT, validator="structure", phase="during", what="a type changed", path="Visits.Date", count=2
    ),
    events.FindingMade(namespace=_AT, validator="count", phase="after", what="one is missing", path=None, count=1),
    events.PartitionFinished(namespace=_AT, partition=0, worker="w1"),
    events.WorkerEnded(worker="w1", reason="done", restarts=1, cpu_seconds=2.5, peak_rss_bytes=90_000_000),
    events.VerificationProgress(namespace=_AT, checked=6, documents=12),
    events.CollectionFinished(namespace=_AT, report={}),
    events.CollectionStarted(namespace="ehr.visits", target=None, documents=0, bytes=0),
    events.CollectionFinished(namespace="ehr.visits", report={}),
    events.RunFinished(status="stopped", report={}),
)  # fmt: skip
"""A run in which each event happens at least once."""


def check_observer(cls: type[Observer], options: Mapping[str, Any] | None = None) -> None:
    """Check that an observer takes every event of a run, of an empty one, and of one that ends early, and can be
    closed twice. It may print."""
    check_class("observer", cls)
    for told in (EVENTS, EVENTS[:4], EVENTS[2:5], EVENTS[-1:], ()):
        observer = make(cls, options)
        for event in told:
            _survives(cls, f"notify({type(event).__name__})", partial(observer.notify, event))
        _survives(cls, "close()", observer.close)
        _survives(cls, "close(), called a second time,", observer.close)


def _survives(cls: type[Observer], called: str, call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        raise AssertionError(
            f"{cls.__qualname__}: {called} raises {type(error).__name__}; the run would go on without it"
        ) from error
