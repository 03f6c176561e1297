"""A batch on its way to the server, each way with what makes it exact: a transaction, a journal, or being repeatable.

All may be called again for the same batch after an error that passes: what is done by then is not done twice.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any, Final, TypeAlias, TypeVar

from pymongo.client_session import ClientSession

from phimask.engine.batches import Batch
from phimask.engine.checking import Checks
from phimask.engine.journal import Journal
from phimask.engine.preparing import Preparer
from phimask.observing.tally import Tally
from phimask.plugins.values import DocumentId
from phimask.store.reading import whole_documents
from phimask.store.writing import Written, insert, replace, replace_unchanged, update

_LEAST_SLICES: Final = 2
"""So many slices of a batch are written whatever they take."""

Keep: TypeAlias = Callable[[Journal, Batch], None]
"""Keeps a batch's originals; they are safe once it returns."""
_Keeper = TypeVar("_Keeper")


@dataclass(slots=True)
class Committed:
    """A batch's outcome: what the counts grow by, the seconds it took in all, the documents left out.

    Of one that was cut at its deadline: `upto`, the `_id` that it ends with now; and the seconds that what was `left`
    would have taken.
    """

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    quarantined: dict[DocumentId, str] = field(default_factory=dict)
    upto: DocumentId | None = None
    left: float = 0.0


class Reading:
    """What a batch is read in: over with the `with` block, unless something keeps it from then on."""

    def __init__(self, session: ClientSession | None) -> None:
        self.session = session
        self._kept = False

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        if self.session is not None and not self._kept:
            self.session.end_session()

    def kept_by(self, keeper: _Keeper) -> _Keeper:
        """What ends the session once it is done with, given back."""
        self._kept = True
        return keeper


class Committer(abc.ABC):
    """Writes one collection's batches and checks a sample of each against what the server then holds.

    `keep`, where there is a vault, is given each batch before it is written: see `phimask.vault`.
    """

    def __init__(self, preparer: Preparer, checks: Checks, keep: Keep | None = None) -> None:
        self.preparer = preparer
        self._checks = checks
        self._keep = keep
        self._unkept = False

    @property
    def checks(self) -> Checks:
        """The validators that see samples of batches."""
        return self._checks

    def begin(self) -> ClientSession | None:
        """What the next batch is to be read in."""
        return None

    def reading(self) -> Reading:
        """The same for a `with` block."""
        return Reading(self.begin())

    @abc.abstractmethod
    def commit(self, batch: Batch, journal: Journal) -> Committed:
        """Write and check. Raises LeaseLost, PyMongo's errors, and StoreError of the vault."""

    def drop(self, batch: Batch) -> None:  # noqa: B027  (most ways to write have nothing to give up)
        """The batch will not be committed."""

    def _announce(self, batch: Batch, journal: Journal) -> None:
        if journal.announce(batch):
            self._unkept = self._keep is not None
        if self._keep is not None and self._unkept:
            self._keep(journal, batch)
            self._unkept = False

    @staticmethod
    def _in_slices(batch: Batch, started: float, write: Callable[[Batch], bool]) -> tuple[int, float]:
        """Write one slice after the other, until one of them says that it is no use, or the batch's time is up.

        `started`: when the writing began, of which the batch's own seconds do not know. Answers with how many slices
        were written, and the seconds that those left would take: by the pace of most, of which a hiccup in one says
        nothing, so that two are written at least.
        """
        slices, begun = batch.slices or (batch,), time.perf_counter()
        taken: list[float] = []
        for number, one in enumerate(slices, 1):
            if not write(one):
                return number, 0.0
            now = time.perf_counter()
            taken.append(now - begun)
            begun, left = now, median_low(taken) * (len(slices) - number)
            if number < _LEAST_SLICES or number == len(slices) or batch.deadline is None:
                continue
            if batch.deadline.cuts(batch.seconds + now - started, left):
                return number, left
        return len(slices), 0.0

    def _cut(self, batch: Batch, slices: int, journal: Journal) -> Batch:
        """The batch is only these first slices: nothing of the others will take effect, or it does no harm."""
        less = batch.cut(slices)
        journal.announce(less, instead_of=batch)
        if self._keep is not None:
            self._keep(journal, less)
        return less

    def _check(self, batch: Batch, tally: Tally, read: Callable[[], Any], *, missing_too: bool) -> None:
        if not self._checks.wanted:
            return
        self._checks.documents(batch.pairs(read(), self.preparer.conditions, missing_too=missing_too))
        self._checks.totals(tally.totals())
        tally.checked, tally.findings = self._checks.take()


