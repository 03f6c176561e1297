"""How batches spread: their least, middle, 95th-percentile and greatest seconds and rates."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import Any, Final

_MB: Final = 1_000_000
_SHORTEST: Final = 1e-6
"""Seconds: what a clock that did not move between two readings is taken for."""


class BatchSpread:
    """Remembers every batch as three numbers, 24 bytes: 50,000 batches of a run over 32 million documents are 1.2 MB,
    so that the percentiles are exact."""

    def __init__(self) -> None:
        self._documents = array("Q")
        self._bytes = array("Q")
        self._seconds = array("d")

    def add(self, documents: int, size: int, seconds: float) -> None:
        """One batch: documents, BSON bytes as read, seconds of work."""
        self._documents.append(documents)
        self._bytes.append(size)
        self._seconds.append(max(seconds, _SHORTEST))

    def summary(self) -> dict[str, Any]:
        """The report's `batches`. Where there was no batch, what can only be measured is null."""
        rates = [
            count / seconds for count, seconds in zip(self._documents, self._seconds, strict=True) if count
        ]
        speeds = [
            size / seconds / _MB for size, seconds in zip(self._bytes, self._seconds, strict=True) if size
        ]
        return {
            "count": len(self._seconds),
            "documents": sum(self._documents),
            "bytes": sum(self._bytes),
            "seconds": spread(self._seconds),
            "docs_per_second": spread(rates),
            "mb_per_second": spread(speeds),
            "variance_percent": round((max(rates) - min(rates)) / min(rates) * 100, 2) if rates else None,
        }


class PredictionError:
    """How far what was expected of batches lay from what they took, as shares of that; 8 bytes a batch."""

    def __init__(self) -> None:
        self._errors = array("d")

    def add(self, expected: float, actual: float) -> None:
        """One batch."""
        if actual > 0:
            self._errors.append(abs(expected - actual) / actual)

    def median_percent(self) -> float | None:
        """In percent, by nearest rank; None where nothing was expected of any batch."""
        middle = spread(self._errors)["p50"]
        return None if middle is None else round(100 * middle, 2)


def spread(measured: Iterable[float]) -> dict[str, float | None]:
    """Least, median, 95th percentile and greatest, by nearest rank: each is a value that was measured.

    Rounded to six decimals; all None where nothing was measured.
    """
    ordered = sorted(measured)
    if not ordered:
        return {"min": None, "p50": None, "p95": None, "max": None}

    def rank(share: float) -> float:
        return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 6)

    return {"min": rank(0), "p50": rank(0.5), "p95": rank(0.95), "max": rank(1)}
