"""Batches in transactions: each read, written and noted as applied in one, so that nobody else's change is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from phimask.engine.batches import Batch
from phimask.engine.checking import Checks
from phimask.engine.commit import Committed, Committer, Keep
from phimask.engine.journal import Journal
from phimask.engine.preparing import Preparer
from phimask.errors import SafeStop
from phimask.observing.tally import Tally
from phimask.plugins.values import BatchBudget, DocumentId, Partition
from phimask.store.connect import Client
from phimask.store.raw import identity
from phimask.store.reading import BatchReader, whole_documents
from phimask.store.retry import error_name
from phimask.store.writing import replace, update

_MANY: Final = 2**31 - 1
_BEFORE_HALVING: Final = 2
"""So often a range is read again as it was; after that, in smaller and smaller parts."""
_MOST_CONFLICTS: Final = 40
_PATIENCE_SECONDS: Final = 0.02
_LONGEST_PATIENCE_SECONDS: Final = 1.0
_COMMIT_SECONDS: Final = 30
_MORE: Final = 100
"""So many more documents than before may have come into a range."""
_CONFLICTS: Final = (112, 246, 251)
"""WriteConflict: somebody changed a document since it was read. SnapshotUnavailable, NoSuchTransaction: it took too
long."""
_UNKNOWN: Final = "UnknownTransactionCommitResult"


@dataclass(slots=True, repr=False)
class _Work:
    """A batch on its way, perhaps in parts: the part in hand, how the parts before came out, what goes wrong. It ends
    with `upto`, which comes before the batch's own where that was cut."""

    part: Batch | None
    upto: DocumentId
    started: float = field(default_factory=time.perf_counter)
    done: Committed = field(default_factory=Committed)
    left_out: dict[DocumentId, str] = field(default_factory=dict)
    conflicts: int = 0
    most: int = _MANY


def _nobody_waits(reason: str, seconds: float) -> None:
    del reason, seconds


