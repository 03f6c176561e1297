"""The predictive sizer on collections whose hard documents come in runs, by a cost that it does not know."""

from __future__ import annotations

import logging
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from phimask import BatchCost, BatchSizer, ComplexityClass
from phimask.testing import check_batch_sizer
from phimask_plugins.batch_sizers.adaptive import AdaptiveBatchSizer
from phimask_plugins.batch_sizers.fixed import FixedBatchSizer
from phimask_plugins.batch_sizers.predictive import PredictiveBatchSizer

MB = 1_000_000
OPTIONS = {
    "target": 2.0,
    "longest": 4.0,
    "documents": 5000,
    "first_documents": 20,
    "bytes": 32 * MB,
    "smoothing": 0.5,
    "memory": None,
    "forgetting": 0.85,
}
SECONDS: Mapping[ComplexityClass, tuple[float, float]] = {
    "simple": (0.16e-3, 30e-9),
    "medium": (0.25e-3, 45e-9),
    "complex": (0.5e-3, 60e-9),
}
RUNS: Sequence[tuple[ComplexityClass, int]] = (
    ("simple", 40_000),
    ("complex", 3000),
    ("medium", 15_000),
    ("simple", 30_000),
    ("complex", 4000),
    ("medium", 5000),
    ("complex", 1000),
    ("simple", 20_000),
)


def sized(cls: type[BatchSizer] = PredictiveBatchSizer, **options: Any) -> BatchSizer:
    known = cls.options_schema["properties"]
    return cls({name: value for name, value in {**OPTIONS, **options}.items() if name in known})


def size_of(kind: ComplexityClass, chance: random.Random) -> int:
    if kind == "simple":
        return int(chance.gauss(1200, 100))
    if kind == "medium":
        return int(chance.gauss(8000, 1000))
    return (
        int(chance.lognormvariate(10.8, 0.6)) if chance.random() > 0.02 else chance.randint(200_000, 600_000)
    )


class Work(NamedTuple):
    seconds: list[float]
    seconds_errors: list[float]
    peaks: list[float]
    peak_errors: list[float]
    by_class: dict[ComplexityClass, list[float]]


def worked(sizer: BatchSizer, *, noise: float = 0.05, seed: int = 1) -> Work:
    chance = random.Random(seed)
    documents = [(kind, size_of(kind, chance)) for kind, count in RUNS for _ in range(count)]
    work = Work([], [], [], [], {"simple": [], "medium": [], "complex": []})
    at = 0
    while at < len(documents):
        budget, meter = sizer.budget(), sizer.meter()
        count = size = 0
        classes: dict[ComplexityClass, tuple[int, int]] = {}
        while at < len(documents) and count < budget.documents:
            kind, one = documents[at]
            if count and size + one > budget.bytes:
                break
            if meter is not None and not meter.admits(kind, one) and count:
                break
            before = classes.get(kind, (0, 0))
            classes[kind] = before[0] + 1, before[1] + one
            count, size, at = count + 1, size + one, at + 1
        taken = 0.03 + sum(n * SECONDS[kind][0] + b * SECONDS[kind][1] for kind, (n, b) in classes.items())
        taken *= chance.lognormvariate(0, noise)
        peak = (120 * MB + 3.5 * size + 1500 * count) * chance.lognormvariate(0, 0.03)
        expected = None if meter is None else meter.expected()
        if expected is not None:
            work.seconds_errors.append(abs(expected.seconds - taken) / taken)
            work.peak_errors.append(abs(expected.peak_bytes - peak) / peak)
        work.seconds.append(taken)
        work.peaks.append(peak)
        if len(classes) == 1:
            work.by_class[next(iter(classes))].append(size / taken)
        sizer.record(BatchCost(count, size, taken, classes, int(peak), 120 * MB))
    return work


def test_it_conforms() -> None:
    check_batch_sizer(PredictiveBatchSizer)
    check_batch_sizer(PredictiveBatchSizer, {"memory": "300MB"})


@pytest.mark.parametrize("seed", range(5))
def test_batches_are_even_where_hard_documents_come_in_runs(seed: int) -> None:
    work = worked(sized(), seed=seed)
    warm = work.seconds[10:-1]
    assert max(warm) / min(warm) < 2
    assert max(warm) < OPTIONS["target"] * 1.3
    assert statistics.median(work.seconds_errors) < 0.08
    assert statistics.median(work.peak_errors) < 0.06


