"""Batches on their way to the server: one is written while the next is masked, and counted once it is through.

The last one of a partition is written while the first of the next is read and masked: a worker then has two partitions,
and the earlier one is done before anything of the later one is written.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType

from loguru import logger
from pymongo.errors import PyMongoError

from phimask.engine.asking import Asking
from phimask.engine.batches import Batch
from phimask.engine.commit import Committed
from phimask.engine.journal import Journal
from phimask.engine.means import Means
from phimask.engine.reading_ahead import Read
from phimask.engine.relief import after_batch
from phimask.ledger.leases import LeaseLost
from phimask.plugins.events import BatchFinished, PartitionFinished, PartitionStarted
from phimask.plugins.values import BatchCost, DocumentId


@dataclass(slots=True, repr=False)
class _Pending:
    """A batch that is being written, what it was read as, and the bytes that its results take. `last`: nothing is left
    of its partition behind it."""

    batch: Batch
    read: Read
    journal: Journal
    results: int
    outcome: Future[Committed]
    last: bool = False


class WritingBehind:
    """One batch of a worker at a time, in a thread of its own; at the end none is left unsettled."""

    def __init__(self, means: Means, asking: Asking) -> None:
        self._means = means
        self._asking = asking
        self._thread = ThreadPoolExecutor(1, "phimask-write")
        self._last_finish = time.perf_counter()
        self._pending: _Pending | None = None
        self._to_tell: PartitionStarted | None = None
        self.pace: float | None = None
        """Seconds a document that the last batch took, once there was one."""
        self.ending: Journal | None = None
        """Of the partition whose last batch is being written."""
        self.rest: DocumentId | None = None
        """Where the last batch ended, if that is before its end: what was left of it is to be read again."""

    def __enter__(self) -> WritingBehind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.settle()
        finally:
            self._thread.shutdown()

    def started(self, event: PartitionStarted) -> None:
        """To be told when the partition before is done."""
        if self._pending is None:
            self._means.emit(event)
        else:
            self._to_tell = event

    def all_of_it(self) -> bool:
        """Whether the batch that is being written will not be cut, now that all of it is needed; and none was of which
        the rest is to be read still."""
        deadline = None if self._pending is None else self._pending.batch.deadline
        return self.rest is None and (deadline is None or deadline.keep_whole())

    def finish(self, journal: Journal) -> None:
        """Nothing is left of this partition but what is being written: it is done when that is."""
        if self._pending is not None and self._pending.journal is not journal:
            self.settle()
        if self._pending is None:
            self._finish(journal)
        else:
            self._pending.last, self.ending = True, journal

    def _finish(self, journal: Journal) -> None:
        means = self._means
        self._asking.persist(lambda: journal.finish(done=True))
        means.emit(PartitionFinished(means.namespace, journal.lease.number, worker=means.worker))

    @property
    def document_bytes(self) -> int:
        """Of the documents of the batch being written."""
        return 0 if self._pending is None else self._pending.read.bytes

    @property
    def result_bytes(self) -> int:
        """Of what is written for them."""
        return 0 if self._pending is None else self._pending.results

    def begin(self, batch: Batch, as_read: Read, journal: Journal) -> None:
        """Write it while something else is done. The one before has to be settled."""
        assert self._pending is None  # noqa: S101  (a batch that nobody waits for would be lost)
        outcome = self._thread.submit(self._commit, batch, journal)
        self._pending = _Pending(batch, as_read, journal, batch.result_bytes, outcome)

    def settle(self) -> bool:
        """Wait for what is being written, and count it; whether anything was. What failed for now goes through the
        breaker and again.

        What ends the work on a partition that had only this batch left is raised like anything else, but for a lost
        lease: whoever has it sees to it, and the partition in hand is another.
        """
        pending, self._pending = self._pending, None
        if pending is None:
            return False
        journal, last = pending.journal, pending.last
        try:
            counted = self._counted(pending)
            del pending
            self._note(*counted)
            if last:
                self._finish(journal)
        except LeaseLost:
            if not last:
                raise
            note_lost(self._means.namespace, journal)
        except BaseException:
            if last:
                leave(journal)
            raise
        finally:
            if last:
                self.ending = None
        if self._to_tell is not None:
            self._means.emit(self._to_tell)
            self._to_tell = None
        return True

    def _note(self, cost: BatchCost, rss_bytes: int) -> None:
        means = self._means
        now = time.perf_counter()
        elapsed, self._last_finish = now - self._last_finish, now
        after_batch(means.memory.collector)
        means.breaker.succeeded(cost.seconds, rss_bytes)
        if means.canary is not None:
            means.canary.record(cost, elapsed, rss_bytes)

    def _commit(self, batch: Batch, journal: Journal) -> Committed:
        return self._asking.a_few_times(lambda: self._means.committer.commit(batch, journal))

    def _counted(self, pending: _Pending) -> tuple[BatchCost, int]:
        """What the batch took, and the resident bytes after it."""
        means, as_read = self._means, pending.read
        try:
            done = pending.outcome.result()
        except PyMongoError as error:
            self._asking.give_up_or_note(error)
            done = self._asking.persist(lambda: means.committer.commit(pending.batch, pending.journal))
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
        classes: Mapping[str, int] = {kind: documents for kind, (documents, _) in as_read.classes.items()}
        expected = None if as_read.meter is None else as_read.meter.expected()
        whole = cost
        if done.upto is not None:
            self.rest = done.upto
            whole = _whole(cost, pending.batch, done.left)
            classes = Counter[str](as_read.kinds[: tally.read])
            if expected is not None:
                expected = expected._replace(seconds=expected.seconds * cost.seconds / whole.seconds)
        means.sizer.record(whole)
        means.governor.note(whole)
        means.emit(
            BatchFinished(
                namespace=means.namespace,
                partition=pending.journal.lease.number,
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
                classes={}
                if means.classify is None  # nobody could tell, and sizers took all for complex
                else classes,
                ceiling_bytes=reading.ceiling_bytes,
                peak_bytes=cost.peak_bytes,
                expected=expected,
                worker=means.worker,
            )
        )
        return cost, reading.rss_bytes


def _whole(cost: BatchCost, batch: Batch, left: float) -> BatchCost:
    """What all of a batch would have taken that was cut: what there is to learn from."""
    return replace(cost, documents=len(batch.identities), bytes=batch.size, seconds=cost.seconds + left)


def note_lost(namespace: str, journal: Journal) -> None:
    """Somebody else has the partition."""
    logger.info("partition {} of {} went to another worker", journal.lease.number, namespace)


def leave(journal: Journal) -> None:
    """Let others have the partition, if the ledger can be told; else they wait for the lease's end."""
    with contextlib.suppress(PyMongoError, LeaseLost):
        journal.finish(done=False)
