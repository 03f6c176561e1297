"""Recursive least squares with forgetting: a linear model that learns from one observation after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_PRIOR: Final = 0.1
"""How much what was believed before counts, in observations: the less, the sooner a first of its kind is believed."""
_LEAST: Final = 0.02
_SURPRISE: Final = 0.4
"""A relative error from which on things are taken to have changed,"""
_AFTER_SURPRISE: Final = 0.5
"""and so much is left of what was known before."""


class LeastSquares:
    """Predicts y from features x as their sum, each multiplied by a factor. Features are to be scaled so that their
    sum is a first guess at y: all factors begin with 1, and never become negative.

    What is minimized is the error relative to what was expected or what came, whichever is less: that a giant took ten
    times as long as expected is believed as soon as that it took a tenth. The weight of an observation shrinks by
    `forgetting` with each that follows; an error of two fifths or more halves the weight of all before it. Only what
    observations speak of is forgotten: for features that do not occur any more, factors stay as they are.

    Source: recursive least squares with exponential forgetting (Ljung, System Identification, 2nd edition, section
    11.2), in information form, with a constant part of the prior added at each step so that no direction loses all
    its weight ("stabilized" forgetting).
    """

    def __init__(self, features: int, forgetting: float) -> None:
        self._forgetting = forgetting
        self.factors = [1.0] * features
        self._weight = [[_PRIOR * (row == column) for column in range(features)] for row in range(features)]
        self.observations = 0

    def expected(self, features: Sequence[float]) -> float:
        """The prediction."""
        return sum(factor * feature for factor, feature in zip(self.factors, features, strict=True))

    def learn(self, features: Sequence[float], y: float) -> None:
        """One observation; y is above 0."""
        if not self.observations:
            guess = sum(features)
            self.factors = [y / guess if guess > 0 else 1.0] * len(self.factors)
        self.observations += 1
        # In units in which all factors are 1 now: so that the prior means the same for all.
        expected = self.expected(features)
        least = min(y, expected)
        x = [feature * one / least for feature, one in zip(features, self.factors, strict=True)]
        error = (y - expected) / least
        kept = self._forgetting if abs(error) < _SURPRISE else self._forgetting * _AFTER_SURPRISE
        for row, own in enumerate(x):
            line = self._weight[row]
            for column, other in enumerate(x):
                line[column] = line[column] * kept + own * other
            line[row] += (1 - kept) * _PRIOR
        steps = _solved(self._weight, [one * error for one in x])
        self.factors = [one * max(_LEAST, 1 + step) for one, step in zip(self.factors, steps, strict=True)]

    def begin(self, feature: int, like: int) -> None:
        """Believe of a feature that never occurred what is known of another."""
        self.factors[feature] = self.factors[like]


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x of Ax = b, for a symmetric, positive definite matrix (Cholesky)."""
    size = len(right)
    lower = [[0.0] * size for _ in range(size)]
    for row in range(size):
        for column in range(row + 1):
            rest = matrix[row][column] - sum(lower[row][k] * lower[column][k] for k in range(column))
            lower[row][column] = rest**0.5 if row == column else rest / lower[column][column]
    half: list[float] = []
    for row in range(size):
        half.append((right[row] - sum(lower[row][k] * half[k] for k in range(row))) / lower[row][row])
    result = [0.0] * size
    for row in reversed(range(size)):
        after = sum(lower[k][row] * result[k] for k in range(row + 1, size))
        result[row] = (half[row] - after) / lower[row][row]
    return result
