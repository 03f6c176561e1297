"""Where a batch ends by what its documents are reckoned to cost: the meter of the sizers that predict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from phimask import ComplexityClass, Expected, Meter

CLASSES: Final[tuple[ComplexityClass, ...]] = ("simple", "medium", "complex")

Rates = Mapping[ComplexityClass, tuple[float, float]]
"""For each class: of a document by itself, and of a byte of it."""

_LEAST: Final = 2 / 3
_EVEN: Final = 1.1
"""So much longer than full batches that are shorter than the target may the others take."""
_WORTHWHILE: Final = 0.15
"""Seconds below which a batch's fixed cost (round trips) outweighs what evenness is worth."""


def even(target: float, shortest: float) -> float:
    """Seconds to aim at: `target`, or little more than what those batches take that a ceiling ends before it."""
    return min(target, max(_WORTHWHILE, _EVEN * shortest))


class Metered(Meter):
    """Ends a batch as near to `aim` seconds as its documents allow, and not below two thirds of that; and before
    `most_bytes` resident bytes are passed, whatever the seconds.

    `seconds` and `peak` are those of an empty batch, `seconds_each` and `peak_each` what each document adds.

    A document that costs more than the aim, alone or nearly, is taken into what has been begun rather than to end that
    at next to nothing: a batch of such a length comes anyway.
    """

    def __init__(
        self,
        seconds: float,
        seconds_each: Rates,
        aim: float,
        *,
        peak: float = 0.0,
        peak_each: Rates | None = None,
        most_bytes: float | None = None,
    ) -> None:
        self._seconds = seconds
        self._seconds_each = seconds_each
        self._aim = aim
        self._peak = peak
        self._peak_each = peak_each
        self._most_bytes = most_bytes
        self._begun = False

    def admits(self, kind: ComplexityClass, size: int) -> bool:
        """Whether the batch is nearer to its aim with this document than without it."""
        document, byte = self._seconds_each[kind]
        seconds = self._seconds + document + byte * size
        peak = self._peak
        if self._peak_each is not None:
            document, byte = self._peak_each[kind]
            peak += document + byte * size
        near = self._seconds < _LEAST * self._aim or self._seconds + seconds <= 2 * self._aim
        fits = near and (self._most_bytes is None or peak <= self._most_bytes)
        if fits or not self._begun:
            self._seconds, self._peak, self._begun = seconds, peak, True
        return fits

    def expected(self) -> Expected | None:
        """What the batch comes to as it is now; None where nothing is known of any class."""
        return Expected(self._seconds, self._peak) if self._seconds else None
