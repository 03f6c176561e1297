"""Fixed counts, another one for each class of documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import BatchBudget, BatchCost, BatchSizer, ComplexityClass, Meter

_RECOVERY: Final = 1.1
_LEAST_RELIEF: Final = 0.001


class ClassedBatchSizer(BatchSizer):
    """As many documents as their class allows: many simple ones, few complex ones.

    In a batch of several classes each document counts for its share of what its class allows: of 5,000 simple ones a
    five-thousandth, so that 2,500 of them and 250 complex ones, of 500, fill a batch. `bytes` bounds it besides. Under
    memory pressure all counts are cut at once; a tenth of what is left comes back with every batch.
    """

    name: ClassVar[str] = "classed"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "simple": {
                "type": "integer",
                "minimum": 1,
                "default": 5000,
                "description": "the most documents of a batch of simple ones",
            },
            "medium": {
                "type": "integer",
                "minimum": 1,
                "default": 2000,
                "description": "the most documents of a batch of medium ones",
            },
            "complex": {
                "type": "integer",
                "minimum": 1,
                "default": 500,
                "description": "the most documents of a batch of complex ones",
            },
            "bytes": {
                "format": "size",
                "default": "16MB",
                "description": "the most BSON bytes a batch may hold, unless one document alone is larger",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._most: dict[ComplexityClass, int] = {
            "simple": options["simple"],
            "medium": options["medium"],
            "complex": options["complex"],
        }
        self._bytes: int = options["bytes"]
        if self._bytes <= 0:
            raise ValueError("bytes is no size; give it a positive size such as 16MB")
        if not self._most["simple"] >= self._most["medium"] >= self._most["complex"]:
            raise ValueError(
                "a batch would hold more documents of a more complex class; give simple the most and complex the least"
            )
        self._relief = 1.0

    def budget(self) -> BatchBudget:
        """The count of the simplest class, and the bytes."""
        return BatchBudget(
            max(1, int(self._most["simple"] * self._relief)), max(1, int(self._bytes * self._relief))
        )

    def meter(self) -> Meter:
        """Ends a batch once the shares of its documents come to one."""
        return _Shares({kind: 1 / max(1.0, most * self._relief) for kind, most in self._most.items()})

    def record(self, cost: BatchCost) -> None:  # noqa: ARG002  (the counts are fixed)
        """Gives back some of what pressure took."""
        self._relief = min(1.0, self._relief * _RECOVERY)

    def shrink(self, factor: float) -> None:
        """Cut all counts by `factor` at once."""
        self._relief = max(_LEAST_RELIEF, self._relief * factor)


class _Shares(Meter):
    _FULL: Final = 1 + 1e-9  # sums of shares are rounded

    def __init__(self, share: Mapping[ComplexityClass, float]) -> None:
        self._share = share
        self._taken = 0.0

    def admits(self, kind: ComplexityClass, size: int) -> bool:  # noqa: ARG002  (the budget counts bytes)
        self._taken += self._share[kind]
        return self._taken <= self._FULL
