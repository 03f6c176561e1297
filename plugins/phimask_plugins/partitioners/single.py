"""The whole collection as one range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from phimask import Partition, Partitioner, Source
from phimask_plugins.partitioners.ranges import between


class SinglePartitioner(Partitioner):
    """One range over everything: no query beforehand, nothing to divide among workers."""

    name: ClassVar[str] = "single"

    def partitions(self, source: Source) -> Iterator[Partition]:
        """One partition; none for an empty collection."""
        yield from between((), source, source.documents)
