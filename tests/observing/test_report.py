from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import Expected, Finding, events
from phimask.observing import report as room
from phimask.observing.collection_entry import ReportedRule
from phimask.observing.report import ReportBuilder, without_ids
from phimask.observing.spread import spread
from phimask.observing.tally import Tally
from phimask.plugins.events import (
    BatchFinished,
    BreakerTripped,
    CollectionStarted,
    Event,
    FindingMade,
    PartitionFinished,
    Paused,
    Scaled,
    Warned,
    WorkerEnded,
    WorkerStarted,
)

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "report.schema.json").read_text("utf-8"))
CHECK = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


ALL_OF_IT = {"unjudged": [], "sample": None}
"""Of a result that is of all documents, all of them judged."""


def begun(clock: Callable[[], float] = lambda: 0.0, cpu: Callable[[], float] = lambda: 0.0) -> ReportBuilder:
    builder = ReportBuilder(clock, cpu, lambda: datetime(2026, 7, 29, 10, 15, tzinfo=timezone.utc))
    builder.begin(
        run_id="r1", profile="emergency", version="0.1.0", config_digest="d" * 64, key_fingerprint="f" * 16
    )
    return builder


COMPLEXITY_CHECK = {
    "sample": 10,
    "accuracy_percent": 90.0,
    "walked_percent": 20.0,
    "matrix": {
        "simple": {"simple": 6, "medium": 0, "complex": 0},
        "medium": {"simple": 1, "medium": 2, "complex": 0},
        "complex": {"simple": 0, "medium": 0, "complex": 1},
    },
}


def batch(namespace: str = "ehr.a", **changed: Any) -> BatchFinished:
    facts: dict[str, Any] = {
        "partition": 0,
        "documents": 10,
        "bytes": 2_000_000,
        "seconds": 2.0,
        "written": 8,
        "unchanged": 1,
        "quarantined": 1,
        "missing": 0,
        "rss_bytes": 90,
        "masked": (5, 0),
        "redacted_on_error": (1, 0),
        "kept": (0, 4),
        **changed,
    }
    return BatchFinished(namespace=namespace, **facts)


