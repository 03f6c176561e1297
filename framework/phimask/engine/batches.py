"""A batch: documents as they were read, and all that is to be written for them, masked before anything is."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo.client_session import ClientSession

from phimask.errors import SafeStop, StoreError
from phimask.masking.core import MaskingCore
from phimask.masking.fingerprints import Fingerprint
from phimask.masking.outcomes import Masked, MaskedBatch, Mode, NeedsWhole, Quarantined
from phimask.masking.unmapped import Unmapped
from phimask.observing.tally import Tally
from phimask.path_counts import PathCounts
from phimask.planning.conditions import Conditions
from phimask.plugins.values import DocumentId, DocumentPair
from phimask.store.raw import identity
from phimask.store.reading import whole_documents
from phimask.store.writing import has_dollar_key, server_digest, why_not_replaced
from phimask.vault.records import Original

_UNGUARDED: Final = "the server cannot guard a replacement ($toHashedIndexKey)"

_TOLD: Final = 10
"""Paths that no rule names, in the message that ends a run;"""
_FEW_KEYS: Final = 5
"""and no more keys of a sub-document. One batch may not show that they are data."""


@dataclass(frozen=True, slots=True, repr=False)
class Write:
    """What is to be written for one document.

    `bson` is an update, or a whole document to put in its place or into the target; `before` what was read.
    `covered`: see MaskedBatch; `original`: what puts an update back, None where only the whole document does;
    `digest`: the server's of a document to be replaced without a transaction. `changes`: false for a copy of a document
    in which nothing is masked.
    """

    identity: DocumentId
    bson: bytes
    whole: bool
    before: bytes
    covered: bytes = b""
    original: bytes | None = None
    digest: Any = None
    changes: bool = True


@dataclass(slots=True, repr=False)
class Batch:
    """Documents in `_id` order up to `upto`, what to write, what is left out and why, bytes as read, seconds so far.

    `sampled` holds some documents whole, as they were read; `without` the rules that do not apply to a document,
    where some rule has a condition. `session` holds the transaction that read them, `unanswered` the one whose commit
    got no answer. `number` is the journal's, once it has one; `closed` once it is counted; `served` means that the
    server masks the range by itself; `refused` what the server would not take.
    """

    identities: list[DocumentId]
    upto: DocumentId
    writes: list[Write]
    quarantined: dict[DocumentId, str]
    unchanged: int
    missing: int
    size: int
    masked: MaskedBatch
    sampled: Mapping[DocumentId, bytes]
    without: Mapping[DocumentId, frozenset[int]]
    unmapped: PathCounts
    seconds: float
    session: ClientSession | None = None
    unanswered: ClientSession | None = None
    number: int | None = None
    closed: bool = False
    served: bool = False
    refused: dict[DocumentId, str] = field(default_factory=dict)

    @property
    def result_bytes(self) -> int:
        """What is to be written, and kept of it meanwhile, in BSON bytes."""
        return sum(len(write.bson) + len(write.covered) + len(write.original or b"") for write in self.writes)

    def tally(self) -> Tally:
        """What the counts grow by if everything is written."""
        masked = self.masked
        counts = zip(masked.masked, masked.redacted_on_error, masked.kept, strict=True)
        tally = Tally(
            read=len(self.identities),
            masked=sum(write.changes for write in self.writes),
            unchanged=self.unchanged,
            missing=self.missing,
            quarantined=len(self.quarantined),
            batches=1,
            bytes=self.size,
            rules=[list(one) for one in counts],
        )
        tally.unmapped.add(self.unmapped)
        return tally

    def pairs(
        self, after: Mapping[DocumentId, bytes], conditions: Conditions, *, missing_too: bool
    ) -> list[DocumentPair]:
        """The sampled documents before and after, but for those left out on purpose and, unless `missing_too`, those
        that others deleted."""
        return [
            DocumentPair(
                self.sampled[found],
                after.get(found),
                conditions.in_facts(self.without.get(found, frozenset())),
            )
            for found in self.wanted()
            if missing_too or found in after
        ]

    def wanted(self) -> list[DocumentId]:
        """The documents to read again afterwards."""
        return [
            found for found in self.sampled if found not in self.quarantined and found not in self.refused
        ]


def _nothing() -> None:
    return None


@dataclass(slots=True, repr=False)
class Preparer:
    """Masks what was read. One thread may prepare a batch while another prepares one anew.

    `copies`: documents go into a target whole. `drift` is the rule that sees unmapped paths; `halts` whether one of
    them is to stop the run. `sample` documents of a batch are read whole to be checked. `gone` says what has become of
    the collection where it is no longer the one that was planned for. `replaces`: whole documents are put in place of
    those that change, which then have to be read whole.
    """

    source: Any
    core: MaskingCore
    conditions: Conditions
    sample: int
    copies: bool
    drift: Unmapped | None = None
    halts: bool = False
    gone: Callable[[], str | None] = _nothing
    replaces: bool = False
    _masking: threading.Lock = field(default_factory=threading.Lock)
    _random: random.Random = field(default_factory=random.Random)

    def prepare(
        self,
        documents: list[bytes],
        *,
        whole: bool,
        seconds: float = 0.0,
        session: ClientSession | None = None,
        left_out: Mapping[DocumentId, str] | None = None,
    ) -> Batch:
        """Mask documents, which were read `whole` or not. `left_out` are to be quarantined whatever they hold."""
        start = time.perf_counter()
        assert whole or not self.replaces  # noqa: S101  (or fields that were not read would be lost)
        # Asked after the reading: a transaction that has read holds the collection, and nobody can replace it.
        if (what := self.gone()) is not None:
            raise StoreError(what)
        identities = [identity(raw) for raw in documents]
        size = sum(map(len, documents))
        as_read = list(documents)
        sampled = self._whole_sample(documents, identities, session, whole=whole)
        without = self.conditions.without(self.source, identities, session)
        masked, unmapped = self._mask(
            documents, "whole" if self.copies or self.replaces else "update", without
        )
        batch = Batch(
            identities=identities,
            upto=identities[-1],
            writes=[],
            quarantined=dict(left_out or {}),
            unchanged=0,
            missing=0,
            size=size,
            masked=masked,
            sampled=sampled,
            without=dict(zip(identities, without, strict=False)),
            unmapped=unmapped,
            seconds=0.0,
            session=session,
        )
        if self.copies:
            self._to_copy(batch, documents)
        elif self.replaces:
            self._to_put_whole(batch, documents, without)
        else:
            self._to_change(batch, batch.identities, masked, as_read)
        if self.halts:
            _halt(batch.unmapped)
        batch.seconds = seconds + time.perf_counter() - start
        return batch

    def _mask(
        self, documents: Sequence[bytes], mode: Mode, without: Sequence[frozenset[int]]
    ) -> tuple[MaskedBatch, PathCounts]:
        """What becomes of documents, and the paths in them that no rule names."""
        with self._masking:
            masked = self.core.mask(documents, mode, without)
            if self.drift is None:
                return masked, PathCounts()
            unmapped, self.drift.seen = self.drift.seen, PathCounts()
            return masked, unmapped

    def _whole_sample(
        self,
        documents: list[bytes],
        identities: list[DocumentId],
        session: ClientSession | None,
        *,
        whole: bool,
    ) -> dict[DocumentId, bytes]:
        count = min(self.sample, len(documents))
        numbers = self._random.sample(range(len(documents)), count)
        if whole:
            return {identities[number]: documents[number] for number in numbers}
        found = whole_documents(self.source, [identities[number] for number in numbers], session)
        for number in numbers:
            # What is masked and what is checked must be the same reading of the document.
            documents[number] = found.get(identities[number], documents[number])
        return found

    def _to_copy(self, batch: Batch, documents: Sequence[bytes]) -> None:
        for found, raw, outcome in zip(batch.identities, documents, batch.masked.outcomes, strict=True):
            if found in batch.quarantined:
                continue
            if isinstance(outcome, Quarantined):
                batch.quarantined[found] = outcome.reason
            else:
                changes = isinstance(outcome, Masked)
                bson = outcome.bson if isinstance(outcome, Masked) else raw
                batch.writes.append(Write(found, bson, True, raw, changes=changes))
                batch.unchanged += not changes

    def _to_put_whole(
        self, batch: Batch, documents: Sequence[bytes], without: Sequence[frozenset[int]]
    ) -> None:
        """Where the server would not take a document back as it is, an update changes it."""
        odd: list[int] = []
        for number, (found, outcome) in enumerate(zip(batch.identities, batch.masked.outcomes, strict=True)):
            if found in batch.quarantined:
                continue
            if isinstance(outcome, Quarantined):
                batch.quarantined[found] = outcome.reason
            elif not isinstance(outcome, Masked) or outcome.bson == documents[number]:
                batch.unchanged += 1
            elif why_not_replaced(outcome.bson) or has_dollar_key(outcome.bson):
                odd.append(number)
            else:
                batch.writes.append(Write(found, outcome.bson, True, documents[number]))
        if odd:
            some = [documents[number] for number in odd]
            masked, _ = self._mask(some, "update", [without[number] for number in odd] if without else ())
            self._to_change(batch, [batch.identities[number] for number in odd], masked, some)

    def _to_change(
        self,
        batch: Batch,
        identities: Sequence[DocumentId],
        masked: MaskedBatch,
        documents: Sequence[bytes],
    ) -> None:
        originals = masked.originals or [None] * len(documents)
        covered = masked.covered or [b""] * len(documents)
        unnamed: list[tuple[int, DocumentId]] = []
        for number, (found, outcome) in enumerate(zip(identities, masked.outcomes, strict=True)):
            if found in batch.quarantined:
                continue
            if isinstance(outcome, Masked):
                if self.core.tells_originals and originals[number] is None:
                    # What was taken out could not be put back where it stood.
                    unnamed.append((number, found))
                else:
                    batch.writes.append(
                        Write(
                            found, outcome.bson, False, documents[number], covered[number], originals[number]
                        )
                    )
            elif isinstance(outcome, Quarantined):
                batch.quarantined[found] = outcome.reason
            elif isinstance(outcome, NeedsWhole):
                unnamed.append((number, found))
            else:
                batch.unchanged += 1
        uncounted = masked.uncounted if masked is batch.masked else ()
        for number, found in unnamed:
            self._to_replace(batch, found, count=number in uncounted)

    def _to_replace(self, batch: Batch, found: DocumentId, *, count: bool) -> None:
        """A document whose changes no update can name, or could not be put back by one."""
        digest = None if batch.session is not None else server_digest(self.source, found)
        raw = None if batch.session is None else batch.sampled.get(found)
        raw = raw or whole_documents(self.source, [found], batch.session).get(found)
        if raw is None:
            batch.missing += 1
            return
        masked, unmapped = self._mask(
            [raw], "whole", self.conditions.without(self.source, [found], batch.session)
        )
        if count:
            batch.masked.count(masked)
            batch.unmapped.add(unmapped)
        (outcome,) = masked.outcomes
        if isinstance(outcome, Quarantined):
            batch.quarantined[found] = outcome.reason
        elif not isinstance(outcome, Masked) or outcome.bson == raw:
            batch.unchanged += 1
        elif reason := why_not_replaced(outcome.bson):
            batch.quarantined[found] = reason
        elif batch.session is None and digest is None:
            batch.quarantined[found] = _UNGUARDED
        else:
            batch.writes.append(Write(found, outcome.bson, True, raw, digest=digest))


def _halt(unmapped: PathCounts) -> None:
    """Under `unmapped: halt`: the run stops before the batch is written."""
    if unmapped:
        few = PathCounts(_FEW_KEYS)
        few.add(unmapped)
        most = Counter(few.told()).most_common(_TOLD)
        listed = ", ".join(f"{path} ({bson_type}, {count:,} values)" for (path, bson_type), count in most)
        raise SafeStop(
            f"paths that no rule names: {listed}; give each a rule (keep, for what may stay), and run again"
        )


def originals(batch: Batch, of: Fingerprint) -> list[Original]:
    """What puts the batch's documents back."""
    found: list[Original] = []
    for write in batch.writes:
        if write.whole:
            found.append(Original.of_whole(write.identity, write.before, write.bson, of))
        elif write.original is not None:
            found.append(Original.of_update(write.identity, write.original, write.bson, of))
    return found


def fingerprints(batch: Batch, of: Fingerprint) -> tuple[list[bytes], list[bytes]]:
    """Of each write's document: as it was read, and as it will be (of a whole document all, else what rules cover)."""
    before = [of.of(write.before) for write in batch.writes]
    after = [of.of(write.bson if write.whole else write.covered) for write in batch.writes]
    return before, after
