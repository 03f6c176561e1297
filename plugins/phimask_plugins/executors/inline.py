"""Partitions one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from phimask import Control, Executor, Partition


class InlineExecutor(Executor):
    """Works in the calling thread: the least memory, the least load, the simplest to watch."""

    name: ClassVar[str] = "inline"

    def run(
        self, partitions: Iterable[Partition], work: Callable[[Partition], None], control: Control
    ) -> None:
        """Take the next partition only when the one before is done and nobody asked for the end."""
        remaining = iter(partitions)
        # Asked before the next partition is, since finding it costs a query.
        while not control.stopping:
            partition = next(remaining, None)
            if partition is None:
                return
            work(partition)
