"""A run over time in few spans: nothing is lost in the sums, and only what changed is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phimask.monitor.curve import MOST_SPANS, Curve, changed
from phimask.observing.series import Point

POINT = Point("a.b", "masking", 1.0, 0, 100)
START, RATE, SIZE, TYPICAL, LONGEST, RSS, _, CEILING, _, HELD = range(10)


@given(st.lists(st.tuples(st.floats(0.5, 40), st.integers(0, 5000)), min_size=1, max_size=700))
def test_nothing_is_lost_and_there_are_never_too_many(steps: list[tuple[float, int]]) -> None:
    curve, at, before = Curve(), 1000.0, Curve().rows()
    known: dict[str, Any] = before
    for seconds, documents in steps:
        at += seconds
        curve.add(at, replace(POINT, seconds=seconds, documents=documents))
        after = curve.rows()
        known = _merged(known, changed(before, after))
        before = after
    assert known == before
    assert len(before["rows"]) <= MOST_SPANS
    starts = [row[START] for row in before["rows"]]
    assert starts == sorted(set(starts))
    assert all(start % before["step"] == 0 for start in starts)
    assert sum(one.documents for one in curve._spans) == sum(documents for _, documents in steps)


def _merged(known: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """As stream.js does it."""
    if change["since"] is None:
        return {"step": change["step"], "rows": change["rows"]}
    first = change["from"]
    kept = [
        row
        for row in known["rows"]
        if row[START] >= change["since"] and (first is None or row[START] < first)
    ]
    return {"step": change["step"], "rows": kept + change["rows"]}


def test_only_the_last_span_is_sent_again() -> None:
    curve = Curve()
    for at in range(0, 100, 2):
        curve.add(at, POINT)
    before = curve.rows()
    curve.add(99, replace(POINT, documents=10))
    change = changed(before, curve.rows())
    assert (change["since"], change["from"], len(change["rows"])) == (0, 98, 1)


def test_the_last_half_hour_forgets_what_is_older() -> None:
    curve = Curve(1800)
    for at in range(0, 100_000, 5):
        curve.add(at, POINT)
    rows, step = curve.rows()["rows"], curve.rows()["step"]
    assert rows[-1][START] - rows[0][START] < 1800
    assert rows[-1][START] - rows[0][START] > 1800 - 2 * step
    assert len(rows) <= MOST_SPANS


def test_what_a_span_says() -> None:
    curve = Curve()
    curve.add(10, replace(POINT, documents=50, bytes=600, batches=1, batch_p50=2.0, batch_max=2.0, rss_max=7))
    curve.add(
        11,
        replace(
            POINT, documents=150, bytes=200, batches=3, batch_p50=4.0, batch_max=9.0, rss_max=5, ceiling=8
        ),
    )
    curve.add(12, replace(POINT, holding=("replica lag",)))
    first, second = curve.rows()["rows"]
    assert (first[RATE], first[SIZE], first[TYPICAL], first[LONGEST]) == (100, 400, 3.5, 9)
    assert (first[RSS], first[CEILING], first[HELD]) == (7, 8, 0)
    assert (second[RATE], second[TYPICAL], second[RSS], second[HELD]) == (0, None, None, 1)


def test_verification_is_no_masking_at_a_rate_of_nought() -> None:
    curve = Curve()
    curve.add(10, replace(POINT, documents=50, phase="verifying"))  # ended in this very time
    curve.add(11, replace(POINT, phase="verifying"))
    curve.add(12, replace(POINT, phase="verifying"))
    curve.add(13, replace(POINT, done=100))
    first, second = curve.rows()["rows"]
    assert (first[RATE], second[RATE], second[SIZE]) == (50, None, None)
