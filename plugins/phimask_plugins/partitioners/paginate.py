"""Ranges of equally many documents, found by walking the `_id` index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from phimask import Partition, Partitioner, Source
from phimask_plugins.partitioners.ranges import between, every


class PaginatePartitioner(Partitioner):
    """Exact, and slower to begin with than sampling: the index is walked once, range by range as they are taken."""

    name: ClassVar[str] = "paginate"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "documents": {
                "type": "integer",
                "minimum": 1,
                "default": 100_000,
                "description": "how many documents a partition holds",
            },
        },
    }

    def partitions(self, source: Source) -> Iterator[Partition]:
        """Each range is found when it is asked for; none for an empty collection."""
        each: int = self.options["documents"]
        yield from between(every(each, source), source, each)
