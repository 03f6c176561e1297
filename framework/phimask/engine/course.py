"""A partition's course: read, mask, hand on to be written, again, until its end or where it is to stop.

Each step is bounded: by the batch sizer's budget, the memory pools and governor, the circuit breaker, the retries.
"""

from __future__ import annotations

from typing import Final

from pymongo.errors import PyMongoError

from phimask.engine.asking import Asking
from phimask.engine.batches import Batch
from phimask.engine.deadline import Deadline
from phimask.engine.holding import stand_still
from phimask.engine.journal import Journal
from phimask.engine.means import Means
from phimask.engine.reading_ahead import Read, ReadingAhead, read
from phimask.engine.relief import MemoryRelief
from phimask.engine.splitting import WORTH_SECONDS, middle_of
from phimask.engine.takeover import POISON
from phimask.engine.writing_behind import WritingBehind
from phimask.masking.outcomes import MAX_DOCUMENT_BYTES
from phimask.plugins.events import Paused, SetAside
from phimask.plugins.values import BatchBudget, DocumentId
from phimask.store.raw import identity
from phimask.store.reading import BatchReader

_CAREFUL_CRASHES: Final = 2
"""So many workers in a row died without closing a batch before the next one takes documents one by one."""
_CAREFUL_DOCUMENTS: Final = 2000
"""So many documents are taken one by one then: more than what the batch held that they died of."""
_LEAST_SECONDS: Final = 1e-6


