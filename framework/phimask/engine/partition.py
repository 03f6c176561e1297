"""One partition's way through the house: read, mask, write, again, with one batch being written meanwhile.

Each step is bounded: by the batch sizer's budget, the memory pools and governor, the circuit breaker, the retries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from pymongo.errors import PyMongoError

from phimask.config.model import Memory, Retry
from phimask.engine.asking import Asking
from phimask.engine.batches import Batch
from phimask.engine.breaker import CircuitBreaker
from phimask.engine.canary import CanaryWatch
from phimask.engine.commit import Committed, Committer
from phimask.engine.journal import Journal
from phimask.engine.reading_ahead import Read, ReadingAhead, read
from phimask.engine.relief import MemoryRelief, after_batch, collecting
from phimask.engine.resident import ResidentMemory
from phimask.engine.splitting import middle_of
from phimask.engine.takeover import POISON
from phimask.masking.outcomes import MAX_DOCUMENT_BYTES
from phimask.plugins.events import BatchFinished, Event, PartitionFinished, PartitionStarted, Paused, SetAside
from phimask.plugins.interfaces import BatchSizer, Control, MemoryGovernor
from phimask.plugins.values import BatchBudget, BatchCost, ComplexityClass, DocumentId
from phimask.store.raw import identity
from phimask.store.reading import BatchReader

_HOLD_LOOK: Final = 0.2
_CAREFUL_CRASHES: Final = 2
"""So many workers in a row died without closing a batch before the next one takes documents one by one."""
_CAREFUL_DOCUMENTS: Final = 2000
"""So many documents are taken one by one then: more than what the batch held that they died of."""


class _Pending(NamedTuple):
    """A batch that is being written, what it was read as, and the bytes that its results take."""

    batch: Batch
    read: Read
    results: int
    outcome: Future[Committed]


@dataclass(slots=True)
class Means:
    """What a partition's loop works with; shared by all partitions of one worker."""

    worker: str
    namespace: str
    source: Any
    projection: Mapping[str, Any] | None
    query: Mapping[str, Any] | None
    committer: Committer
    sizer: BatchSizer
    governor: MemoryGovernor
    breaker: CircuitBreaker
    canary: CanaryWatch | None
    retry: Retry
    control: Control
    emit: Callable[[Event], None]
    remaining: int | None
    memory: Memory
    classify: Callable[[bytes], ComplexityClass] | None = None
    resident: ResidentMemory = field(default_factory=ResidentMemory)