def test_a_run_is_added_up() -> None:
    clock, cpu = Clock(), Clock()
    builder = begun(clock, cpu)
    builder.collection(
        "ehr.a",
        "masked.a",
        [ReportedRule("Patient.SSN", "fpe", ("G",), 4), ReportedRule("Visits.NPI", "keep")],
        30,
        ceiling_bytes=200,
    )
    builder.complexity("ehr.a", {"simple": 6, "medium": 3, "complex": 1}, COMPLEXITY_CHECK)
    clock.seconds += 7
    cpu.seconds += 7
    builder.notify(CollectionStarted("ehr.a", "masked.a", 30, 6_000_000))
    clock.seconds += 2
    builder.notify(batch())
    builder.notify(Paused("memory", 0.5))
    builder.notify(Paused("memory", 0.25))
    builder.notify(Paused("retry", 1.0))
    builder.notify(BreakerTripped("slow_batch", "9 s"))
    builder.notify(Warned("rule X matches nothing"))
    builder.notify(Warned("rule X matches nothing"))
    clock.seconds += 2
    cpu.seconds += 3
    builder.notify(batch(seconds=4.0, rss_bytes=120, written=7, missing=1))
    builder.notify(PartitionFinished("ehr.a", 0))
    clock.seconds += 100
    builder.verified("ehr.a", "count", "after", 0, [])
    builder.verified("ehr.a", "no_original", "during", 3, [Finding("still original", "Patient.SSN", 2)])
    builder.verified("ehr.a", "no_original", "during", 4, [Finding("still original", "Patient.SSN", 1)])
    builder.quarantined("ehr.a", '{"$oid": "0123456789ab"}')
    report = builder.finish("completed")
    CHECK.validate(report)
    assert report == {
        "run_id": "r1",
        "profile": "emergency",
        "status": "completed",
        "stopped_because": None,
        "started": "2026-07-29T10:15:00.000Z",
        "resumed": 0,
        "finished": "2026-07-29T10:15:00.000Z",
        "phimask_version": "0.1.0",
        "software": {},
        "config_digest": "d" * 64,
        "key_fingerprint": "f" * 16,
        "collections": [
            {
                "namespace": "ehr.a",
                "target": "masked.a",
                "documents": {"total": 30, "masked": 15, "unchanged": 2, "quarantined": 2, "missing": 1},
                "seconds": 4.0,
                "rules": [
                    {
                        "path": "Patient.SSN",
                        "masker": "fpe",
                        "hipaa": ["G"],
                        "sampled": 4,
                        "values": 12,
                        "masked": 10,
                        "redacted_on_error": 2,
                    },
                    {
                        "path": "Visits.NPI",
                        "masker": "keep",
                        "hipaa": [],
                        "sampled": None,
                        "values": 8,
                        "masked": 0,
                        "redacted_on_error": 0,
                    },
                ],
                "batches": {
                    "count": 2,
                    "documents": 20,
                    "bytes": 4_000_000,
                    "seconds": {
                        "min": 2.0,
                        "p50": 2.0,
                        "p95": 4.0,
                        "max": 4.0,
                        "predicted_p50_error_percent": None,
                    },
                    "docs_per_second": {"min": 2.5, "p50": 2.5, "p95": 5.0, "max": 5.0},
                    "mb_per_second": {"min": 0.5, "p50": 0.5, "p95": 1.0, "max": 1.0},
                    "variance_percent": 100.0,
                },
                "complexity": {"simple": 6, "medium": 3, "complex": 1},
                "complexity_check": COMPLEXITY_CHECK,
                "predicted": None,
                "memory": {"peak_rss_bytes": 120, "ceiling_bytes": 200, "predicted_p50_error_percent": None},
                "throttled": {"memory": 0.75, "retry": 1.0},
                "scaling": [],
                "verification": [
                    {
                        "validator": "count",
                        "phase": "after",
                        "checked": 0,
                        "findings": [],
                        **ALL_OF_IT,
                        "ok": True,
                    },
                    {
                        "validator": "no_original",
                        "phase": "during",
                        "checked": 7,
                        "findings": [{"what": "still original", "path": "Patient.SSN", "count": 3}],
                        **ALL_OF_IT,
                        "ok": False,
                    },
                ],
                "quarantined_ids": ['{"$oid": "0123456789ab"}'],
                "unmapped": [],
                "indexes": None,
                "shadow": None,
                "write_path": "set",
            }
        ],
        "throughput": {"documents_per_second": 5.0, "seconds": 4.0, "workers": 1, "cpu_percent": 75.0},
        "restarts": 0,
        "breaker_trips": 1,
        "undo": None,
        "alerts": [],
        "accepted": [],
        "warnings": ["rule X matches nothing"],
    }


def test_collections_are_kept_apart_and_their_times_added() -> None:
    clock = Clock()
    builder = begun(clock)
    for namespace, seconds in (("ehr.a", 2), ("ehr.b", 3)):
        builder.collection(namespace, None, [], 10)
        builder.notify(CollectionStarted(namespace, None, 10, 10))
        clock.seconds += seconds
        builder.notify(batch(namespace))
        builder.notify(Paused(namespace, 1.0))
        clock.seconds += 50
    report = builder.finish("completed")
    CHECK.validate(report)
    assert [one["documents"]["masked"] for one in report["collections"]] == [8, 8]
    assert [one["throttled"] for one in report["collections"]] == [{"ehr.a": 1.0}, {"ehr.b": 1.0}]
    assert report["throughput"]["seconds"] == 5.0
    assert report["throughput"]["documents_per_second"] == 4.0


def test_what_was_done_before_a_resume_is_counted_and_no_part_of_the_speed() -> None:
    clock = Clock()
    builder = begun(clock)
    builder.collection("ehr.a", None, [], 10)
    clock.seconds += 2
    builder.notify(batch("ehr.a"))
    builder.settle("ehr.a", Tally(read=1008, masked=1008))
    report = builder.finish("completed")
    assert report["collections"][0]["documents"]["masked"] == 1008
    assert report["throughput"]["documents_per_second"] == 5.0


