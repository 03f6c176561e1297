"""Batches that take too long are cut, and what is left of them is masked with the next: once, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from phimask.engine import commit as committing
from phimask.engine import preparing, transactions
from phimask.engine.deadline import Deadline
from phimask.engine.journal import Applied, Journal

SETTINGS = ("batch_sizer=impatient", "observers=[watching]", "check.sample=0")
"""Twenty documents a batch, and each is cut after its first slice."""
DOCUMENTS = 200


@pytest.fixture(autouse=True)
def _small_slices(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_SLICE_BYTES", 1)
    bench.component("observer", "watching").events = []
    bench.component("batch_sizer", "impatient").recorded = []
    bench.component("masker", "add_one").hooks = []


def batches(bench: Any) -> list[Any]:
    events = bench.component("observer", "watching").events
    return [event for event in events if type(event).__name__ == "BatchFinished"]


@pytest.mark.parametrize(
    ("taken", "left", "cut"),
    [
        (7.4, 9.0, False),
        (7.5, 2.6, True),
        (7.5, 2.5, False),
        (9.9, 0.2, True),
        (9.9, 0.0, False),
        (12.0, 0.1, True),
    ],
)
def test_a_batch_is_cut_late_and_only_where_its_rest_would_take_too_long(
    taken: float, left: float, cut: bool
) -> None:
    assert Deadline(10.0).cuts(taken, left) is cut


def test_whoever_needs_all_of_a_batch_has_it_unless_it_was_cut_before() -> None:
    first = Deadline(1.0)
    assert first.cuts(2.0, 1.0)
    assert not first.keep_whole()
    second = Deadline(1.0)
    assert second.keep_whole()
    assert not second.cuts(2.0, 1.0)
    assert second.keep_whole()


@pytest.mark.parametrize("guard", ["changed", "none"])
@pytest.mark.parametrize("partitioner", ["single", "{name: paginate, options: {documents: 50}}"])
def test_each_document_is_masked_once(bench: Any, guard: str, partitioner: str) -> None:
    bench.fill(DOCUMENTS)
    outcome = bench.mask(*SETTINGS, f"write.guard={guard}", f"partitioner={partitioner}")
    assert outcome.error is None
    assert bench.counts() == {1: DOCUMENTS}
    found = batches(bench)
    assert sum(one.documents for one in found) == DOCUMENTS
    assert sum(one.written for one in found) == DOCUMENTS
    assert sum(one.masked[0] for one in found) == DOCUMENTS
    # In bulks nothing is cut; a partition's last batch may be whole, since nothing comes behind it.
    cut = [one for one in found if one.documents < 20]
    assert bool(cut) is (guard == "changed")
