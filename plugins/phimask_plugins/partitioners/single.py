"""The whole collection as one range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from phimask import Partition, Partitioner, Source


class SinglePartitioner(Partitioner):
    """One range over everything: no query beforehand, nothing to divide among workers."""

    name: ClassVar[str] = "single"

    def partitions(self, source: Source) -> Iterator[Partition]:
        """One partition; none for an empty collection."""
        last = source.last_id()
        if last is not None:
            yield Partition(0, None, last, source.documents)
