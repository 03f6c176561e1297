"""What is kept of a run over time."""

from __future__ import annotations

from phimask import Expected
from phimask.observing.series import LONGEST, SHORTEST, Note, Point, Series, interval
from phimask.plugins.events import (
    BatchFinished,
    CollectionFinished,
    CollectionStarted,
    FindingMade,
    Holding,
    VerificationProgress,
    Warned,
    WorkerEnded,
    WorkerStarted,
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def batch(worker: str, seconds: float, expected: float | None = None) -> BatchFinished:
    return BatchFinished(
        "a.b", 0, 10, 1000, seconds, 10, 0, 0, 0, 50_000_000, classes={"simple": 7, "complex": 3},
        ceiling_bytes=10**9, worker=worker, expected=None if expected is None else Expected(expected, 0),
    )  # fmt: skip


def test_a_point_is_what_happened_since_the_one_before() -> None:
    clock = Clock()
    series = Series(clock)
    assert series.take() == (None, [])
    series.notify(CollectionStarted("a.b", None, 100, 10_000, done=20))
    for worker in ("w1", "w2"):
        series.notify(WorkerStarted(worker, 1))
    series.notify(batch("w1", 0.5, expected=0.6))
    series.notify(batch("w2", 1.5))
    series.notify(Holding(("a window",)))
    clock.now += 2
    point, _ = series.take()
    assert point == Point(
        "a.b", "masking", 2.0, 40, 100, 20, 2000, 2, 0.5, 1.5, 0.6, 50_000_000, 100_000_000, 10**9, 2,
        14, 0, 6, ("a window",),
    )  # fmt: skip
    assert Point.of(point.entry()) == point
    series.notify(WorkerEnded("w2", "died", 1, replaced=True))
    series.notify(Holding(()))
    clock.now += 1
    point, notes = series.take()
    assert point == Point(
        "a.b", "masking", 1.0, 40, 100, rss_max=50_000_000, rss_total=50_000_000, ceiling=10**9, workers=1
    )
    assert notes == [Note("warning", "WorkerEnded", "worker w2 died, and is replaced")]


def test_verification_goes_on_where_masking_ended() -> None:
    series = Series(Clock())
    series.notify(CollectionStarted("a.b", None, 100, 10_000))
    series.notify(VerificationProgress("a.b", 30, 100))
    point, _ = series.take()
    assert point is not None
    assert (point.phase, point.done, point.batch_p50) == ("verifying", 30, None)
    series.notify(CollectionFinished("a.b", {}))
    assert series.take()[0] is None


def test_notes_are_what_a_person_should_know() -> None:
    series = Series(Clock())
    series.notify(Warned("look out"))
    series.notify(FindingMade("a.b", "structure", "after", "a type changed", "x.y", 1200))
    assert series.take()[1] == [
        Note("warning", "Warned", "look out"),
        Note("warning", "FindingMade", "structure: 1,200 x a type changed at x.y", "a.b"),
    ]
    assert series.take()[1] == []


def test_points_come_often_at_first_and_never_seldom() -> None:
    assert interval(0) == SHORTEST
    assert SHORTEST < interval(1000) < LONGEST
    assert interval(10**6) == LONGEST
