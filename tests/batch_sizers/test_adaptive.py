"""The sizer against a made-up deployment whose seconds are a fixed part, a part a document and a part a byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask import BatchBudget, BatchCost
from phimask_plugins.batch_sizers.adaptive import AdaptiveBatchSizer

DEFAULTS: dict[str, Any] = {
    "target": 4.0,
    "longest": 8.0,
    "documents": 2000,
    "first_documents": 100,
    "bytes": 16_000_000,
    "smoothing": 0.3,
}
WARM_UP = 12
"""Batches in which a sizer meets each kind, and dares a little more with each."""


@dataclass(frozen=True)
class Deployment:
    """What things cost: seconds a batch, a document, a byte."""

    batch: float
    document: float
    byte: float

    def seconds(self, sizes: Sequence[int]) -> float:
        return self.batch + self.document * len(sizes) + self.byte * sum(sizes)


FAST = Deployment(0.005, 1e-4, 3e-8)
FAR = Deployment(0.02, 1e-4, 3e-8)
SLOW = Deployment(0.02, 2e-3, 2e-7)
SLOW_MASKING = Deployment(0.02, 5e-4, 1e-6)
SLOW_SERVER = Deployment(0.05, 1e-2, 1e-8)


@dataclass(frozen=True)
class Batch:
    """A batch as it went. It is full if its budget ended it, not the collection."""

    sizes: Sequence[int]
    budget: BatchBudget
    seconds: float
    full: bool


def sizer(**options: Any) -> AdaptiveBatchSizer:
    return AdaptiveBatchSizer(DEFAULTS | options)


def work(chosen: AdaptiveBatchSizer, sizes: Sequence[int], costs: Deployment, late: int = 0) -> list[Batch]:
    """Read `sizes` to their end. With `late` 1 each cost is known one batch later, as when writing overlaps."""
    done: list[Batch] = []
    at = told = 0
    while at < len(sizes):
        budget, meter = chosen.budget(), chosen.meter()
        end, total = at, 0
        while end < len(sizes) and end - at < budget.documents:
            if end > at and total + sizes[end] > budget.bytes:
                break
            if not meter.admits("simple", sizes[end]) and end > at:
                break
            total += sizes[end]
            end += 1
        batch = sizes[at:end]
        done.append(Batch(batch, budget, costs.seconds(batch), end < len(sizes)))
        at = end
        while told < len(done) - late:
            one = done[told]
            chosen.record(BatchCost(len(one.sizes), sum(one.sizes), one.seconds))
            told += 1
    return done


def ratio(batches: Sequence[Batch]) -> float:
    seconds = [one.seconds for one in batches if one.full]
    return max(seconds) / min(seconds)


def in_runs(*kinds: tuple[int, int, int], documents: int) -> list[int]:
    """Runs of (smallest, largest, how many), one kind after the other, again and again."""
    chance = random.Random(7)
    found: list[int] = []
    while len(found) < documents:
        for smallest, largest, many in kinds:
            found += [chance.randint(smallest, largest) for _ in range(many)]
    return found


def shuffled(documents: int) -> list[int]:
    chance = random.Random(11)
    kinds = ((800, 1_500), (5_000, 12_000), (30_000, 200_000))
    return [chance.randint(*chance.choices(kinds, (0.6, 0.3, 0.1))[0]) for _ in range(documents)]


SKEWS: dict[str, Callable[[], list[int]]] = {
    "small, then megabytes, in runs": lambda: in_runs(
        (800, 1_500, 8000), (500_000, 2_000_000, 100), documents=100_000
    ),
    "large first": lambda: in_runs((200_000, 400_000, 300), (800, 1_500, 8000), documents=100_000),
    "a hundredfold, back and forth": lambda: in_runs(
        (1_000, 1_000, 5000), (100_000, 100_000, 500), documents=100_000
    ),
    "growing a thousandfold": lambda: [int(1_000 * 1.0001**number) for number in range(70_000)],
    "all kinds shuffled": lambda: shuffled(60_000),
}


@pytest.fixture(params=SKEWS, name="skewed")
def _skewed(request: pytest.FixtureRequest) -> list[int]:
    return SKEWS[request.param]()


@pytest.mark.parametrize("costs", [FAST, FAR], ids=["fast", "far"])
def test_full_batches_take_even_time_once_they_are_known(skewed: list[int], costs: Deployment) -> None:
    batches = work(sizer(), skewed, costs)
    assert len(batches) > 25
    assert ratio(batches[WARM_UP:]) <= 2.0


def test_evenness_outlives_costs_that_are_known_one_batch_late(skewed: list[int]) -> None:
    assert ratio(work(sizer(), skewed, FAST, late=1)[WARM_UP:]) <= 2.5


def test_evenness_costs_little_time(skewed: list[int]) -> None:
    took = sum(one.seconds for one in work(sizer(), skewed, FAST))
    least = FAST.document * len(skewed) + FAST.byte * sum(skewed)
    assert took <= 1.05 * least


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize(
    "costs", [FAST, FAR, SLOW, SLOW_MASKING, SLOW_SERVER], ids=["fast", "far", "slow", "masking", "server"]
)
def test_no_batch_is_ever_over_longest(skewed: list[int], costs: Deployment, late: int) -> None:
    batches = work(sizer(), skewed[:30_000], costs, late)
    assert max(one.seconds for one in batches if len(one.sizes) > 1) <= DEFAULTS["longest"]


@pytest.mark.parametrize("size", [1_000, 7_000, 100_000])
@pytest.mark.parametrize("costs", [SLOW, SLOW_MASKING, SLOW_SERVER], ids=["slow", "masking", "server"])
def test_batches_aim_at_the_target_where_no_ceiling_is_in_the_way(costs: Deployment, size: int) -> None:
    batches = work(sizer(bytes=10**9, documents=10**6, first_documents=50), [size] * 80_000, costs)
    settled = [one.seconds for one in batches[20:] if one.full]
    assert len(settled) > 5
    assert min(settled) >= 4.0 * 0.95
    assert max(settled) <= 4.0 * 1.05


def test_large_documents_are_cut_to_the_time_that_the_ceiling_leaves_small_ones() -> None:
    chosen = sizer()
    small = work(chosen, [1_000] * 40_000, FAST)[-2]
    assert len(small.sizes) == 2000
    large = [one.seconds for one in work(chosen, [500_000] * 500, FAST) if one.full]
    assert max(large) < 0.5
    assert min(large) > small.seconds / 3


def test_a_run_of_one_kind_does_not_unlearn_the_other() -> None:
    chosen = sizer()
    work(chosen, [1_000] * 40_000 + [300_000] * 500 + [1_000] * 40_000, FAST)
    before = chosen.budget()
    work(chosen, [300_000] * 20_000, FAST)
    after = chosen.budget()
    assert after.documents >= before.documents * 0.8
    work(chosen, [1_000] * 2_000_000, FAST)
    assert 0.6 < chosen.budget().bytes / after.bytes < 1.6


@pytest.mark.parametrize("late", [0, 1])
def test_five_batches_are_warm_up_enough_however_small_the_first(late: int) -> None:
    chosen = sizer(documents=5000, first_documents=20)
    assert ratio(work(chosen, shuffled(60_000), FAST, late)[5:]) <= 2.5


def test_the_first_batch_is_small_in_documents_and_in_bytes() -> None:
    assert sizer().budget() == BatchBudget(100, 800_000)


def test_a_batch_slower_than_the_target_shrinks_the_next_at_once() -> None:
    chosen = sizer()
    work(chosen, [7_000] * 60_000, FAST)
    before = chosen.budget()
    # All at once the deployment is twenty times as slow.
    seconds = 20 * FAST.seconds([7_000] * before.documents)
    assert 4.0 < seconds < 16.0
    chosen.record(BatchCost(before.documents, 7_000 * before.documents, seconds))
    after = work(chosen, [7_000] * 60_000, Deployment(0.1, 2e-3, 6e-7))
    assert after[0].seconds <= 4.0 * 1.2
    assert max(one.seconds for one in after) <= 4.0 * 1.2 * 1.05


def test_a_batch_over_longest_halves_at_least() -> None:
    chosen = sizer()
    work(chosen, [1_000] * 40_000, FAST)
    chosen.record(BatchCost(2000, 2_000_000, 8.5))
    budget = chosen.budget()
    assert budget.documents <= 1000
    assert budget.bytes <= 1_000_000
    chosen.record(BatchCost(budget.documents, budget.bytes, 80.0))
    assert chosen.budget().documents <= budget.documents * 4.0 / 80.0 + 1


def test_one_document_that_takes_longer_than_longest_does_not_stunt_what_follows() -> None:
    chosen = sizer()
    work(chosen, [1_000] * 40_000 + [300_000] * 100, FAST)
    before = chosen.budget()
    chosen.record(BatchCost(1, 15_000_000, 9.0))
    assert chosen.budget().documents >= before.documents / 2


def test_the_end_of_a_partition_says_little() -> None:
    chosen = sizer()
    work(chosen, SKEWS["a hundredfold, back and forth"](), FAST)
    before = chosen.budget()
    chosen.record(BatchCost(3, 3_000, 0.02))
    after = chosen.budget()
    assert after.documents > before.documents * 0.8
    assert after.bytes > before.bytes * 0.8


def test_shrinking_cuts_at_once_and_comes_back_step_by_step() -> None:
    chosen = sizer()
    work(chosen, [7_000] * 60_000, FAST)
    before = chosen.budget()
    chosen.shrink(0.25)
    cut = chosen.budget()
    assert cut.documents == pytest.approx(before.documents / 4, rel=0.01)
    assert cut.bytes == pytest.approx(before.bytes / 4, rel=0.01)
    steps = [one.budget.documents for one in work(chosen, [7_000] * 60_000, FAST)]
    assert all(later <= earlier * 1.25 + 1 for earlier, later in pairwise(steps))
    assert steps[5] < before.documents / 2
    assert steps[-1] >= before.documents * 0.95


def test_shrinking_again_and_again_leaves_one_document_and_a_way_back() -> None:
    chosen = sizer()
    for _ in range(1000):
        chosen.shrink(0.1)
    assert chosen.budget().documents == 1
    chosen.shrink(0.0)
    work(chosen, [7_000] * 60_000, FAST)
    assert chosen.budget().documents > 1000


COSTS = st.builds(
    BatchCost, st.integers(0, 5_000), st.integers(0, 10**9), st.floats(0.0, 1e5, allow_nan=False)
)


@given(st.lists(st.one_of(COSTS, st.floats(0.0, 1.0)), max_size=60), st.integers(1, 3000))
def test_budgets_are_whole_and_below_the_ceilings_and_grow_as_far_as_is_safe(
    steps: list[BatchCost | float], first: int
) -> None:
    chosen = sizer(documents=3000, first_documents=first)
    last = chosen.budget()
    for step in steps:
        known = (0.0, 0.0)
        if isinstance(step, BatchCost):
            chosen.record(step)
            scale = 2.0 / max(step.seconds, 1e-6)  # to half of the target
            known = (step.documents * scale, step.bytes * scale)
        else:
            chosen.shrink(step)
        budget = chosen.budget()
        assert 1 <= budget.documents <= min(3000, max(2 * last.documents + 1, known[0] + 1))
        assert 1 <= budget.bytes <= min(16_000_000, max(2 * last.bytes + 1, known[1] + 1))
        last = budget


@given(
    st.lists(st.tuples(st.integers(100, 1_000_000), st.integers(1, 5_000)), min_size=1, max_size=12),
    st.floats(1e-6, 5e-3),
    st.floats(1e-9, 1e-7),
)
def test_whatever_the_sizes_and_costs_no_batch_is_over_longest(
    runs: list[tuple[int, int]], document: float, byte: float
) -> None:
    sizes = [size for size, many in runs for _ in range(many)]
    batches = work(sizer(), sizes, Deployment(0.005, document, byte))
    assert max(one.seconds for one in batches) <= DEFAULTS["longest"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"longest": 3.9}, "longest is below target"),
        ({"first_documents": 2001}, "first_documents is above documents"),
        ({"target": 0.0}, "target is no time"),
        ({"bytes": 0}, "bytes is no size"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sizer(**options)


def test_longest_may_equal_target() -> None:
    batches = work(sizer(longest=4.0), [7_000] * 20_000, SLOW)
    assert max(one.seconds for one in batches) <= 4.0