def test_a_run_that_got_nowhere_has_a_report_too() -> None:
    builder = begun()
    CHECK.validate(builder.finish("failed", "StoreError: gone"))
    builder.collection("ehr.a", None, [("SSN", "hash")], 0)
    builder.notify(Paused("retry", 1.0))
    report = builder.finish("stopped", "canary: too slow")
    CHECK.validate(report)
    assert report["stopped_because"] == "canary: too slow"
    assert report["collections"][0]["batches"]["variance_percent"] is None
    assert report["collections"][0]["memory"]["peak_rss_bytes"] is None
    assert report["throughput"]["documents_per_second"] is None


def test_a_pause_before_any_collection_is_no_ones() -> None:
    builder = begun()
    builder.notify(Paused("retry", 1.0))
    builder.collection("ehr.a", None, [], 0)
    assert builder.entry("ehr.a")["throttled"] == {}


def test_a_batch_of_a_clock_that_stood_still_and_an_empty_one_are_counted() -> None:
    builder = begun()
    builder.collection("ehr.a", None, [], 0)
    builder.notify(batch(seconds=0.0))
    builder.notify(batch(documents=0, bytes=0, written=0, unchanged=0, quarantined=0))
    report = builder.finish("completed")
    CHECK.validate(report)
    batches = report["collections"][0]["batches"]
    assert batches["count"] == 2
    assert batches["docs_per_second"]["min"] == 10 / 1e-6
    assert batches["variance_percent"] == 0


def test_a_batch_of_a_collection_that_was_not_begun_is_a_fault() -> None:
    with pytest.raises(KeyError):
        begun().notify(batch("ehr.b"))


def test_the_ceiling_of_a_batch_replaces_the_one_at_the_beginning() -> None:
    builder = begun()
    builder.collection("ehr.a", None, [], 0, ceiling_bytes=1)
    builder.notify(batch())
    assert builder.entry("ehr.a")["memory"]["ceiling_bytes"] == 1
    builder.notify(batch(ceiling_bytes=500))
    assert builder.entry("ehr.a")["memory"]["ceiling_bytes"] == 500


def test_complexity_comes_from_batches_that_tell_it() -> None:
    builder = begun()
    builder.collection("ehr.a", None, [], 0)
    builder.complexity("ehr.a", {"simple": 600, "medium": 300, "complex": 100})
    assert builder.entry("ehr.a")["complexity"] == {"simple": 600, "medium": 300, "complex": 100}
    assert builder.entry("ehr.a")["complexity_check"] is None
    builder.notify(batch(classes={"simple": 4}))
    builder.notify(batch(classes={"simple": 1, "complex": 2}))
    assert builder.entry("ehr.a")["complexity"] == {"simple": 5, "medium": 0, "complex": 2}


def test_a_finding_as_an_event_is_not_counted_twice() -> None:
    builder = begun()
    builder.collection("ehr.a", None, [], 0)
    builder.notify(FindingMade("ehr.a", "count", "after", "one is lost", None, 1))
    builder.verified("ehr.a", "count", "after", 0, [Finding("one is lost")])
    assert builder.entry("ehr.a")["verification"][0]["findings"] == [
        {"what": "one is lost", "path": None, "count": 1}
    ]


def test_lists_that_could_grow_without_end_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_IDS", 3)
    builder = begun()
    builder.collection("ehr.a", None, [], 0)
    for number in range(500):
        builder.notify(Warned(f"warning {number}"))
        builder.quarantined("ehr.a", str(number))
        builder.verified("ehr.a", "untouched", "after", 1, [Finding("changed", f"path{number}")])
    report = builder.finish("completed")
    CHECK.validate(report)
    assert len(report["warnings"]) == 101
    assert report["warnings"][-1] == "further warnings are in the log"
    assert report["collections"][0]["quarantined_ids"] == ["0", "1", "2"]
    findings = report["collections"][0]["verification"][0]["findings"]
    assert len(findings) == 101
    assert sum(one["count"] for one in findings) == 500


