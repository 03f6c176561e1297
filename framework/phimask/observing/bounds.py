"""What a random sample says of the whole: the bound that goes beside a sampled verification in every report."""

from __future__ import annotations

import math
from typing import Final

CONFIDENCE: Final = 0.95


def upper_bound(affected: int, checked: int, confidence: float = CONFIDENCE) -> float:
    """The greatest share of all documents that could be affected, given so many of a random sample.

    Source: Clopper and Pearson, Biometrika 26(4):404-413, 1934; with none affected about 3/n, the rule of three.
    """
    if checked <= 0 or affected >= checked:
        return 1.0
    if affected == 0:
        return 1.0 - math.pow(1.0 - confidence, 1.0 / checked)
    low, high = affected / checked, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(affected, checked, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(affected: int, checked: int, share: float) -> float:
    """The probability of so many or fewer in a sample, by the binomial distribution. Terms from the largest down: those
    that no longer count are left out."""
    if share >= 1.0:
        return 0.0
    total = 0.0
    term = math.exp(
        math.lgamma(checked + 1)
        - math.lgamma(affected + 1)
        - math.lgamma(checked - affected + 1)
        + affected * math.log(share)
        + (checked - affected) * math.log1p(-share)
    )
    for number in range(affected, -1, -1):
        total += term
        term *= number * (1.0 - share) / ((checked - number + 1) * share)
        if term < total * 1e-12:
            break
    return total