class PlainCommitter(Committer):
    """Unordered bulks in place. What is written can be written again; nobody else may write meanwhile."""

    def commit(self, batch: Batch, journal: Journal) -> Committed:
        """See Committer."""
        start = time.perf_counter()
        tally = batch.tally()
        self._announce(batch, journal)
        self._write(batch, tally, journal)
        journal.quarantine(batch.number or 0, batch.refused)
        source = self.preparer.source
        self._check(
            batch, tally, lambda: whole_documents(source, batch.wanted()), missing_too=not tally.missing
        )
        journal.close(batch, tally)
        return Committed(
            tally, batch.seconds + time.perf_counter() - start, {**batch.quarantined, **batch.refused}
        )

    def write_again(self, batch: Batch, journal: Journal) -> None:
        """Write what is left of a batch that was announced before by somebody else."""
        if self._keep is not None:
            self._keep(journal, batch)
        self._write(batch, batch.tally(), journal)

    def _write(self, batch: Batch, tally: Tally, journal: Journal) -> None:
        batch.refused.clear()
        journal.still_mine()
        source = self.preparer.source
        updates = [(write.identity, write.bson) for write in batch.writes if not write.whole]
        if updates:
            self._settle(update(source, updates), len(updates), batch, tally)
        wholes = [
            (write.identity, write.bson) for write in batch.writes if write.whole and write.digest is None
        ]
        if wholes:
            self._settle(replace(source, wholes), len(wholes), batch, tally)
        for write in batch.writes:
            if write.whole and write.digest is not None:
                done, reason = replace_unchanged(source, write.identity, write.digest, write.bson)
                if not done:
                    refused = {write.identity: reason} if reason else {}
                    self._settle(Written(refused=refused), 1, batch, tally)

    @staticmethod
    def _settle(written: Written, sent: int, batch: Batch, tally: Tally) -> None:
        missing = sent - written.matched - len(written.refused)
        batch.refused.update(written.refused)
        tally.masked -= missing + len(written.refused)
        tally.missing += missing
        tally.quarantined += len(written.refused)


class CopyCommitter(Committer):
    """Whole documents into a target. A document that is there already is replaced, so all can be repeated."""

    def __init__(self, preparer: Preparer, checks: Checks, target: Any) -> None:
        super().__init__(preparer, checks)
        self._target = target

    def commit(self, batch: Batch, journal: Journal) -> Committed:
        """See Committer."""
        start = time.perf_counter()
        batch.refused.clear()
        self._announce(batch, journal)

        def write(one: Batch) -> bool:
            if one.writes:
                written = insert(self._target, {each.identity: each.bson for each in one.writes})
                batch.refused.update(written.refused)
            return True

        slices, left = self._in_slices(batch, start, write)
        part = self._cut(batch, slices, journal) if left else batch
        tally = part.tally()
        if part.refused:
            journal.quarantine(part.number or 0, part.refused)
            for each in part.writes:
                if each.identity in part.refused:
                    tally.masked -= each.changes
                    tally.unchanged -= not each.changes
            tally.quarantined += len(part.refused)
        self._check(part, tally, lambda: whole_documents(self._target, part.wanted()), missing_too=True)
        journal.close(part, tally)
        seconds = part.seconds + time.perf_counter() - start
        return Committed(
            tally, seconds, {**part.quarantined, **part.refused}, part.upto if left else None, left
        )
