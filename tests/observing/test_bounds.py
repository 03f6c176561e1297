"""The bound that a sampled verification states."""

from __future__ import annotations

import math
import random

import pytest

from phimask.observing.bounds import upper_bound


@pytest.mark.parametrize(
    ("affected", "checked", "bound"),
    [
        (0, 10, 0.25887),
        (1, 10, 0.39416),
        (5, 10, 0.77756),
        (0, 1, 0.95),
        (10, 10, 1.0),
        (0, 0, 1.0),
        (2, 1000, 0.00628),
    ],
)
def test_it_is_clopper_and_pearson_s(affected: int, checked: int, bound: float) -> None:
    """Values of the beta distribution's 95 % quantile with (affected + 1, checked - affected)."""
    assert upper_bound(affected, checked) == pytest.approx(bound, rel=2e-3)


def test_with_none_affected_it_is_the_rule_of_three() -> None:
    assert upper_bound(0, 20_000) == pytest.approx(3 / 20_000, rel=2e-3)


def test_it_grows_with_what_is_affected_and_holds_for_large_samples() -> None:
    bounds = [upper_bound(affected, 100_000) for affected in (0, 1, 10, 1000, 50_000, 99_999)]
    assert bounds == sorted(bounds)
    assert bounds[3] == pytest.approx(0.01 + 1.645 * math.sqrt(0.01 * 0.99 / 100_000), rel=0.01)


def test_it_is_kept_19_times_of_20() -> None:
    randomly = random.Random(7)
    share, checked, tries = 0.03, 200, 400
    kept = 0
    for _ in range(tries):
        affected = sum(randomly.random() < share for _ in range(checked))
        kept += upper_bound(affected, checked) >= share
    assert kept >= 0.92 * tries
