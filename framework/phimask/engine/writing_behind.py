"""Batches on their way to the server: one is written while the next is masked, and counted once it is through."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple

from pymongo.errors import PyMongoError

from phimask.engine.asking import Asking
from phimask.engine.batches import Batch
from phimask.engine.commit import Committed
from phimask.engine.journal import Journal
from phimask.engine.means import Means
from phimask.engine.reading_ahead import Read
from phimask.engine.relief import after_batch
from phimask.plugins.events import BatchFinished
from phimask.plugins.values import BatchCost


class _Pending(NamedTuple):
    """A batch that is being written, what it was read as, and the bytes that its results take."""

    batch: Batch
    read: Read
    results: int
    outcome: Future[Committed]


class WritingBehind:
    """One batch of a partition at a time, in a thread of its own; at the end none is left unsettled."""

    def __init__(self, means: Means, asking: Asking, journal: Journal) -> None:
        self._means = means
        self._asking = asking
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, "phimask-write")
        self._last_finish = time.perf_counter()
        self._pending: _Pending | None = None
        self.pace: float | None = None
        """Seconds a document that the last batch took, once there was one."""

    def __enter__(self) -> WritingBehind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.settle()
        finally:
            self._thread.shutdown()

    @property
    def document_bytes(self) -> int:
        """Of the documents of the batch being written."""
        return 0 if self._pending is None else self._pending.read.bytes

    @property
    def result_bytes(self) -> int:
        """Of what is written for them."""
        return 0 if self._pending is None else self._pending.results

    def begin(self, batch: Batch, as_read: Read) -> None:
        """Write it while something else is done. The one before has to be settled."""
        assert self._pending is None  # noqa: S101  (a batch that nobody waits for would be lost)
        self._pending = _Pending(batch, as_read, batch.result_bytes, self._thread.submit(self._commit, batch))

    def settle(self) -> None:
        """Wait for what is being written, and count it. What failed for now goes through the breaker and again."""
        means = self._means
        pending, self._pending = self._pending, None
        if pending is None:
            return
        cost, rss_bytes = self._counted(pending)
        now = time.perf_counter()
        elapsed, self._last_finish = now - self._last_finish, now
        del pending
        after_batch(means.memory.collector)
        means.breaker.succeeded(cost.seconds, rss_bytes)
        if means.canary is not None:
            means.canary.record(cost, elapsed, rss_bytes)

    def _commit(self, batch: Batch) -> Committed:
        return self._asking.a_few_times(lambda: self._means.committer.commit(batch, self._journal))

    def _counted(self, pending: _Pending) -> tuple[BatchCost, int]:
        """What the batch took, and the resident bytes after it."""
        means, as_read = self._means, pending.read
        try:
            done = pending.outcome.result()
        except PyMongoError as error:
            self._asking.give_up_or_note(error)
            done = self._asking.persist(lambda: means.committer.commit(pending.batch, self._journal))
        finally:
            means.resident.end(as_read.span)
        tally = done.tally
        cost = BatchCost(
            tally.read,
            tally.bytes,
            done.seconds,
            as_read.classes,
            peak_bytes=as_read.span.peak,
            resident_bytes=as_read.span.resident,
        )
        reading = means.governor.read()
        self.pace = cost.seconds / max(cost.documents, 1)
        means.sizer.record(cost)
        means.governor.note(cost)
        means.emit(
            BatchFinished(
                namespace=means.namespace,
                partition=self._journal.lease.number,
                documents=cost.documents,
                bytes=cost.bytes,
                seconds=cost.seconds,
                written=tally.masked,
                unchanged=tally.unchanged,
                quarantined=tally.quarantined,
                missing=tally.missing,
                rss_bytes=reading.rss_bytes,
                masked=tuple(one[0] for one in tally.rules),
                redacted_on_error=tuple(one[1] for one in tally.rules),
                kept=tuple(one[2] for one in tally.rules),
                classes={kind: documents for kind, (documents, _) in cost.classes.items()},
                ceiling_bytes=reading.ceiling_bytes,
                peak_bytes=cost.peak_bytes,
                expected=None if as_read.meter is None else as_read.meter.expected(),
                worker=means.worker,
            )
        )
        return cost, reading.rss_bytes
