"""One partition's way through the house: read, mask, write, again, with one batch being written meanwhile.

Each step is bounded: by the batch sizer's budget, the memory governor, the circuit breaker, the retries.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError

from phimask.config.model import Retry
from phimask.engine.batches import Batch
from phimask.engine.breaker import CircuitBreaker
from phimask.engine.canary import CanaryWatch
from phimask.engine.commit import Committed, Committer
from phimask.engine.journal import Journal
from phimask.engine.splitting import middle_of
from phimask.engine.takeover import POISON
from phimask.errors import Interrupted, SafeStop
from phimask.plugins.events import BatchFinished, Event, PartitionFinished, PartitionStarted, Paused
from phimask.plugins.interfaces import BatchSizer, Control, MemoryGovernor
from phimask.plugins.values import BatchBudget, BatchCost, ComplexityClass
from phimask.store.raw import identity
from phimask.store.reading import BatchReader
from phimask.store.retry import classify, error_name, retrying, terminal_error

_Answer = TypeVar("_Answer")

_Pending: TypeAlias = "tuple[Batch, Future[Committed]]"

_MEMORY_PATIENCE: Final = 20
"""How often, half a second apart, memory may be found critical before the run stops safely."""
_MEMORY_PAUSE: Final = 0.5
_HOLD_LOOK: Final = 0.2
_CAREFUL_CRASHES: Final = 2
"""So many workers in a row died without closing a batch before the next one takes documents one by one."""
_CAREFUL_DOCUMENTS: Final = 2000
"""So many documents are taken one by one then: more than what the batch held that they died of."""


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
    classify: Callable[[bytes], ComplexityClass] | None = None


class PartitionLoop:
    """Runs partitions one after the other. A batch is being written while the next one is read and masked."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._last_finish = time.perf_counter()
        self._shrunk_at = 0
        self._careful = 0

    def run(self, journal: Journal) -> None:
        """Mask a partition to its end, or to the batch at which the end is asked for.

        Raises SafeStop, MaskingError, StoreError or LeaseLost; what is in flight is settled first.
        """
        means, lease = self._means, journal.lease
        partition = lease.partition
        means.emit(
            PartitionStarted(means.namespace, partition.number, partition.documents, worker=means.worker)
        )
        reader = BatchReader(means.source, partition, means.query, means.projection, means.classify)
        self._leave_out_poison(journal, reader)
        died_here = lease.crashes >= _CAREFUL_CRASHES or lease.struck is not None
        self._careful = _CAREFUL_DOCUMENTS if died_here else 0
        finished = False
        with _quiet_collector(), ThreadPoolExecutor(1, "phimask-write") as writer:
            pending: _Pending | None = None
            try:
                while not means.control.stopping:
                    # After a crash, what is in flight is settled first, so that each try gets further.
                    if pending is not None and (means.control.holding or lease.crashes or self._careful):
                        done, pending = pending, None
                        self._finish(done, journal)
                    self._hold()
                    batch = self._next(reader, journal)
                    if batch is None:
                        finished = not means.control.stopping
                        break
                    if pending is not None:
                        done, pending = pending, None
                        try:
                            self._finish(done, journal)
                            self._mind_breaker()  # what was just settled may have opened it
                        except BaseException:
                            means.committer.drop(batch)
                            raise
                    pending = batch, writer.submit(self._commit, batch, journal)
                    if lease.split_wanted and not self._careful:
                        self._split(journal, reader)
            finally:
                if pending is not None:
                    self._finish(pending, journal)
        self.persist(lambda: journal.finish(done=finished))
        if finished:
            means.emit(PartitionFinished(means.namespace, partition.number, worker=means.worker))

    def _next(self, reader: BatchReader, journal: Journal) -> Batch | None:
        """The next batch, masked; None at the partition's end or the run's limit."""
        means = self._means
        self._mind_memory()
        self._mind_breaker()  # before the budget: what is tried after a pause is to be small
        budget = self._budget()
        if budget.documents == 0 or means.control.stopping:
            return None
        batch = self.persist(lambda: self._read(reader, budget, journal))
        if batch is not None:
            reader.position = batch.upto
            if means.remaining is not None:
                means.remaining -= len(batch.identities)
        return batch

    def _read(self, reader: BatchReader, budget: BatchBudget, journal: Journal) -> Batch | None:
        """Read and mask, in a transaction where the committer has them: an error takes back all of it."""
        means = self._means
        start = time.perf_counter()
        session: ClientSession | None = means.committer.begin()
        try:
            documents = reader.read(budget, session, means.sizer.meter())
            if documents:
                if self._careful:
                    self._careful -= 1
                    journal.suspect(identity(documents[0]))
                batch = means.committer.preparer.prepare(
                    documents,
                    whole=means.projection is None,
                    seconds=time.perf_counter() - start,
                    session=session,
                )
                batch.classes = reader.classes
                return batch
        except BaseException:
            if session is not None:
                session.end_session()
            raise
        if session is not None:
            session.end_session()
        return None

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

    def _hold(self) -> None:
        """Stand still as long as there are reasons to."""
        means = self._means
        while (reasons := means.control.holding) and not means.control.stopping:
            start = time.perf_counter()
            means.control.wait(_HOLD_LOOK)
            means.emit(Paused(", ".join(reasons), time.perf_counter() - start, worker=means.worker))

    def _commit(self, batch: Batch, journal: Journal) -> Committed:
        return self._retry(lambda: self._means.committer.commit(batch, journal))

    def _finish(self, pending: _Pending, journal: Journal) -> None:
        """Settle a batch in flight; one whose write failed for now goes through the breaker and again."""
        means = self._means
        batch = pending[0]
        try:
            done = pending[1].result()
        except PyMongoError as error:
            self._give_up_or_note(error)
            done = self.persist(lambda: means.committer.commit(batch, journal))
        now = time.perf_counter()
        elapsed, self._last_finish = now - self._last_finish, now
        tally = done.tally
        cost = BatchCost(tally.read, tally.bytes, done.seconds, batch.classes)
        reading = means.governor.read()
        means.sizer.record(cost)
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
                worker=means.worker,
            )
        )
        del done, pending
        gc.collect(1)
        means.breaker.succeeded(cost.seconds, reading.rss_bytes)
        if means.canary is not None:
            means.canary.record(cost, elapsed, reading.rss_bytes)

    def _mind_memory(self) -> None:
        """Shrink, collect, pause, and at last stop: in this order, as far as the pressure asks."""
        means = self._means
        reading = means.governor.read()
        if reading.pressure == "ok":
            self._shrunk_at = 0
            return
        if reading.rss_bytes > self._shrunk_at:
            means.sizer.shrink(reading.shrink)
            self._shrunk_at = reading.rss_bytes
        gc.collect()
        start = time.perf_counter()
        for _ in range(_MEMORY_PATIENCE):
            if means.governor.read().pressure != "critical":
                break
            if means.control.wait(_MEMORY_PAUSE):
                return
            gc.collect()
        else:
            raise SafeStop(
                f"memory stays critical ({reading.rss_bytes / 1e6:,.0f} MB of {reading.ceiling_bytes / 1e6:,.0f} "
                "MB); lower batch_sizer.options.bytes or raise memory_governor.options.hard"
            )
        paused = time.perf_counter() - start
        if paused >= _MEMORY_PAUSE:
            means.emit(Paused("memory", paused, worker=means.worker))

    def _mind_breaker(self) -> None:
        """Stand still while the breaker is open."""
        means = self._means
        waited = means.breaker.wait(means.control)
        if waited:
            means.emit(Paused("circuit breaker", waited, worker=means.worker))
        if means.control.stopping and means.breaker.open:
            raise Interrupted("stopped while the circuit breaker was open")

    def persist(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until it is answered: retries first, then the breaker. Terminal errors and stops come out."""
        while True:
            self._mind_breaker()
            try:
                return self._retry(ask)
            except PyMongoError as error:
                self._give_up_or_note(error)
                if self._means.control.stopping:
                    raise Interrupted(
                        f"stopped while MongoDB did not answer ({error_name(error)}); a resume finds out what became "
                        "of the batch in hand"
                    ) from None

    def _give_up_or_note(self, error: PyMongoError) -> None:
        if classify(error) != "transient":
            raise terminal_error(error, f"masking {self._means.namespace}") from None
        self._means.breaker.failed()

    def _retry(self, ask: Callable[[], _Answer]) -> _Answer:
        means = self._means
        answer: _Answer = retrying(
            means.retry,
            lambda reason, seconds: means.emit(Paused(reason, seconds, worker=means.worker)),
            lambda: means.control.stopping,
        )(ask)
        return answer


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Keep the cyclic collector from walking a batch's values again and again: it runs between batches."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