class TransactionCommitter(Committer):
    """Each batch is read, written and noted as applied in one transaction.

    A document that somebody changed since it was read ends the transaction; the range is then read again, in smaller
    parts if that goes on. One that the server refuses ends it too, and is left out of the next attempt. `waited` is
    told each attempt that was begun anew, with the reason and the seconds waited before.
    """

    def __init__(
        self,
        client: Client,
        projection: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        preparer: Preparer,
        checks: Checks,
        keep: Keep | None = None,
        waited: Callable[[str, float], None] = _nobody_waits,
        nothing: Callable[[Journal, int], None] | None = None,
    ) -> None:
        super().__init__(preparer, checks, keep)
        self._waited = waited
        self._nothing = nothing
        self._client = client
        self._projection = projection
        self._query = query
        self._work: tuple[Batch, _Work] | None = None

    def begin(self) -> ClientSession:
        """A session with a transaction begun: what is read in it must still be so when it is committed."""
        session = self._client.start_session()
        session.start_transaction(
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority", wtimeout=_COMMIT_SECONDS * 1000),
            read_preference=ReadPreference.PRIMARY,
        )
        return session

    def drop(self, batch: Batch) -> None:
        """End the batch's transaction, if it goes on still."""
        _end(batch)

    def commit(self, batch: Batch, journal: Journal) -> Committed:
        """See Committer. The batch may be committed in several parts, each with an intent of its own."""
        start = time.perf_counter()
        if self._work is None or self._work[0] is not batch:
            self._work = batch, _Work(batch, batch.upto)
        work = self._work[1]
        try:
            while work.part is not None:
                self._advance(work, work.part, journal)
        except BaseException:
            if work.part is not None:
                _abort(work.part)
            raise
        self._work = None
        work.done.seconds = batch.seconds + time.perf_counter() - start
        return work.done

    def _advance(self, work: _Work, part: Batch, journal: Journal) -> None:
        """Commit the part in hand, or find out why not and take what is left of it in hand anew."""
        tried = part.session is None and not part.closed
        if tried and part.number is not None and journal.applied is not None:
            # An earlier attempt failed, perhaps only its answer, and perhaps it is still on its way.
            if part.unanswered is not None:
                # Open still, it would keep waiting who settles it. Nobody else has its session as long as it is here.
                journal.applied.end_transaction(bytes(part.unanswered.session_id["id"]))
            if journal.applied.settle(journal.lease, part.number):
                self._close(work, part, part.tally(), journal)
            else:
                if self._nothing is not None:
                    self._nothing(journal, part.number)
                journal.give_up(part)
                self._take_in_hand(work, part, journal)
            return
        if part.session is None:
            self._take_in_hand(work, part, journal)
            return
        refused: dict[DocumentId, str] = {}
        try:
            self._announce(part, journal)
            if part.writes:
                slices, left, refused = self._write(work, part)
                if left:
                    part = work.part = self._cut(part, slices, journal)
                    work.upto = work.done.upto = part.upto
                    work.done.left = left
            tally = part.tally()
            if part.writes and not refused:
                self._commit(part, tally, journal)
        except OperationFailure as error:
            # Any other error that passes is for the retries of the loop, with their patience.
            work.conflicts += 1
            if error.code not in _CONFLICTS or work.conflicts > _MOST_CONFLICTS:
                raise
            _end(part)
            patience = min(_PATIENCE_SECONDS * (work.conflicts - 1), _LONGEST_PATIENCE_SECONDS)
            time.sleep(patience)
            self._waited(f"retry: {error_name(error)}", patience)
            self._take_in_hand(work, part, journal)
            return
        if refused:
            work.left_out.update(refused)
            self._take_in_hand(work, part, journal)
            return
        self._close(work, part, tally, journal)

    def _write(self, work: _Work, part: Batch) -> tuple[int, float, dict[DocumentId, str]]:
        """As `_in_slices`. A document that the server refuses comes back; then nothing is written."""
        refused: dict[DocumentId, str] = {}

        def write(one: Batch) -> bool:
            for way, whole in ((update, False), (replace, True)):
                documents = [(each.identity, each.bson) for each in one.writes if each.whole is whole]
                if documents and not refused:
                    refused.update(way(self.preparer.source, documents, part.session).refused)
            return not refused

        return *self._in_slices(part, work.started, write), refused

    def _commit(self, part: Batch, tally: Tally, journal: Journal) -> None:
        """What the part's transaction has written."""
        session, source = part.session, self.preparer.source
        assert session is not None  # noqa: S101  (for the type checker)
        assert part.number is not None  # noqa: S101
        self._check(part, tally, lambda: whole_documents(source, part.wanted(), session), missing_too=True)
        if journal.applied is not None:
            journal.applied.mark(journal.lease, part.number, session)
        try:
            session.commit_transaction()
        except PyMongoError as error:
            if not error.has_error_label(_UNKNOWN):
                raise
            self._commit_again(part, session, journal)

    @staticmethod
    def _commit_again(part: Batch, session: ClientSession, journal: Journal) -> None:
        try:
            session.commit_transaction()
        except PyMongoError as error:
            part.session, part.unanswered = None, session
            if journal.applied is None and error.has_error_label(_UNKNOWN):
                raise SafeStop(
                    "MongoDB did not say whether it committed a batch, and without a journal (write.journal: false) "
                    "nobody can tell: masking it again might mask masked values"
                ) from None
            raise

    def _close(self, work: _Work, part: Batch, tally: Tally, journal: Journal) -> None:
        _end(part)
        journal.close(part, tally)
        work.done.tally.add(tally)
        work.done.quarantined.update(part.quarantined)
        work.conflicts = 0
        if part.upto == work.upto:
            work.part = None
        else:
            self._take_in_hand(work, part, journal)

    def _take_in_hand(self, work: _Work, part: Batch, journal: Journal) -> None:
        """Read again what lies behind the watermark: less of it where it goes wrong again and again."""
        _end(part)
        if part.number is not None and part.number > journal.lease.batch:
            journal.forget(part.number)
        if max(work.conflicts, len(work.left_out)) > _BEFORE_HALVING:
            work.most = max(1, min(work.most, len(part.identities)) // 2)
        wanted = Partition(journal.lease.number, journal.lease.watermark, work.upto)
        reader = BatchReader(self.preparer.source, wanted, self._query, self._projection)
        budget = BatchBudget(min(work.most, len(part.identities) + _MORE), _MANY)
        with self.reading() as reading:
            documents = reader.read(budget, reading.session)
            if documents:
                found = {identity(raw) for raw in documents}
                batch = self.preparer.prepare(
                    documents,
                    whole=self._projection is None,
                    session=reading.session,
                    left_out={one: reason for one, reason in work.left_out.items() if one in found},
                )
                work.part = reading.kept_by(batch)
                return
        journal.pass_over(work.upto)
        work.part = None


def _abort(part: Batch) -> None:
    """Give up the part's transaction where it was not committed; one without an answer is yet to be settled."""
    session, part.session = part.session, None
    if session is not None:
        with contextlib.suppress(PyMongoError):
            session.end_session()


def _end(part: Batch) -> None:
    """Be done with the part's sessions."""
    _abort(part)
    session, part.unanswered = part.unanswered, None
    if session is not None:
        session.end_session()
