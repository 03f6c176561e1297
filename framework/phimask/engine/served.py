"""Batches that MongoDB masks by itself: a range of `_id`s, one update, and no document read but those that are checked.

Each document is masked as it stands when the server comes to it, so nobody's change is lost, and masking a range again
changes nothing: an attempt whose answer was lost is made again. Where a document holds what the pipeline cannot treat
exactly, or one is refused, the whole range is masked by the ordinary way. In a transaction, where there are some, it is
known how far the server came; else what it had done by then counts as unchanged, and that is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from phimask.engine.batches import Batch
from phimask.engine.commit import Committed, Committer
from phimask.engine.journal import Journal
from phimask.engine.preparing import Preparer
from phimask.masking.outcomes import MaskedBatch
from phimask.observing.tally import Tally
from phimask.path_counts import PathCounts
from phimask.plugins.values import BatchBudget, DocumentId, Partition
from phimask.store.connect import Client
from phimask.store.raw import Unopened, identity
from phimask.store.reading import BatchReader, whole_documents
from phimask.store.retry import classify
from phimask.store.writing import update_range

READS: Final[Mapping[str, Any]] = {"_id": 1}
"""What is read of documents: the bounds of ranges, and how many documents lie between them."""

_COMMIT_SECONDS: Final = 30
_ORDINARY: Final = BatchBudget(500, 8_000_000)
_MOST_BYTES: Final = 64_000_000
"""A range is no longer than this, by the mean size of documents: one update is not cut off by a stop."""


class ServedPreparer(Preparer):
    """Takes a range in hand, and the sample of it that is checked afterwards. `mean_bytes`: of a document."""

    mean_bytes: float = 0.0

    def _prepared(
        self,
        documents: list[bytes],
        whole: bool,  # noqa: ARG002  (only `_id`s were read)
        session: ClientSession | None,
        left_out: Mapping[DocumentId, str],
    ) -> Batch:
        """The batch's size is reckoned from the mean."""
        most = max(1, int(_MOST_BYTES / self.mean_bytes)) if self.mean_bytes else len(documents)
        identities = [identity(raw) for raw in documents[:most]]
        wanted = self._random.sample(identities, min(self.sample, len(identities)))
        return Batch(
            identities=identities,
            upto=identities[-1],
            writes=[],
            quarantined=dict(left_out),
            unchanged=0,
            missing=0,
            size=int(self.mean_bytes * len(identities)),
            masked=MaskedBatch([], [], [], []),
            sampled=whole_documents(self.source, wanted, session),
            without={},
            unmapped=PathCounts(),
            served=True,
        )


@dataclass(slots=True, repr=False)
class _Work:
    """A range on its way. `tally`: what the server did with it; `unknown`: nobody knows what an attempt did; `part`:
    the batch of the ordinary way in hand."""

    batch: Batch
    tally: Tally | None = None
    unknown: bool = False
    ordinary: bool = False
    part: Batch | None = None
    done: Committed = field(default_factory=Committed)


