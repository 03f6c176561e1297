"""The same budget for every batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from phimask import BatchBudget, BatchCost, BatchSizer


class FixedBatchSizer(BatchSizer):
    """The same documents and bytes each time, whatever they cost: for comparisons, and for a careful first look."""

    name: ClassVar[str] = "fixed"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "documents": {
                "type": "integer",
                "minimum": 1,
                "default": 1000,
                "description": "the most documents a batch may hold",
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
        if options["bytes"] <= 0:
            raise ValueError("bytes is no size; give it a positive size such as 16MB")
        self._budget = BatchBudget(options["documents"], options["bytes"])

    def budget(self) -> BatchBudget:
        """The configured one."""
        return self._budget

    def record(self, cost: BatchCost) -> None:
        """Changes nothing."""