def test_a_machine_that_is_three_times_as_slow_is_noticed() -> None:
    sizer = sized()
    worked(sizer)
    slow = {kind: (3 * one, 3 * other) for kind, (one, other) in SECONDS.items()}
    taken = []
    for _ in range(30):
        budget, meter = sizer.budget(), sizer.meter()
        assert meter is not None
        count = next(
            (n for n in range(budget.documents) if not meter.admits("simple", 1200)), budget.documents
        )
        seconds = 0.03 + count * (slow["simple"][0] + 1200 * slow["simple"][1])
        taken.append(seconds)
        sizer.record(BatchCost(count, count * 1200, seconds, {"simple": (count, count * 1200)}))
    assert taken[0] > 1.8
    assert max(taken[10:]) < 2.4


def test_a_slow_moment_does_not_move_what_is_aimed_at() -> None:
    """Notes fill a batch long before the target; how long they take tells how many small fields make one."""
    sizer = sized(bytes=8 * MB)

    def batch(kind: ComplexityClass, slowness: float) -> int:
        budget, meter = sizer.budget(), sizer.meter()
        most = min(budget.documents, budget.bytes // 15_000)
        count = most if meter is None else sum(meter.admits(kind, 15_000) for _ in range(most))
        count = max(count, 1)
        seconds = slowness * (0.03 + count * (4e-4 if kind == "simple" else 2.5e-3))
        sizer.record(BatchCost(count, count * 15_000, seconds, {kind: (count, count * 15_000)}))
        return count

    for _ in range(10):
        batch("simple", 1)
        before = batch("complex", 1)
    for _ in range(3):
        batch("simple", 3)
    for _ in range(6):
        batch("complex", 1)
    assert 0.75 < batch("complex", 1) / before < 1.25


def filled(sizer: BatchSizer, documents: Sequence[tuple[ComplexityClass, int, float]]) -> list[float]:
    """The seconds of all batches but the first ten and the last; a document is its class, its bytes, its seconds."""
    taken: list[float] = []
    at = 0
    while at < len(documents):
        budget, meter = sizer.budget(), sizer.meter()
        classes: dict[ComplexityClass, tuple[int, int]] = {}
        count = total = 0
        seconds = 0.03
        for kind, size, each in documents[at : at + budget.documents]:
            if count and (total + size > budget.bytes or not (meter is None or meter.admits(kind, size))):
                break
            before = classes.get(kind, (0, 0))
            classes[kind] = before[0] + 1, before[1] + size
            count, total, seconds = count + 1, total + size, seconds + each
        at += count
        taken.append(seconds)
        sizer.record(BatchCost(count, total, seconds, classes))
    return taken[10:-1]


QUICK: Sequence[tuple[ComplexityClass, int, float]] = [("simple", 15_000, 0.12e-3)] * 1000
SLOW: Sequence[tuple[ComplexityClass, int, float]] = [("complex", 37_000, 1.2e-3)] * 1000


def test_what_batches_do_hold_tells_how_long_they_are_to_be() -> None:
    """A batch of notes alone would be over after a quarter of a second, but none is: too few come in a row."""
    taken = filled(sized(), [*QUICK, *SLOW] * 25)
    assert min(taken) > 0.7
    assert max(taken) / min(taken) < 1.7


def test_batches_become_long_again_where_none_of_that_class_is_cut_short_any_more() -> None:
    sizer = sized(bytes=8 * MB)
    assert max(filled(sizer, QUICK * 30)) < 0.1
    last = filled(sizer, [("simple", 1200, 0.5e-3)] * 120_000)[-1]
    assert last == pytest.approx(OPTIONS["target"], rel=0.1)


def test_memory_bounds_a_batch() -> None:
    work = worked(sized(memory=150 * MB))
    assert max(work.peaks[10:]) < 150 * MB * 1.12
    assert max(worked(sized()).peaks[10:]) > 175 * MB


def test_with_too_little_data_it_works_as_adaptive_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sizer, adaptive = sized(), sized(AdaptiveBatchSizer)
    for turn in range(6):
        assert sizer.budget() == adaptive.budget()
        meter = sizer.meter()
        assert meter is not None
        other = adaptive.meter()
        assert other is not None
        assert [meter.admits("complex", 10**8) for _ in range(9)] == [
            other.admits("simple", 10**8) for _ in range(9)
        ]
        assert meter.expected() == other.expected()
        cost = BatchCost(20, 24_000, 0.02, {"simple": (20, 24_000)}, 10**8, 10**8)
        sizer.record(cost)
        adaptive.record(cost)
        assert ("predicts from now on" in caplog.text) is (turn == 5)
    assert caplog.text.count("too little to predict from") == 1
    meter = sizer.meter()
    assert meter is not None
    assert meter.expected() is not None


def test_without_classes_it_stays_adaptive() -> None:
    sizer, adaptive = sized(), sized(AdaptiveBatchSizer)
    for _ in range(30):
        cost = BatchCost(sizer.budget().documents, 50_000, 0.5)
        sizer.record(cost)
        adaptive.record(cost)
        assert sizer.budget() == adaptive.budget()


def taught_simple_ones() -> BatchSizer:
    """After a first batch that took ten times as long, as one does that opens connections."""
    sizer = sized()
    for turn in range(12):
        count = min(20 * 2**turn, 5000)
        taken = (0.02 + count * 0.25e-3) * (1 if turn else 10)
        sizer.record(BatchCost(count, count * 1200, taken, {"simple": (count, count * 1200)}))
    return sizer


def price(sizer: BatchSizer, kind: ComplexityClass, size: int) -> float:
    """Seconds that one document is expected to add."""
    meter = sizer.meter()
    assert meter is not None
    before = meter.expected()
    meter.admits(kind, size)
    after = meter.expected()
    assert before is not None
    assert after is not None
    return after.seconds - before.seconds


def test_a_class_that_no_batch_held_costs_what_the_nearest_does_and_a_fifth_more() -> None:
    sizer = taught_simple_ones()
    known = price(sizer, "simple", 1200)
    assert known == pytest.approx(0.25e-3, rel=0.15)
    assert price(sizer, "medium", 1200) == price(sizer, "complex", 1200) == pytest.approx(1.2 * known)


def test_that_a_giant_takes_far_longer_than_expected_is_believed_at_once() -> None:
    sizer = taught_simple_ones()
    assert price(sizer, "complex", MB) < 0.4
    sizer.record(BatchCost(1, MB, 3.0, {"complex": (1, MB)}))
    assert price(sizer, "complex", MB) > 2.0
    assert price(sizer, "simple", 1200) == pytest.approx(0.25e-3, rel=0.15)


def admitted(sizer: BatchSizer) -> int:
    """How many small documents the next batch takes."""
    meter = sizer.meter()
    assert meter is not None
    return next(n for n in range(10**6) if not meter.admits("simple", 1200))


def test_a_single_slow_batch_is_a_hiccup_and_two_are_not() -> None:
    sizer = sized()
    worked(sizer)
    usual = admitted(sizer)

    def batch(slowness: float) -> None:
        seconds = slowness * (0.03 + usual * (SECONDS["simple"][0] + 1200 * SECONDS["simple"][1]))
        sizer.record(BatchCost(usual, usual * 1200, seconds, {"simple": (usual, usual * 1200)}))

    batch(1)
    batch(3)
    assert admitted(sizer) > 0.8 * usual
    batch(1)
    batch(3)
    assert admitted(sizer) > 0.8 * usual
    batch(3)
    assert admitted(sizer) < 0.8 * usual
    batch(3)
    assert admitted(sizer) < 0.6 * usual


def test_it_says_how_long_a_batch_may_take() -> None:
    assert sized(longest=5.0).longest() == 5.0
    assert sized(AdaptiveBatchSizer, longest=6.0).longest() == 6.0
    assert sized(FixedBatchSizer).longest() is None


@pytest.mark.parametrize(("documents", "longest"), [(5000, 4.0), (2000, 1.8), (200, 1.0)])
def test_where_batches_are_full_before_the_target_the_longest_one_is_shorter(
    documents: int, longest: float
) -> None:
    """Two thousand small documents take 0.8 s: nothing is aimed at more than 0.9, and nothing may take twice that."""
    sizer = sized(documents=documents)
    size = documents * 1200
    for _ in range(80):
        sizer.record(BatchCost(documents, size, 0.4e-3 * documents, {"simple": (documents, size)}))
    assert sizer.longest() == pytest.approx(longest, rel=0.05)


def test_a_first_document_is_taken_whatever_it_costs() -> None:
    sizer = sized()
    worked(sizer)
    meter = sizer.meter()
    assert meter is not None
    empty = meter.expected()
    assert meter.admits("complex", 200 * MB)  # rather than a batch of nothing before it
    full = meter.expected()
    assert empty is not None
    assert full is not None
    assert full.seconds > empty.seconds + 3
    assert not meter.admits("simple", 1)
    assert meter.expected() == full


def test_pressure_cuts_at_once_and_comes_back() -> None:
    sizer = sized()
    worked(sizer)

    before = admitted(sizer)
    sizer.shrink(0.25)
    assert admitted(sizer) < before * 0.3
    for _ in range(20):
        sizer.record(BatchCost(5000, 6 * MB, 1.0, {"simple": (5000, 6 * MB)}))
    assert admitted(sizer) > before * 0.7


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"memory": 0}, "memory is no size"),
        ({"longest": 1.0}, "longest is below"),
        ({"bytes": 0}, "bytes is no"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        sized(**options)