class ServedCommitter(Committer):
    """`ordinary` masks ranges that the server cannot mask exactly, reading by `query` and `projection`; `recounted` is
    told how many documents are in a range of which nobody knows how far it was masked before. `client`: to begin
    transactions with, where there are any."""

    def __init__(
        self,
        preparer: ServedPreparer,
        pipeline: Sequence[Mapping[str, Any]],
        ordinary: Committer,
        query: Mapping[str, Any] | None,
        projection: Mapping[str, Any] | None,
        recounted: Callable[[int], None],
        client: Client | None,
    ) -> None:
        super().__init__(preparer, ordinary.checks)
        # Encoded once: for each batch anew, the server would wait for that.
        self._pipeline = [Unopened(bson.encode(stage)) for stage in pipeline]
        self._ordinary = ordinary
        self._query = query
        self._projection = projection
        self._recounted = recounted
        self._client = client
        self._work: _Work | None = None

    def commit(self, batch: Batch, journal: Journal) -> Committed:
        """See Committer. By the ordinary way the range may be committed in several batches."""
        start = time.perf_counter()
        if self._work is None or self._work.batch is not batch:
            self._work = _Work(batch)
        work = self._work
        if not work.ordinary:
            self._on_server(work, journal)
        if work.ordinary:
            while self._next_part(work, journal):
                pass
        self._work = None
        work.done.seconds = batch.seconds + time.perf_counter() - start
        return work.done

    def _on_server(self, work: _Work, journal: Journal) -> None:
        batch = work.batch
        if work.tally is None:
            with ThreadPoolExecutor(1, "phimask-announce") as beside:
                announced = beside.submit(self._announce, batch, journal)
                if self._client is None:
                    announced.result()
                    journal.still_mine()
                try:
                    matched, modified = self._update(batch, journal, announced)
                except PyMongoError as error:
                    announced.result()  # what kept the batch from being announced kept it from being committed
                    refused = isinstance(error, OperationFailure)
                    lost = self._client is None or error.has_error_label("UnknownTransactionCommitResult")
                    work.unknown = work.unknown or lost or not refused
                    if not refused or classify(error) == "transient":
                        raise
                    journal.give_up(batch)
                    work.ordinary = True
            if work.unknown:
                self._recounted(len(batch.identities))
            if work.ordinary:
                return
            work.tally = _tally(batch, matched, modified)
        source = self.preparer.source
        self._check(
            batch,
            work.tally,
            lambda: whole_documents(source, batch.wanted()),
            missing_too=not work.tally.missing,
        )
        journal.close(batch, work.tally)
        work.done.tally.add(work.tally)

    def _update(self, batch: Batch, journal: Journal, announced: Future[None]) -> tuple[int, int]:
        """In a transaction, the batch is announced meanwhile: nothing is written before it is committed."""
        source, bounds = self.preparer.source, (batch.identities[0], batch.upto)
        if self._client is None:
            return update_range(source, *bounds, self._query, self._pipeline)
        with (
            self._client.start_session() as session,
            session.start_transaction(
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern("majority", wtimeout=_COMMIT_SECONDS * 1000),
                read_preference=ReadPreference.PRIMARY,
            ),
        ):
            done = update_range(source, *bounds, self._query, self._pipeline, session)
            announced.result()
            journal.still_mine()
            return done

    def _next_part(self, work: _Work, journal: Journal) -> bool:
        """Mask what comes next behind the watermark by the ordinary way; false where nothing is left."""
        if work.part is None:
            work.part = self._read(work, journal)
            if work.part is None:
                journal.pass_over(work.batch.upto)
                return False
        done = self._ordinary.commit(work.part, journal)
        work.part = None
        work.done.tally.add(done.tally)
        work.done.quarantined.update(done.quarantined)
        return True

    def _read(self, work: _Work, journal: Journal) -> Batch | None:
        lease = journal.lease
        left = Partition(lease.number, lease.watermark, work.batch.upto)
        reader = BatchReader(self.preparer.source, left, self._query, self._projection)
        with self._ordinary.reading() as reading:
            documents = reader.read(_ORDINARY, reading.session)
            if not documents:
                return None
            prepare, whole = self._ordinary.preparer.prepare, self._projection is None
            return reading.kept_by(prepare(documents, whole=whole, session=reading.session))


def take_up_served(
    journal: Journal, ordinary: Callable[[Journal], None], recounted: Callable[[int], None]
) -> None:
    """A range that was begun is masked once more, which changes nothing of what is masked. Raises LeaseLost."""
    lease = journal.lease
    if lease.intent is None or not lease.intent.served:
        ordinary(journal)
        return
    recounted(lease.intent.tally.read - lease.tally.read)
    journal.forget(lease.intent.batch)
    lease.batch = lease.intent.batch  # its number is used up
    lease.intent = None


def _tally(batch: Batch, matched: int, modified: int) -> Tally:
    """Documents may have come into the range since it was read, or gone."""
    read = max(len(batch.identities), matched)
    return Tally(
        read=read,
        masked=modified,
        unchanged=matched - modified,
        missing=read - matched,
        batches=1,
        bytes=batch.size,
    )
