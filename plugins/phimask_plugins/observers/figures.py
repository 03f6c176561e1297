"""A run in figures: counters and gauges by name and label, as monitoring systems keep them.

`prometheus` and `opentelemetry` publish the same ones. Names and labels are part of what phimask promises: dashboards
and alerting rules are written against them. No label is a value, an `_id` or a run's id.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from phimask import events

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured. A counter only grows, a gauge stands somewhere; `labels` tell its figures apart."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: Labels
    is_what: str


BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds of batches that a histogram tells apart, those above the last besides."""

METRICS: Final = (
    Metric("phimask_run_info", "gauge", ("profile", "version"), "Always 1: what runs, under which profile."),
    Metric("phimask_run_started_timestamp_seconds", "gauge", (), "When the run, or its resume, began."),
    Metric(
        "phimask_collection_documents", "gauge", ("namespace",), "Documents that are to be masked, estimated."
    ),
    Metric(
        "phimask_collection_bytes", "gauge", ("namespace",), "BSON bytes that are to be masked, estimated."
    ),
    Metric(
        "phimask_resumed_documents",
        "gauge",
        ("namespace",),
        "Documents that were done before the run was resumed.",
    ),
    Metric(
        "phimask_documents_total",
        "counter",
        ("namespace", "outcome"),
        "Documents of finished batches: masked, unchanged, quarantined, missing.",
    ),
    Metric("phimask_read_bytes_total", "counter", ("namespace",), "BSON bytes of finished batches, as read."),
    Metric(
        "phimask_values_total",
        "counter",
        ("namespace", "outcome"),
        "Values that rules matched: masked, redacted_on_error, kept.",
    ),
    Metric(
        "phimask_classified_documents_total",
        "counter",
        ("namespace", "complexity"),
        "Documents of finished batches, where their class is told: simple, medium, complex.",
    ),
    Metric(
        "phimask_batch_seconds",
        "histogram",
        ("namespace",),
        "What batches took: reading, masking, writing, checking.",
    ),
    Metric("phimask_partitions_finished_total", "counter", ("namespace",), "Partitions that are done."),
    Metric(
        "phimask_set_aside_total",
        "counter",
        ("namespace",),
        "Oversize documents that were put off to the end.",
    ),
    Metric(
        "phimask_verified_documents",
        "gauge",
        ("namespace",),
        "Documents that verification has checked so far.",
    ),
    Metric(
        "phimask_findings_total",
        "counter",
        ("namespace", "validator", "phase"),
        "Findings of validators, and of quarantined documents.",
    ),
    Metric("phimask_workers", "gauge", (), "Worker processes; 0 where the run's own process works."),
    Metric(
        "phimask_worker_memory_bytes",
        "gauge",
        ("worker",),
        "Resident bytes of a worker after its last batch.",
    ),
    Metric(
        "phimask_memory_ceiling_bytes",
        "gauge",
        (),
        "Resident bytes that a worker may come to; 0 for no limit.",
    ),
    Metric(
        "phimask_workers_ended_total",
        "counter",
        ("reason",),
        "Worker processes that are gone: done, stopped, memory, failed, died, hung.",
    ),
    Metric("phimask_worker_restarts_total", "counter", (), "Worker processes that were replaced."),
    Metric(
        "phimask_paused_seconds_total", "counter", ("reason",), "Seconds that workers stood still, added up."
    ),
    Metric(
        "phimask_holding", "gauge", ("reason",), "1 while all workers are to stand still for this reason."
    ),
    Metric("phimask_breaker_trips_total", "counter", ("reason",), "Openings of the circuit breaker."),
    Metric("phimask_alert", "gauge", ("rule",), "1 while a rule of the profile's `alerts` is broken."),
    Metric("phimask_alerts_total", "counter", ("rule",), "Alerts raised."),
    Metric("phimask_warnings_total", "counter", (), "Warnings, which the report and the log have in words."),
)


