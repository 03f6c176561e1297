"""Partitions one after the other: the last batch of one is written while the first of the next is read and masked."""

from __future__ import annotations

from types import TracebackType

from phimask.engine.asking import Asking
from phimask.engine.course import Course
from phimask.engine.journal import Journal
from phimask.engine.means import Means
from phimask.engine.reading_ahead import ReadingAhead
from phimask.engine.relief import MemoryRelief, collecting
from phimask.engine.writing_behind import WritingBehind
from phimask.plugins.events import PartitionStarted


class PartitionLoop:
    """Runs partitions one after the other. A batch is being written while the next one is masked, be it the next
    partition's first, and, where the profile says so, the one after that is read. A context manager: nothing is left
    unsettled."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._relief = MemoryRelief(
            means.governor,
            means.sizer,
            means.committer.preparer.core,
            means.memory.cache,
            means.control,
            means.emit,
            means.worker,
        )
        self._asking = Asking(
            means.worker, means.namespace, means.breaker, means.retry, means.control, means.emit
        )
        self.persist = self._asking.persist
        self._behind = WritingBehind(means, self._asking)

    def __enter__(self) -> PartitionLoop:
        self._behind.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._behind.__exit__(kind, error, trace)

    @property
    def ending(self) -> Journal | None:
        """Of the partition that is done as soon as its last batch is written: it is still this worker's."""
        return self._behind.ending

    def settle(self) -> bool:
        """Wait for what is being written; whether anything was."""
        return self._behind.settle()

    def run(self, journal: Journal) -> None:
        """Mask a partition to its end, or to the batch at which the end is asked for.

        The partition is done once its last batch is settled, which may be in the course of the next. Raises SafeStop,
        MaskingError, StoreError or LeaseLost, those of the partition before among them; what is in flight is settled
        first.
        """
        means, behind, partition = self._means, self._behind, journal.lease.partition
        behind.rest = None  # of a partition that was given up
        behind.started(
            PartitionStarted(means.namespace, partition.number, partition.documents, worker=means.worker)
        )
        with collecting(means.memory.collector):
            try:
                with ReadingAhead(means.resident) as ahead:
                    course = Course(means, self._relief, self._asking, journal, ahead, behind)
                    finished = course.run()
                if finished:
                    behind.finish(journal)
                    return
            except BaseException:
                behind.settle()
                raise
            behind.settle()
        if course.giant is not None:
            course.set_aside(*course.giant)
        else:
            self.persist(lambda: journal.finish(done=False))
