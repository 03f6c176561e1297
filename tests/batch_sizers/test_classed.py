"""Batches that hold as many documents as their classes allow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from phimask import BatchBudget, BatchCost, BatchSizer, ComplexityClass
from phimask.testing import check_batch_sizer
from phimask_plugins.batch_sizers.classed import ClassedBatchSizer

OPTIONS: dict[str, Any] = {"simple": 5000, "medium": 2000, "complex": 500, "bytes": 16_000_000}


def sizer(**options: Any) -> BatchSizer:
    return ClassedBatchSizer({**OPTIONS, **options})


def held(made: BatchSizer, kinds: Iterable[ComplexityClass]) -> int:
    """How many documents of these the next batch takes."""
    meter = made.meter()
    assert meter is not None
    taken = 0
    for kind in kinds:
        if not meter.admits(kind, 100):
            break
        taken += 1
    return taken


def test_it_conforms() -> None:
    check_batch_sizer(ClassedBatchSizer)


@pytest.mark.parametrize(("kind", "count"), [("simple", 5000), ("medium", 2000), ("complex", 500)])
def test_a_batch_of_one_class_holds_what_its_class_allows(kind: ComplexityClass, count: int) -> None:
    assert held(sizer(), [kind] * 10_000) == count


@pytest.mark.parametrize("kind", ["simple", "medium", "complex"])
@pytest.mark.parametrize("count", [1, 3, 7, 49, 333])
def test_shares_that_are_no_round_numbers_still_come_to_a_whole(kind: ComplexityClass, count: int) -> None:
    made = sizer(simple=count, medium=count, complex=count)
    assert held(made, [kind] * 1000) == count


def test_in_a_mixed_batch_each_counts_for_its_share() -> None:
    kinds: list[ComplexityClass] = ["simple"] * 2500 + ["complex"] * 300
    assert held(sizer(), kinds) == 2750
    assert held(sizer(), (["simple"] * 5 + ["medium"] * 2) * 2000) == 7 * 500


def test_the_budget_is_that_of_the_simplest_class() -> None:
    assert sizer().budget() == BatchBudget(5000, 16_000_000)


def test_pressure_cuts_every_class_and_goes_by() -> None:
    made = sizer()
    made.shrink(0.5)
    assert made.budget() == BatchBudget(2500, 8_000_000)
    assert held(made, ["complex"] * 1000) == 250
    for _ in range(20):
        made.record(BatchCost(10, 1000, 0.1))
    assert made.budget() == BatchBudget(5000, 16_000_000)
    made.shrink(0.0)
    assert held(made, ["complex"] * 10) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bytes": 0}, "no size"),
        ({"simple": 100}, "give simple the most and complex the least"),
        ({"complex": 3000}, "give simple the most and complex the least"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sizer(**options)