class Course:
    """One partition from where its watermark is to its end.

    `giant` is the oversize document that the course came to, and its bytes.
    """

    def __init__(
        self,
        means: Means,
        relief: MemoryRelief,
        asking: Asking,
        journal: Journal,
        ahead: ReadingAhead,
        behind: WritingBehind,
    ) -> None:
        lease = journal.lease
        self._means = means
        self._relief = relief
        self._asking = asking
        self._journal = journal
        self._ahead = ahead
        self._behind = behind
        self.giant: tuple[DocumentId, int] | None = None
        self._oversize = None if lease.lane == "oversize" else means.memory.oversize
        self._reader = BatchReader(
            means.source, lease.partition, means.query, means.projection, means.classify, self._oversize
        )
        died_here = lease.crashes >= _CAREFUL_CRASHES or lease.struck is not None or lease.lane == "oversize"
        self._careful = _CAREFUL_DOCUMENTS if died_here else 0

    def run(self) -> bool:
        """Whether the end was reached."""
        means, lease = self._means, self._journal.lease
        self._leave_out_poison()
        while not means.control.stopping:
            # After a crash, what is in flight is settled first, so that each try gets further.
            if means.control.holding or lease.crashes or self._careful:
                self._ahead.drop()
                self._behind.settle()
            self._hold()
            self._go_back()
            found = self._next()
            if found is None:
                if self._behind.all_of_it():
                    return not means.control.stopping and self.giant is None
                self._behind.settle()
                continue
            batch, as_read = found
            try:
                self._behind.settle()
                self._asking.mind_breaker()  # what was just settled may have opened it
                if self._behind.rest is not None:
                    means.committer.drop(batch)
                    as_read.drop(means.resident)
                    continue
                if batch.served and self._halve(batch, as_read):
                    continue
            except BaseException:
                means.committer.drop(batch)
                as_read.drop(means.resident)
                raise
            batch.deadline = self._deadline()
            self._behind.begin(batch, as_read, self._journal)
            if lease.split_wanted and not self._careful:
                self._ahead.drop()
                pace = self._behind.pace or batch.seconds / len(batch.identities)
                self._split(self._reader.position, pace)
        return False

    def _go_back(self) -> None:
        """To what is left of the batch before, where that was cut."""
        rest, self._behind.rest = self._behind.rest, None
        if rest is not None:
            self._ahead.drop()
            self._reader.position, self.giant = rest, None

    def _deadline(self) -> Deadline | None:
        means = self._means
        longest = means.sizer.longest()
        # Of a limited number of documents, all that were read were counted.
        return None if longest is None or means.remaining is not None else Deadline(longest)

    def set_aside(self, giant: DocumentId, size: int) -> None:
        """All before this document is done: what is left of the partition, cut down to it alone, waits in another lane.
        What lies behind becomes a partition first, so that nothing is ever in none."""
        means, journal = self._means, self._journal
        if journal.lease.upto != giant:
            self._asking.persist(lambda: journal.split(giant))
        self._asking.persist(journal.set_aside)
        means.emit(SetAside(means.namespace, journal.lease.number, size, worker=means.worker))

    def _next(self) -> tuple[Batch, Read] | None:
        """The next batch, masked, and as it was read; None at the partition's end or the run's limit."""
        means, reader, ahead = self._means, self._reader, self._ahead
        self._relief.mind(self._behind.settle)
        self._asking.mind_breaker()  # before the budget: what is tried after a pause is to be small
        if means.breaker.half_open:
            ahead.drop()
        as_read = ahead.take(reader)
        if as_read is None:
            budget = self._budget()
            if budget.documents == 0 or means.control.stopping:
                return None
            if not self._has_room(budget.bytes):
                self._behind.settle()
            as_read = self._asking.persist(lambda: self._read(budget))
            if not as_read.documents:
                as_read.drop(means.resident)
                return None
            reader.position = identity(as_read.documents[-1])
        if self._oversize is not None and len(as_read.documents[0]) > self._oversize:
            self.giant = identity(as_read.documents[0]), len(as_read.documents[0])
            as_read.drop(means.resident)
            return None
        try:
            self._make_room(as_read)
            self._read_ahead(as_read)
        except BaseException:
            as_read.drop(means.resident)
            raise
        try:
            batch = self._mask(as_read)
        except PyMongoError as error:
            # What was read in a transaction is gone with it.
            self._asking.give_up(error)
            ahead.drop()
            reader.position = as_read.before
            budget = self._budget()
            again = self._asking.persist(lambda: self._read_and_mask(budget))
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

    def _read(self, budget: BatchBudget) -> Read:
        means = self._means
        return read(self._reader, budget, means.committer.reading, means.sizer.meter(), means.resident)

    def _read_and_mask(self, budget: BatchBudget) -> tuple[Batch, Read] | None:
        """In one transaction where the committer has them: an error takes back all of it."""
        as_read = self._read(budget)
        if not as_read.documents:
            as_read.drop(self._means.resident)
            return None
        return self._mask(as_read), as_read

    def _mask(self, as_read: Read) -> Batch:
        means = self._means
        try:
            if self._careful:
                self._careful -= 1
                self._journal.suspect(identity(as_read.documents[0]))
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

    def _make_room(self, in_hand: Read) -> None:
        """Wait until the results' pool has room for what is made of the batch in hand."""
        results = self._means.memory.results
        if results is not None and self._behind.result_bytes + in_hand.bytes > results:
            self._behind.settle()

    def _read_ahead(self, in_hand: Read) -> None:
        """Begin to read what comes after the batch in hand, where that is wanted and there is room for it."""
        means = self._means
        if (
            not means.memory.read_ahead
            or means.remaining is not None
            or means.breaker.state != "closed"
            or means.control.holding
            or means.control.stopping
            or self._careful
            or self._journal.lease.crashes
        ):
            return
        budget = self._budget()
        if self._has_room(budget.bytes, in_hand):
            self._ahead.begin(lambda: self._read(budget))

    def _has_room(self, wanted: int, in_hand: Read | None = None) -> bool:
        """Whether the documents' pool has room for so many bytes more, or for one document of any size."""
        pool = self._means.memory.documents
        if pool is None:
            return True
        held = self._behind.document_bytes + (0 if in_hand is None else in_hand.bytes)
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

    def _leave_out_poison(self) -> None:
        """Go on behind a document that ended several workers, and list it."""
        found = self._journal.lease.poison
        if found is None:
            return
        self._asking.persist(lambda: self._journal.leave_out(found, POISON))
        self._reader.position = found

    def _halve(self, batch: Batch, as_read: Read) -> bool:
        """Of what the server masks by itself, nothing was done yet: it is halved with the rest. Whether it was: then it
        is to be read again."""
        means = self._means
        if self._careful or self._behind.pace is None:
            return False
        self._asking.persist(self._journal.look)
        if not self._journal.lease.split_wanted:
            return False
        self._ahead.drop()
        if not self._split(as_read.before, self._behind.pace):
            return False
        means.committer.drop(batch)
        as_read.drop(means.resident)
        self._reader.position = as_read.before
        if means.remaining is not None:
            means.remaining += len(batch.identities)
        return True

    def _split(self, after: DocumentId | None, pace: float) -> bool:
        """Give half of what comes behind `after` to somebody who has nothing to do, if by the `pace`, the seconds a
        document, it takes as long as that is worth. Whether it was."""
        journal, reader = self._journal, self._reader
        upto = journal.lease.upto
        worth = int(WORTH_SECONDS / max(pace, _LEAST_SECONDS))
        middle = self._asking.persist(lambda: middle_of(self._means.source, after, upto, worth))
        if middle is None:
            journal.lease.split_wanted = False
            return False
        self._asking.persist(lambda: journal.split(middle))
        reader.end_at(middle)
        return True

    def _hold(self) -> None:
        """Stand still as long as there are reasons to."""
        means = self._means
        stand_still(
            means.control, lambda reason, seconds: means.emit(Paused(reason, seconds, worker=means.worker))
        )
