"""How long a run takes yet: by the recent rate, with a range that widens with its spread."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.monitor.forecast import RecentRate
from phimask.observing.series import Point

POINT = Point("a.b", "masking", 5.0, 0, 100)


def rated(*documents: int, seconds: float = 5.0) -> RecentRate:
    rate = RecentRate()
    for count in documents:
        rate.add(replace(POINT, documents=count, bytes=10 * count, seconds=seconds))
    return rate


def test_an_even_run_has_a_narrow_range() -> None:
    made = rated(*[500] * 100).forecast(6000)
    assert made is not None
    assert (made.seconds, made.soonest, made.latest) == pytest.approx((60, 60, 60))


def test_an_uneven_run_has_a_wide_one() -> None:
    rate = rated(*[900] * 12, *[100] * 12)
    assert rate.per_second == pytest.approx((100, 1000))
    made = rate.forecast(6000)
    assert made is not None
    assert made.latest is not None
    assert made.soonest == pytest.approx(6000 / 180)
    assert made.seconds == pytest.approx(60)
    assert made.latest == pytest.approx(6000 / 20)


def test_where_nothing_was_done_for_long_there_is_no_latest() -> None:
    made = rated(*[1000] * 10, *[0] * 10).forecast(1000)
    assert made is not None
    assert made.latest is None


def test_only_the_last_ten_minutes_count() -> None:
    rate = rated(*[5] * 1000, *[500] * 120)
    assert rate.per_second == pytest.approx((100, 1000))


def test_a_standstill_and_a_check_do_not_count() -> None:
    rate = rated(*[500] * 20)
    rate.add(replace(POINT, holding=("replica lag",)))
    rate.add(replace(POINT, phase="verifying", documents=0))
    rate.add(replace(POINT, done=100, documents=0))
    assert rate.per_second == pytest.approx((100, 1000))


def test_nothing_is_foretold_of_too_little() -> None:
    assert RecentRate().per_second is None
    assert RecentRate().forecast(5) is None
    assert rated(500).forecast(5) is None
    assert rated(0, 0, 0, 0).forecast(5) is None


@given(
    st.lists(st.tuples(st.floats(0.1, 60), st.integers(0, 10_000)), min_size=1, max_size=200),
    st.integers(1, 10**9),
)
def test_the_mean_lies_in_the_range(steps: list[tuple[float, int]], left: int) -> None:
    rate = RecentRate()
    for seconds, documents in steps:
        rate.add(replace(POINT, documents=documents, seconds=seconds))
    made = rate.forecast(left)
    if made is not None:
        assert 0 < made.soonest <= made.seconds
        assert made.latest is None or made.latest >= made.seconds
