"""The search for the number of workers, over servers of every kind that only wait."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import mean
from typing import Any

import pytest
from simulated import GB, NAMESPACE, Simulated, a_batch

from effort import examples
from phimask import events
from phimask.testing.making import make
from phimask_plugins.executors import LocalExecutor
from phimask_plugins.executors.autoscale import Autoscale, Room
from phimask_plugins.executors.throughput import Throughput

MB = 10**6
MOST = 16
_SETTLING = 900.0


def best_at(workers: int, *, fall: float) -> Callable[[int, float], float]:
    """Each mask 5 MB/s, up to so many; with each one more, all together less."""
    return lambda count, now: 5 * MB * min(count, workers) * (1 - fall) ** max(0, count - workers)


def in_each_other_s_way(wait: float, talk: float) -> Callable[[int, float], float]:
    """Source: the universal scalability law (Gunther, Guerrilla Capacity Planning, 2007)."""
    return lambda count, now: 5 * MB * count / (1 + wait * (count - 1) + talk * count * (count - 1))


SERVERS = {
    "best at 1": best_at(1, fall=0.05),
    "best at 3": best_at(3, fall=0.08),
    "no better than at 3": best_at(3, fall=0.0),
    "best at 6": best_at(6, fall=0.03),
    "best at 11": best_at(11, fall=0.05),
    "best at 16": best_at(16, fall=0.0),
    "ever less for one more": in_each_other_s_way(0.1, 0.0),
    "best at 15, hardly": in_each_other_s_way(0.05, 0.004),
}


def scale(begin: int = 1, least: int = 1, most: int = MOST, memory: int = GB) -> Autoscale:
    return Autoscale(least, most, memory, begin, "a test says so")


@pytest.mark.parametrize("begin", [1, pytest.param(4, marks=pytest.mark.soak), 16])
@pytest.mark.parametrize("server", SERVERS.values(), ids=list(SERVERS))
def test_it_settles_within_a_tenth_of_the_best_fixed_number(
    server: Callable[[int, float], float], begin: int
) -> None:
    """On average over ten minutes, trials of worse numbers included."""
    best = max(server(count, 0.0) for count in range(1, MOST + 1))
    for seed in range(examples(1)):
        run = Simulated(scale(begin), server, seed=seed)
        run.run(_SETTLING)
        reached = []
        for _ in range(60):
            run.run(10.0)
            reached.append(run.within(best))
        assert mean(reached) >= 0.9


@pytest.mark.parametrize("workers", [3, 16])
def test_a_quiet_server_s_best_number_is_found_exactly(workers: int) -> None:
    run = Simulated(scale(4), best_at(workers, fall=0.1), noise=0.01)
    assert run.run(_SETTLING) == workers


def test_what_was_best_is_left_when_it_is_so_no_more() -> None:
    """A server that others begin to use."""

    def server(count: int, now: float) -> float:
        return best_at(12 if now < 1200 else 2, fall=0.1)(count, now)

    run = Simulated(scale(1), server, noise=0.02)
    assert run.run(1200.0) == 12
    assert run.run(2400.0) == 2


def test_documents_that_get_harder_are_not_taken_for_too_many_workers() -> None:
    """By a third from minute to minute, for all numbers alike."""

    def server(count: int, now: float) -> float:
        return best_at(16, fall=0.0)(count, now) * (1.0 if now % 120 < 60 else 0.7)

    reached = []
    run = Simulated(scale(1), server)
    run.run(_SETTLING)
    for _ in range(120):
        run.run(10.0)
        reached.append(run.scale.workers / MOST)
    assert mean(reached) >= 0.9


def test_it_rests_ever_longer_where_nothing_better_is_found() -> None:
    run = Simulated(scale(3), best_at(3, fall=0.1), noise=0.01)
    run.run(7200.0)
    times = [now for now, _ in run.decisions]
    rests = [after - before for before, after in pairwise(times) if after - before > 55]
    assert rests[0] < 150
    assert rests[-1] > 600
    assert all(later > earlier - 20 for earlier, later in pairwise(rests))


def test_the_bounds_are_kept() -> None:
    run = Simulated(scale(4, least=3, most=6), best_at(1, fall=0.2))
    run.run(_SETTLING)
    assert {decision.workers for _, decision in run.decisions} <= {3, 4, 5, 6}
    assert run.scale.workers == 3


def test_no_more_than_there_are_partitions_left() -> None:
    run = Simulated(scale(2), best_at(16, fall=0.0), partitions=5)
    assert run.run(_SETTLING) == 5
    assert max(decision.workers for _, decision in run.decisions) == 5


# Memory


def test_no_more_than_there_is_memory_for() -> None:
    run = Simulated(scale(2), best_at(16, fall=0.0), available=lambda count, now: 7 * GB - count * GB // 10)
    run.run(_SETTLING)
    assert max(decision.workers for _, decision in run.decisions) == 6


def test_where_memory_is_short_one_is_let_go_after_the_other_and_none_is_started() -> None:
    """Others take it all, for a while."""

    def available(count: int, now: float) -> int:
        return GB // 10 if 600 < now < 700 and count > 4 else 1000 * GB

    run = Simulated(scale(8), best_at(16, fall=0.0), available=available)
    assert run.run(600.0) > 8
    run.run(300.0)
    short = [decision for _, decision in run.decisions if "MB of memory are left" in decision.because]
    assert [decision.workers for decision in short] == list(range(short[0].workers, 3, -1))
    assert run.scale.workers <= 4
    assert run.run(1200.0) > 8


@pytest.mark.parametrize(
    "trouble",
    [
        events.Paused("memory", 2.0, worker="w1"),
        events.MemorySpent(GB, worker="w1"),
        events.BreakerTripped("slow_batch", "31 s"),
    ],
)
def test_more_workers_that_get_into_trouble_are_let_go(trouble: events.Event) -> None:
    run = Simulated(scale(2), best_at(16, fall=0.0))

    def available(count: int, now: float) -> int:
        if count > 4:
            run.scale.notify(trouble, now)
        return 1000 * GB

    run.available = available
    run.run(_SETTLING)
    assert run.scale.workers <= 4
    assert any("that must not be" in decision.because for _, decision in run.decisions)
    late = [decision.workers for now, decision in run.decisions if now > _SETTLING / 2]
    assert late.count(max(late)) <= 3


# Standing still


def test_nothing_is_decided_while_work_is_held() -> None:
    run = Simulated(scale(2), best_at(16, fall=0.0), holding=lambda count, now: True)
    assert run.run(3600.0) == 2
    assert run.decisions == []


def test_a_number_at_which_replicas_do_not_keep_up_is_left_at_once() -> None:
    run = Simulated(scale(2), best_at(16, fall=0.0), holding=lambda count, now: count > 5)
    run.run(_SETTLING)
    assert run.scale.workers <= 5
    for (began, decision), (ended, _) in pairwise(run.decisions):
        if decision.workers > 5:
            assert ended - began <= 5.0


# What is measured


def test_a_rate_is_that_of_whole_and_of_parts_of_batches() -> None:
    measured = Throughput()
    measured.notify(events.WorkerStarted("w1", 1), 0.0)
    assert measured.at_work_since("w1") is None
    measured.notify(events.PartitionStarted(NAMESPACE, 0, None, "w1"), 1.0)
    assert measured.at_work_since("w1") == 1.0
    for end in (3.0, 5.0, 7.0):
        measured.notify(a_batch("w1", 20), end)
    measured.notify(a_batch("w2", 8), 4.0)  # of 0.1 s, as it says itself
    assert measured.rate(1.0, 7.0) == pytest.approx(68 / 6)
    assert measured.rate(2.0, 4.0) == pytest.approx((20 + 8) / 2)
    assert measured.batches("w1", 2.0) == 2
    assert measured.known_until(["w1", "w2"], 9.0) == 4.0
    assert measured.known_until(["w1"], 9.0) == 7.0
    measured.notify(events.PartitionFinished(NAMESPACE, 0, "w1"), 8.0)
    assert measured.known_until(["w1"], 9.0) == 9.0
    assert measured.rate(7.0, 9.0) == 0.0
    assert measured.rate(7.0, 7.0) == 0.0
    measured.notify(events.WorkerStarted("w1", 2), 9.0)  # another process of that name
    assert measured.at_work_since("w1") is None


def test_a_worker_that_never_finishes_a_batch_is_not_waited_for() -> None:
    one = scale(2, most=4)
    for worker in ("w1", "w2"):
        one.notify(events.WorkerStarted(worker, 1), 0.0)
        one.notify(events.PartitionStarted(NAMESPACE, 0, None, worker), 0.0)
    room = Room(["w1", "w2"], leaving=False, holding=False, available=100 * GB, held=0, partitions=None)
    decided = None
    for second in range(1, 200):
        one.notify(a_batch("w1", MB), float(second))
        decided = decided or one.look(room, float(second))
    assert decided is not None
    assert decided.workers == 4


@pytest.mark.parametrize(("partitions", "searches"), [(20, False), (30, False), (200, True), (None, True)])
def test_no_search_begins_where_all_would_be_done_before_it_is_of_use(
    partitions: int | None, *, searches: bool
) -> None:
    """A partition takes 3 s."""
    one = scale(1)
    one.notify(events.WorkerStarted("w1", 1), 0.0)
    decided = []
    for second in range(60):
        one.notify(events.PartitionStarted(NAMESPACE, 0, None, "w1"), float(second))
        one.notify(a_batch("w1", MB), second + 0.9)
        finished = (second + 1) // 3
        if (second + 1) % 3 == 0:
            one.notify(events.PartitionFinished(NAMESPACE, 0, "w1"), second + 0.9)
        left = None if partitions is None else partitions - finished
        room = Room(["w1"], leaving=False, holding=False, available=100 * GB, held=0, partitions=left)
        decided += [one.look(room, second + 1.0)]
    assert any(decided) is searches


def test_a_search_that_has_begun_is_ended_whatever_is_left() -> None:
    run = Simulated(scale(1), best_at(16, fall=0.0), partitions=1000)
    run.run(60.0)
    assert run.scale.workers > 1
    run.partitions = 16
    assert run.run(_SETTLING) == 16


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"autoscale": {"min": 5, "max": 3}}, r"autoscale.min \(5\) is above autoscale.max \(3\)"),
        ({"autoscale": {"max": 17}}, r"autoscale.max \(17\) is above max \(16\)"),
        ({"autoscale": {"min": 17}}, r"autoscale.min \(17\) is above max \(16\)"),
        ({"autoscale": {"max": 5}, "workers": 4}, r"autoscale.max \(5\) is above workers \(4\)"),
        ({"autoscale": {"min": 5}, "workers": 4}, r"autoscale.min \(5\) is above workers \(4\)"),
    ],
)
def test_bounds_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make(LocalExecutor, options)


@pytest.mark.parametrize("autoscale", [{"least": 1}, {"min": 0}, {"max": 2.5}, 4, "auto"])
def test_bounds_are_counts(autoscale: Any) -> None:
    with pytest.raises(AssertionError):
        make(LocalExecutor, {"autoscale": autoscale})
