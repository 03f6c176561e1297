"""Documents that are too large for the ordinary way: set aside, masked after all others, once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from phimask.errors import SafeStop
from phimask.plugins.events import BatchFinished, SetAside

DOCUMENTS = 120
GIANTS = (0, 1, 40, 77, 119)
MANY = 220_000
"""So many words take 1.1 MB."""
PAD = "stays"
SETTINGS = ("memory.oversize=1MB", "observers=[watching]")
WHOLE = (*SETTINGS, "write.path=replace")
"""Documents are read with all that is in them."""


def fill(bench: Any, giants: tuple[int, ...] = GIANTS) -> None:
    """Giants by what is not masked."""
    bench.component("observer", "watching").events.clear()
    bench.component("masker", "add_one").hooks = []
    for number in range(DOCUMENTS):
        pad = PAD * (MANY if number in giants else 1)
        bench.collection.insert_one({"_id": number, "Count": 0, "Pad": pad})


def masked(bench: Any) -> list[int]:
    """How often each was."""
    times = []
    for one in bench.collection.find({}, sort=[("_id", 1)]):
        assert one["Pad"] in (PAD, PAD * MANY)
        values = set(one["Count"]) if isinstance(one["Count"], list) else {one["Count"]}
        assert len(values) == 1
        times.append(values.pop())
    return times


def told(bench: Any, kind: type[Any]) -> list[Any]:
    return [event for event in bench.component("observer", "watching").events if isinstance(event, kind)]


@pytest.mark.parametrize(("guard", "ahead"), [("auto", "true"), ("none", "false")])
def test_they_are_masked_after_all_others_each_alone(guard: str, ahead: str, bench: Any) -> None:
    fill(bench)
    outcome = bench.mask(*WHOLE, f"write.guard={guard}", f"memory.read_ahead={ahead}")
    assert outcome.error is None
    assert masked(bench) == [1] * DOCUMENTS
    batches = told(bench, BatchFinished)
    large = [batch.bytes > 1_000_000 for batch in batches]
    assert large == sorted(large)
    assert [batch.documents for batch in batches if batch.bytes > 1_000_000] == [1] * len(GIANTS)
    assert len(told(bench, SetAside)) == len(GIANTS)
    assert all(event.bytes > 1_000_000 for event in told(bench, SetAside))


@pytest.mark.soak
def test_nothing_but_them_and_large_by_what_is_masked(bench: Any) -> None:
    fill(bench, ())
    bench.collection.delete_many({"_id": {"$gte": 3}})
    bench.collection.update_many({}, {"$set": {"Count": [0] * 100_000}})
    outcome = bench.mask(*SETTINGS)
    assert outcome.error is None
    assert masked(bench) == [1] * 3
    assert len(told(bench, SetAside)) == 3


def test_without_a_limit_they_go_the_ordinary_way(bench: Any) -> None:
    fill(bench)
    outcome = bench.mask("memory.oversize=null", "observers=[watching]")
    assert outcome.error is None
    assert masked(bench) == [1] * DOCUMENTS
    assert told(bench, SetAside) == []


def test_a_run_with_a_limit_counts_them_as_well(bench: Any) -> None:
    fill(bench)
    outcome = bench.mask(*WHOLE, limit=116)
    assert outcome.error is None
    assert Counter(masked(bench)) == {1: 116, 0: 4}


def test_a_stop_leaves_them_for_a_resume(bench: Any) -> None:
    fill(bench)
    hooks = bench.component("masker", "add_one").hooks

    def stop_at_the_first(values: list[int]) -> None:
        done = sum(batch.documents for batch in told(bench, BatchFinished))
        if values and done == DOCUMENTS - len(GIANTS):
            bench.stop.stop()

    hooks.append(stop_at_the_first)
    outcome = bench.mask(*WHOLE)
    assert outcome.error is not None
    assert not isinstance(outcome.error, SafeStop) or outcome.error.exit_code == 4
    times = masked(bench)
    assert [times[number] for number in range(DOCUMENTS) if number not in GIANTS] == [1] * (
        DOCUMENTS - len(GIANTS)
    )
    assert set(times) == {0, 1}