@dataclass(slots=True)
class Histogram:
    """Counts by upper bound, the last of them without one, and the sum of all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(BOUNDS, value)] += 1
        self.total += value


class Figures:
    """Follows the events of a run; asked from other threads."""

    def __init__(self, version: str, clock: Callable[[], float] = time.time) -> None:
        """`clock`: seconds since the epoch."""
        self._version = version
        self._clock = clock
        self._lock = threading.Lock()
        self._figures: dict[str, dict[Labels, float]] = {one.name: {} for one in METRICS}
        self._seconds: dict[Labels, Histogram] = {}
        self._workers: set[str] = set()

    def values(self, name: str) -> Mapping[Labels, float]:
        """What a counter or gauge comes to, by its labels."""
        with self._lock:
            return dict(self._figures[name])

    def histograms(self) -> Mapping[Labels, Histogram]:
        """Those of `phimask_batch_seconds`."""
        with self._lock:
            return {key: Histogram(list(one.counts), one.total) for key, one in self._seconds.items()}

    def notify(self, event: events.Event) -> None:
        """Take in an event; those that move no figure pass by."""
        with self._lock:
            self._count(event)

    def _count(self, event: events.Event) -> None:
        match event:
            case events.BatchFinished():
                self._batch(event)
            case events.RunStarted():
                self._set("phimask_run_info", 1, event.profile, self._version)
                self._set("phimask_run_started_timestamp_seconds", self._clock())
                self._set("phimask_workers", 0)
            case events.CollectionStarted():
                self._set("phimask_collection_documents", event.documents, event.namespace)
                self._set("phimask_collection_bytes", event.bytes, event.namespace)
                self._set("phimask_resumed_documents", event.done, event.namespace)
            case events.PartitionFinished():
                self._add("phimask_partitions_finished_total", 1, event.namespace)
            case events.SetAside():
                self._add("phimask_set_aside_total", 1, event.namespace)
            case events.VerificationProgress():
                self._set("phimask_verified_documents", event.checked, event.namespace)
            case events.FindingMade():
                self._add("phimask_findings_total", 1, event.namespace, event.validator, event.phase)
            case events.WorkerStarted() | events.WorkerEnded():
                self._worker(event)
            case events.Paused():
                self._add("phimask_paused_seconds_total", event.seconds, event.reason)
            case events.Holding():
                for (reason,) in self._figures["phimask_holding"]:
                    self._set("phimask_holding", 0, reason)
                for reason in event.reasons:
                    self._set("phimask_holding", 1, reason)
            case events.BreakerTripped():
                self._add("phimask_breaker_trips_total", 1, event.reason)
            case events.AlertRaised():
                self._set("phimask_alert", 0 if event.cleared else 1, event.rule)
                self._add("phimask_alerts_total", 0 if event.cleared else 1, event.rule)
            case events.Warned():
                self._add("phimask_warnings_total", 1)

    def _batch(self, event: events.BatchFinished) -> None:
        where = event.namespace
        for outcome, count in (
            ("masked", event.written),
            ("unchanged", event.unchanged),
            ("quarantined", event.quarantined),
            ("missing", event.missing),
        ):
            self._add("phimask_documents_total", count, where, outcome)
        for outcome, counts in (
            ("masked", event.masked),
            ("redacted_on_error", event.redacted_on_error),
            ("kept", event.kept),
        ):
            self._add("phimask_values_total", sum(counts), where, outcome)
        for complexity, count in event.classes.items():
            self._add("phimask_classified_documents_total", count, where, complexity)
        self._add("phimask_read_bytes_total", event.bytes, where)
        self._seconds.setdefault((where,), Histogram()).add(event.seconds)
        self._set("phimask_worker_memory_bytes", event.rss_bytes, event.worker)
        self._set("phimask_memory_ceiling_bytes", event.ceiling_bytes or 0)

    def _worker(self, event: events.WorkerStarted | events.WorkerEnded) -> None:
        if isinstance(event, events.WorkerStarted):
            self._workers.add(event.worker)
        else:
            self._workers.discard(event.worker)
            self._figures["phimask_worker_memory_bytes"].pop((event.worker,), None)
            self._add("phimask_workers_ended_total", 1, event.reason)
            self._add("phimask_worker_restarts_total", event.replaced)
        self._set("phimask_workers", len(self._workers))

    def _set(self, name: str, value: float, *labels: str) -> None:
        self._figures[name][labels] = value

    def _add(self, name: str, value: float, *labels: str) -> None:
        kept = self._figures[name]
        kept[labels] = kept.get(labels, 0) + value