class PartitionLoop:
    """Runs partitions one after the other. A batch is being written while the next one is masked, and, where the
    profile says so, the one after that is read."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._last_finish = time.perf_counter()
        self._careful = 0
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
        self._pending: _Pending | None = None
        self._oversize: int | None = None
        self._giant: tuple[DocumentId, int] | None = None

    def run(self, journal: Journal) -> None:
        """Mask a partition to its end, or to the batch at which the end is asked for.

        Raises SafeStop, MaskingError, StoreError or LeaseLost; what is in flight is settled first.
        """
        means, lease = self._means, journal.lease
        partition = lease.partition
        means.emit(
            PartitionStarted(means.namespace, partition.number, partition.documents, worker=means.worker)
        )
        self._giant = None
        self._oversize = None if lease.lane == "oversize" else means.memory.oversize
        reader = BatchReader(
            means.source, partition, means.query, means.projection, means.classify, self._oversize
        )
        self._leave_out_poison(journal, reader)
        died_here = lease.crashes >= _CAREFUL_CRASHES or lease.struck is not None or lease.lane == "oversize"
        self._careful = _CAREFUL_DOCUMENTS if died_here else 0
        finished = False
        with (
            collecting(means.memory.collector),
            ThreadPoolExecutor(1, "phimask-write") as writer,
            ReadingAhead(means.resident) as ahead,
        ):
            try:
                while not means.control.stopping:
                    # After a crash, what is in flight is settled first, so that each try gets further.
                    if means.control.holding or lease.crashes or self._careful:
                        ahead.drop()
                        self._settle(journal)
                    self._hold()
                    found = self._next(reader, ahead, journal)
                    if found is None:
                        finished = not means.control.stopping and self._giant is None
                        break
                    batch, as_read = found
                    try:
                        self._settle(journal)
                        self._asking.mind_breaker()  # what was just settled may have opened it
                    except BaseException:
                        self._drop(batch, as_read)
                        raise
                    self._pending = _Pending(
                        batch, as_read, batch.result_bytes, writer.submit(self._commit, batch, journal)
                    )
                    if lease.split_wanted and not self._careful:
                        ahead.drop()
                        self._split(journal, reader)
            finally:
                self._settle(journal)
        if self._giant is not None:
            self._set_aside(journal, *self._giant)
            return
        self.persist(lambda: journal.finish(done=finished))
        if finished:
            means.emit(PartitionFinished(means.namespace, partition.number, worker=means.worker))

    def _next(self, reader: BatchReader, ahead: ReadingAhead, journal: Journal) -> tuple[Batch, Read] | None:
        """The next batch, masked, and as it was read; None at the partition's end or the run's limit."""
        means = self._means
        self._relief.mind(lambda: self._settle(journal))
        self._asking.mind_breaker()  # before the budget: what is tried after a pause is to be small
        if means.breaker.half_open:
            ahead.drop()
        as_read = ahead.take(reader)
        if as_read is None:
            budget = self._budget()
            if budget.documents == 0 or means.control.stopping:
                return None
            if not self._has_room(budget.bytes):
                self._settle(journal)
            as_read = self.persist(lambda: self._read(reader, budget))
            if not as_read.documents:
                as_read.drop(means.resident)
                return None
            reader.position = identity(as_read.documents[-1])
        if self._oversize is not None and len(as_read.documents[0]) > self._oversize:
            self._giant = identity(as_read.documents[0]), len(as_read.documents[0])
            as_read.drop(means.resident)
            return None
        results = means.memory.results
        if (
            results is not None
            and self._pending is not None
            and self._pending.results + as_read.bytes > results
        ):
            self._settle(journal)
        self._read_ahead(reader, ahead, as_read, journal)
        try:
            batch = self._mask(as_read, journal)
        except PyMongoError as error:
            # What was read in a transaction is gone with it.
            self._asking.give_up(error)
            ahead.drop()
            reader.position = as_read.before
            budget = self._budget()
            again = self.persist(lambda: self._read_and_mask(reader, budget, journal))
            if again is None:
                return None
            batch, as_read = again
            reader.position = batch.upto
        if reader.position != batch.upto:  # it takes less than was read
            ahead.drop()
            reader.position = batch.upto
        if means.remaining is not None:
            means.remaining -= len(batch.identities)
        return batch, as_read

    def _read(self, reader: BatchReader, budget: BatchBudget) -> Read:
        means = self._means
        return read(reader, budget, means.committer.begin, means.sizer.meter(), means.resident)

    def _read_and_mask(
        self, reader: BatchReader, budget: BatchBudget, journal: Journal
    ) -> tuple[Batch, Read] | None:
        """In one transaction where the committer has them: an error takes back all of it."""
        as_read = self._read(reader, budget)
        if not as_read.documents:
            as_read.drop(self._means.resident)
            return None
        return self._mask(as_read, journal), as_read

    def _mask(self, as_read: Read, journal: Journal) -> Batch:
        means = self._means
        try:
            if self._careful:
                self._careful -= 1
                journal.suspect(identity(as_read.documents[0]))
            batch = means.committer.preparer.prepare(
                as_read.documents,
                whole=means.projection is None,
                seconds=as_read.seconds,
                session=as_read.session,
            )
        except BaseException:
            as_read.drop(means.resident)
            raise
        as_read.documents = []  # the batch has those that are still needed
        return batch

    def _read_ahead(self, reader: BatchReader, ahead: ReadingAhead, in_hand: Read, journal: Journal) -> None:
        """Begin to read what comes after the batch in hand, where that is wanted and there is room for it."""
        means = self._means
        if (
            not means.memory.read_ahead
            or means.remaining is not None
            or means.breaker.state != "closed"
            or means.control.holding
            or means.control.stopping
            or self._careful
            or journal.lease.crashes
        ):
            return
        budget = self._budget()
        if self._has_room(budget.bytes, in_hand):
            ahead.begin(lambda: self._read(reader, budget))

    def _has_room(self, wanted: int, in_hand: Read | None = None) -> bool:
        """Whether the documents' pool has room for so many bytes more, or for one document of any size."""
        pool = self._means.memory.documents
        if pool is None:
            return True
        held = 0 if in_hand is None else in_hand.bytes
        if self._pending is not None:
            held += self._pending.read.bytes
        return held == 0 or held + max(wanted, MAX_DOCUMENT_BYTES) <= pool

    def _budget(self) -> BatchBudget:
        means = self._means
        budget = means.sizer.budget()
        documents = budget.documents
        if means.breaker.half_open:
            documents = max(1, documents // 10)
        if self._careful:
            documents = 1
        if means.remaining is not None:
            documents = min(documents, means.remaining)
        return BatchBudget(documents, budget.bytes)

    def _leave_out_poison(self, journal: Journal, reader: BatchReader) -> None:
        """Go on behind a document that ended several workers, and list it."""
        found = journal.lease.poison
        if found is None:
            return
        self.persist(lambda: journal.leave_out(found, POISON))
        reader.position = found

    def _split(self, journal: Journal, reader: BatchReader) -> None:
        """Give half of what was not read yet to somebody who has nothing to do."""
        upto = journal.lease.upto
        middle = self.persist(lambda: middle_of(self._means.source, reader.position, upto))
        if middle is not None:
            self.persist(lambda: journal.split(middle))
            reader.end_at(middle)
        else:
            journal.lease.split_wanted = False

    def _set_aside(self, journal: Journal, giant: DocumentId, size: int) -> None:
        """All before this document is done: what is left of the partition, cut down to it alone, waits in another lane.
        What lies behind becomes a partition first, so that nothing is ever in none."""
        means, lease = self._means, journal.lease
        if lease.upto != giant:
            self.persist(lambda: journal.split(giant))
        self.persist(journal.set_aside)
        means.emit(SetAside(means.namespace, lease.number, size, worker=means.worker))

    def _hold(self) -> None:
        """Stand still as long as there are reasons to."""
        means = self._means
        while (reasons := means.control.holding) and not means.control.stopping:
            start = time.perf_counter()
            means.control.wait(_HOLD_LOOK)
            means.emit(Paused(", ".join(reasons), time.perf_counter() - start, worker=means.worker))

    def _commit(self, batch: Batch, journal: Journal) -> Committed:
        return self._asking.a_few_times(lambda: self._means.committer.commit(batch, journal))

    def _drop(self, batch: Batch, as_read: Read) -> None:
        self._means.committer.drop(batch)
        as_read.drop(self._means.resident)

    def _settle(self, journal: Journal) -> None:
        """Wait for what is being written, and count it. What failed for now goes through the breaker and again."""
        means = self._means
        pending, self._pending = self._pending, None
        if pending is None:
            return
        cost, rss_bytes = self._counted(pending, journal)
        now = time.perf_counter()
        elapsed, self._last_finish = now - self._last_finish, now
        del pending
        after_batch(means.memory.collector)
        means.breaker.succeeded(cost.seconds, rss_bytes)
        if means.canary is not None:
            means.canary.record(cost, elapsed, rss_bytes)

    def _counted(self, pending: _Pending, journal: Journal) -> tuple[BatchCost, int]:
        """What the batch took, and the resident bytes after it."""
        means, as_read = self._means, pending.read
        try:
            done = pending.outcome.result()
        except PyMongoError as error:
            self._asking.give_up_or_note(error)
            done = self.persist(lambda: means.committer.commit(pending.batch, journal))
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
        means.sizer.record(cost)
        means.governor.note(cost)
        means.emit(
            BatchFinished(
                namespace=means.namespace,
                partition=journal.lease.number,
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