def test_observers_get_no_ids() -> None:
    builder = begun()
    builder.collection("ehr.a", None, [], 0)
    builder.quarantined("ehr.a", "an id")
    assert "an id" not in json.dumps(builder.entry("ehr.a"))
    report = builder.finish("completed")
    spared = without_ids(report)
    CHECK.validate(spared)
    assert "an id" not in json.dumps(spared)
    assert report["collections"][0]["quarantined_ids"] == ["an id"]


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_spread_is_of_measured_values_in_order(measured: list[float]) -> None:
    found = spread(measured)
    assert found["min"] == round(min(measured), 6)
    assert found["max"] == round(max(measured), 6)
    assert all(value in [round(one, 6) for one in measured] for value in found.values())
    p50, p95 = found["p50"], found["p95"]
    assert p50 is not None
    assert p95 is not None
    assert sum(round(one, 6) <= p50 for one in measured) * 2 >= len(measured)
    assert sum(round(one, 6) >= p50 for one in measured) * 2 >= len(measured)
    assert sum(round(one, 6) <= p95 for one in measured) >= 0.95 * len(measured) - 1e-6
    assert found["min"] <= p50 <= p95 <= found["max"]


def test_a_spread_of_a_hundred() -> None:
    assert spread(range(1, 101)) == {"min": 1, "p50": 50, "p95": 95, "max": 100}


