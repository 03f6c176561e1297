"""One partition's way through the house: read, mask, write, again, with one batch being written meanwhile.

Each step is bounded: by the batch sizer's budget, the memory governor, the circuit breaker, the retries.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from pymongo.errors import PyMongoError

from phimask.config.model import Retry
from phimask.engine.breaker import CircuitBreaker
from phimask.engine.canary import CanaryWatch
from phimask.engine.commit import Batch, Committed, Committer
from phimask.engine.control import StopSignal
from phimask.errors import Interrupted, SafeStop
from phimask.planning.plan import CollectionPlan
from phimask.plugins.events import BatchFinished, Event, PartitionFinished, PartitionStarted, Paused
from phimask.plugins.interfaces import BatchSizer, MemoryGovernor
from phimask.plugins.values import BatchBudget, BatchCost, DocumentId, Partition
from phimask.store.reading import BatchReader
from phimask.store.retry import classify, error_name, retrying, terminal_error

_Answer = TypeVar("_Answer")

_Pending: TypeAlias = "tuple[Batch, Future[Committed]]"

_MEMORY_PATIENCE: Final = 20
"""How often, half a second apart, memory may be found critical before the run stops safely."""
_MEMORY_PAUSE: Final = 0.5


@dataclass(slots=True)
class Means:
    """What a partition's loop works with; shared by all partitions of one worker."""

    plan: CollectionPlan
    source: Any
    committer: Committer
    sizer: BatchSizer
    governor: MemoryGovernor
    breaker: CircuitBreaker
    canary: CanaryWatch | None
    retry: Retry
    stop: StopSignal
    emit: Callable[[Event], None]
    quarantine: Callable[[DocumentId, str], None]
    remaining: int | None


class PartitionLoop:
    """Runs partitions one after the other. A batch is being written while the next one is read and masked."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._last_finish = time.perf_counter()
        self._shrunk_at = 0

    def run(self, partition: Partition) -> None:
        """Mask a partition to its end, or to the batch at which the end is asked for.

        Raises SafeStop, MaskingError or StoreError; what is in flight is settled first.
        """
        means = self._means
        means.emit(PartitionStarted(means.plan.namespace, partition.number, partition.documents))
        projection = means.plan.scan.projection if means.plan.target is None else None
        reader = BatchReader(means.source, partition, means.plan.scope.query, projection)
        finished = False
        with _quiet_collector(), ThreadPoolExecutor(1, "phimask-write") as writer:
            pending: _Pending | None = None
            try:
                while not means.stop.stopping:
                    batch = self._next(reader, whole=projection is None)
                    if batch is None:
                        finished = True
                        break
                    if pending is not None:
                        done, pending = pending, None
                        self._finish(done, partition)
                        self._mind_breaker()  # what was just settled may have opened it
                    pending = batch, writer.submit(self._commit, batch)
            finally:
                if pending is not None:
                    self._finish(pending, partition)
        if finished:
            means.emit(PartitionFinished(means.plan.namespace, partition.number))

    def _next(self, reader: BatchReader, *, whole: bool) -> Batch | None:
        """The next batch, masked; None at the partition's end or the run's limit."""
        means = self._means
        self._mind_memory()
        self._mind_breaker()  # before the budget: what is tried after a pause is to be small
        budget = self._budget()
        if budget.documents == 0:
            return None
        start = time.perf_counter()
        documents = self._persist(lambda: reader.read(budget))
        if not documents:
            return None
        reader.move(documents)
        if means.remaining is not None:
            means.remaining -= len(documents)
        seconds = time.perf_counter() - start
        return self._persist(lambda: means.committer.prepare(documents, whole=whole, seconds=seconds))

    def _budget(self) -> BatchBudget:
        means = self._means
        budget = means.sizer.budget()
        documents = budget.documents
        if means.breaker.half_open:
            documents = max(1, documents // 10)
        if means.remaining is not None:
            documents = min(documents, means.remaining)
        return BatchBudget(documents, budget.bytes)

    def _commit(self, batch: Batch) -> Committed:
        return self._retry(lambda: self._means.committer.commit(batch))

    def _finish(self, pending: _Pending, partition: Partition) -> None:
        """Settle a batch in flight; one whose write failed for now goes through the breaker and again."""
        means = self._means
        batch = pending[0]
        try:
            done = pending[1].result()
        except PyMongoError as error:
            self._give_up_or_note(error)
            done = self._persist(lambda: means.committer.commit(batch))
        now = time.perf_counter()
        elapsed, self._last_finish = now - self._last_finish, now
        cost = BatchCost(len(done.batch.documents), done.batch.bytes, done.seconds)
        reading = means.governor.read()
        means.sizer.record(cost)
        for found, reason in done.quarantined.items():
            means.quarantine(found, reason)
        masked = done.batch.masked
        means.emit(
            BatchFinished(
                namespace=means.plan.namespace,
                partition=partition.number,
                documents=cost.documents,
                bytes=cost.bytes,
                seconds=cost.seconds,
                written=done.written,
                unchanged=done.unchanged,
                quarantined=len(done.quarantined),
                missing=done.missing,
                rss_bytes=reading.rss_bytes,
                masked=tuple(masked.masked),
                redacted_on_error=tuple(masked.redacted_on_error),
                kept=tuple(masked.kept),
                ceiling_bytes=reading.ceiling_bytes,
            )
        )
        del masked, done, pending
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
            if means.stop.wait(_MEMORY_PAUSE):
                return
            gc.collect()
        else:
            raise SafeStop(
                f"memory stays critical ({reading.rss_bytes / 1e6:,.0f} MB of {reading.ceiling_bytes / 1e6:,.0f} "
                "MB); lower batch_sizer.options.bytes or raise memory_governor.options.hard"
            )
        paused = time.perf_counter() - start
        if paused >= _MEMORY_PAUSE:
            means.emit(Paused("memory", paused))

    def _mind_breaker(self) -> None:
        """Stand still while the breaker is open."""
        means = self._means
        waited = means.breaker.wait(means.stop)
        if waited:
            means.emit(Paused("circuit breaker", waited))
        if means.stop.stopping and means.breaker.open:
            raise Interrupted("stopped while the circuit breaker was open")

    def _persist(self, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until it is answered: retries first, then the breaker. Terminal errors and stops come out."""
        while True:
            self._mind_breaker()
            try:
                return self._retry(ask)
            except PyMongoError as error:
                self._give_up_or_note(error)
                if self._means.stop.stopping:
                    raise Interrupted(
                        f"stopped while MongoDB did not answer ({error_name(error)}); some documents of the batch in "
                        "hand may be written already"
                    ) from None

    def _give_up_or_note(self, error: PyMongoError) -> None:
        if classify(error) != "transient":
            raise terminal_error(error, f"masking {self._means.plan.namespace}") from None
        self._means.breaker.failed()

    def _retry(self, ask: Callable[[], _Answer]) -> _Answer:
        means = self._means
        answer: _Answer = retrying(
            means.retry,
            lambda reason, seconds: means.emit(Paused(reason, seconds)),
            lambda: means.stop.stopping,
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
