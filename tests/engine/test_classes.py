"""Batches that go by the classes of their documents, in a real run."""

from __future__ import annotations

from typing import Any

import pytest

from phimask import events
from phimask.ledger.opening import open_ledger
from phimask.ledger.runs import Runs
from phimask.planning.classifier import Classifier

CLASSED = (
    "batch_sizer={name: classed, options: {simple: 60, medium: 30, complex: 10}}",
    "observers=[watching]",
)


@pytest.fixture
def uneven(bench: Any) -> Any:
    """First 120 simple documents, then 90 medium ones, then 45 complex ones."""
    bench.component("observer", "watching").events = []
    kinds = [1] * 120 + [60] * 90 + [300] * 45
    bench.collection.insert_many(
        {"_id": number, "Count": 0, "Rows": [{"a": 1}] * rows} for number, rows in enumerate(kinds)
    )
    return bench


def batches(bench: Any) -> list[events.BatchFinished]:
    told = bench.component("observer", "watching").events
    return [one for one in told if isinstance(one, events.BatchFinished)]


def rules(bench: Any, path: str = "Count", masker: str = "add_one") -> None:
    """What is masked; all of `Rows` is read with it."""
    (bench.folder / "collections" / "counters.yaml").write_text(
        f"version: 1\ncollection: counters\nrules:\n  - {{path: {path}, masker: {masker}}}\n"
        "  - {path: Rows.b, masker: redact}\n",
        encoding="utf-8",
    )


@pytest.mark.parametrize("path", ["Count", "'**.Count'"], ids=["projected", "whole"])
def test_a_batch_holds_what_the_classes_of_its_documents_allow(path: str, uneven: Any) -> None:
    rules(uneven, path)
    outcome = uneven.mask(*CLASSED)
    assert outcome.error is None
    assert uneven.counts() == {1: 255}
    assert [dict(one.classes) for one in batches(uneven)] == [
        *[{"simple": 60}] * 2,
        *[{"medium": 30}] * 3,
        *[{"complex": 10}] * 4,
        {"complex": 5},
    ]
    (collection,) = outcome.report["collections"]
    assert collection["complexity"] == {"simple": 120, "medium": 90, "complex": 45}
    assert collection["complexity_check"]["accuracy_percent"] == 100


def test_without_a_meter_nobody_tells_classes_and_the_sample_speaks(uneven: Any) -> None:
    outcome = uneven.mask("observers=[watching]")
    assert outcome.error is None
    assert {len(one.classes) for one in batches(uneven)} == {0}
    (collection,) = outcome.report["collections"]
    assert collection["complexity"] == {"simple": 120, "medium": 90, "complex": 45}
    assert sum(map(sum, (told.values() for told in collection["complexity_check"]["matrix"].values()))) == 255


def test_workers_of_other_processes_tell_the_same(uneven: Any) -> None:
    rules(uneven, masker="nullify")  # which is there in every process
    outcome = uneven.mask(CLASSED[0], "executor={name: local, options: {workers: 1}}")
    assert outcome.error is None
    assert uneven.counts() == {None: 255}
    assert outcome.report["collections"][0]["complexity"] == {"simple": 120, "medium": 90, "complex": 45}


def test_the_run_keeps_what_tells_classes_for_whoever_goes_on_with_it(uneven: Any) -> None:
    rules(uneven)
    outcome = uneven.mask(*CLASSED)
    (record,) = Runs(open_ledger(uneven.client, uneven.database, "ledger")).latest()
    (pin,) = record.pins
    kept = Classifier.of(pin.classifier)
    assert kept.check.report() == outcome.report["collections"][0]["complexity_check"]
    assert kept.learned