def _subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from _subschemas(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _subschemas(part)


def test_the_schema_is_one_and_describes_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    objects = [one for one in _subschemas(SCHEMA) if one.get("type") == "object" and "properties" in one]
    assert len(objects) >= 8
    for one in objects:
        assert one["additionalProperties"] is False
        assert sorted(one["required"]) == sorted(one["properties"])
        for name, field in one["properties"].items():
            assert len(field.get("description", "")) > 5, name


@pytest.mark.parametrize("field", ["status", "started", "collections", "throughput"])
def test_the_schema_refuses_what_is_no_report(field: str) -> None:
    report = begun().finish("completed")
    assert not CHECK.is_valid({**report, field: "soon"})
    assert not CHECK.is_valid({name: value for name, value in report.items() if name != field})
    assert not CHECK.is_valid({**report, "patient": "x"})


def test_workers_add_up() -> None:
    clock, cpu = Clock(), Clock()
    builder = begun(clock, cpu)
    builder.collection("ehr.a", None, [], 30)
    builder.notify(CollectionStarted("ehr.a", None, 30, 1))
    builder.notify(WorkerStarted("w1", 1))
    builder.notify(WorkerStarted("w2", 2))
    builder.notify(WorkerEnded("w1", "died", 1, True, 1.5, 700))
    builder.notify(WorkerStarted("w1", 3))
    clock.seconds += 10.0
    cpu.seconds += 0.5
    builder.notify(batch(worker="w1", rss_bytes=500))
    builder.notify(batch(worker="w2", rss_bytes=400))
    builder.notify(WorkerEnded("w1", "done", 1, False, 3.0, 600))
    builder.notify(WorkerEnded("w2", "done", 1, False, 5.0, 0))
    report = builder.finish("completed")
    assert report["throughput"]["workers"] == 2
    assert report["throughput"]["cpu_percent"] == 100.0
    assert report["throughput"]["documents_per_second"] == 2.0
    assert report["restarts"] == 1
    (entry,) = report["collections"]
    assert entry["memory"]["peak_rss_bytes"] == 700
    assert entry["documents"]["masked"] == 16
    assert CHECK.is_valid(report)


def test_workers_of_two_collections_count_by_how_many_there_were_at_a_time() -> None:
    builder = begun()
    for namespace in ("ehr.a", "ehr.b"):
        builder.collection(namespace, None, [], 1)
        builder.notify(CollectionStarted(namespace, None, 1, 1))
        builder.notify(WorkerStarted("w1", 1))
        builder.notify(WorkerEnded("w1", "memory", 1, True))
        builder.notify(WorkerStarted("w1", 2))
        builder.notify(WorkerEnded("w1", "done", 1))
    report = builder.finish("completed")
    assert report["throughput"]["workers"] == 1
    assert report["restarts"] == 2


def test_what_was_decided_on_the_number_of_workers_is_the_collection_s() -> None:
    clock = Clock()
    builder = begun(clock)
    for namespace in ("ehr.a", "ehr.b"):
        builder.collection(namespace, None, [], 1)
    builder.notify(CollectionStarted("ehr.a", None, 1, 1))
    builder.notify(Scaled(0, 4, "it begins with 4"))
    clock.seconds += 21.54
    builder.notify(Scaled(4, 8, "4 have 9.1 MB/s: trying 8"))
    builder.notify(CollectionStarted("ehr.b", None, 1, 1))
    report = builder.finish("completed")
    assert CHECK.is_valid(report)
    assert [entry["scaling"] for entry in report["collections"]] == [
        [
            {"seconds": 0.0, "workers": 4, "because": "it begins with 4"},
            {"seconds": 21.5, "workers": 8, "because": "4 have 9.1 MB/s: trying 8"},
        ],
        [],
    ]


def test_of_decisions_on_the_number_of_workers_the_newest_thousand_are_kept() -> None:
    builder = begun()
    builder.collection("ehr.a", None, [], 1)
    builder.notify(CollectionStarted("ehr.a", None, 1, 1))
    for number in range(1, 1102):
        builder.notify(Scaled(1, number, ""))
    (entry,) = builder.finish("completed")["collections"]
    assert [one["workers"] for one in entry["scaling"]] == list(range(102, 1102))


def test_no_event_has_a_field_that_could_hold_a_document() -> None:
    """Names, counts, seconds; the mappings are counts by class and the report itself."""
    plain = {str, int, float, bool, type(None)}
    kinds = [kind for name in events.__all__ if issubclass(kind := getattr(events, name), Event)]
    assert {kind.__name__ for kind in kinds} == {"Event", *(kind.__name__ for kind in Event.__subclasses__())}
    for kind in kinds:
        hints = typing.get_type_hints(kind)
        for one in dataclasses.fields(kind):
            if one.name == "report":
                continue
            assert _leaves(hints[one.name]) <= plain, f"{kind.__name__}.{one.name}"


def _leaves(hint: Any) -> set[type]:
    if typing.get_origin(hint) is typing.Literal:
        return {type(choice) for choice in typing.get_args(hint)}
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return set().union(*map(_leaves, typing.get_type_hints(hint).values()))
    parts = [part for part in typing.get_args(hint) if part is not Ellipsis]
    return set().union(*map(_leaves, parts)) if parts else {hint}


def test_how_far_predictions_were_off() -> None:
    builder = begun(Clock())
    builder.collection("ehr.a", None, [], 10)
    for seconds, peak, expected in (
        (2.0, 100, Expected(2.2, 90)),
        (1.0, 200, Expected(0.5, 210)),
        (4.0, 100, Expected(3.9, 0)),
        (4.0, 100, None),
    ):
        builder.notify(batch(seconds=seconds, peak_bytes=peak, rss_bytes=50, expected=expected))
    one = builder.finish("completed")["collections"][0]
    assert one["batches"]["seconds"]["predicted_p50_error_percent"] == 10.0
    assert one["memory"]["predicted_p50_error_percent"] == 5.0
    assert one["memory"]["peak_rss_bytes"] == 200


def test_alerts_are_told_with_their_end() -> None:
    noon = 1_785_326_400.0
    builder = begun()
    slow = events.AlertRaised("slow", "9 documents a second", noon, "ehr.a")
    for one in (
        slow,
        dataclasses.replace(slow, rule="finding", message="1 finding"),
        dataclasses.replace(slow, message="110 documents a second", at=noon + 61.5, cleared=True),
        dataclasses.replace(slow, at=noon + 99, namespace=None),
        dataclasses.replace(slow, rule="finished", at=noon + 100),
    ):
        builder.notify(one)
    report = builder.finish("completed")
    CHECK.validate(report)
    told = [tuple(one.values()) for one in report["alerts"]]
    assert told == [
        ("slow", "ehr.a", "2026-07-29T12:00:00.000Z", "9 documents a second",
         "2026-07-29T12:01:01.500Z", "110 documents a second"),
        ("finding", "ehr.a", "2026-07-29T12:00:00.000Z", "1 finding", None, None),
        ("slow", None, "2026-07-29T12:01:39.000Z", "9 documents a second", None, None),
    ]  # fmt: skip


def test_of_very_many_alerts_the_last_are_kept() -> None:
    builder = begun()
    for number in range(1100):
        builder.notify(events.AlertRaised("batch", f"{number}", number, None))
        builder.notify(events.AlertRaised("batch", "over", number, None, cleared=True))
    told = builder.finish("completed")["alerts"]
    assert [one["message"] for one in told] == [str(number) for number in range(100, 1100)]
    assert {one["how"] for one in told} == {"over"}
