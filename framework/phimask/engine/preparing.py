"""Masks documents into a batch, before any of it is written."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo.client_session import ClientSession

from phimask.engine.batches import Batch, Write
from phimask.errors import SafeStop, StoreError
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked, MaskedBatch, Mode, NeedsWhole, Quarantined
from phimask.masking.unmapped import Unmapped
from phimask.path_counts import PathCounts
from phimask.planning.conditions import Conditions
from phimask.plugins.values import DocumentId
from phimask.store.raw import identity
from phimask.store.reading import whole_documents
from phimask.store.writing import has_dollar_key, server_digest, why_not_replaced

_UNGUARDED: Final = "the server cannot guard a replacement ($toHashedIndexKey)"

_SLICES: Final = 8
"""So many slices has a batch at most,"""
_SLICE_BYTES: Final = 256 * 1024
"""and each but the last has so many bytes."""
_TOLD: Final = 10
"""Paths that no rule names, in the message that ends a run;"""
_FEW_KEYS: Final = 5
"""and no more keys of a sub-document. One batch may not show that they are data."""


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
        # Asked after the reading: a transaction that has read holds the collection, and nobody can replace it.
        if (what := self.gone()) is not None:
            raise StoreError(what)
        batch = self._prepared(documents, whole, session, left_out or {})
        batch.seconds = seconds + time.perf_counter() - start
        return batch

    def _prepared(
        self,
        documents: list[bytes],
        whole: bool,
        session: ClientSession | None,
        left_out: Mapping[DocumentId, str],
    ) -> Batch:
        assert whole or not self.replaces  # noqa: S101  (or fields that were not read would be lost)
        identities = [identity(raw) for raw in documents]
        as_read = list(documents)
        sampled = self._whole_sample(documents, identities, session, whole=whole)
        without = self.conditions.without(self.source, identities, session)
        slices: list[Batch] = []
        for these in _slices(as_read):
            found = identities[these]
            one = Batch(
                identities=found,
                upto=found[-1],
                writes=[],
                quarantined={each: left_out[each] for each in found if each in left_out},
                unchanged=0,
                missing=0,
                size=sum(map(len, as_read[these])),
                masked=MaskedBatch.nothing(0),
                sampled={each: sampled[each] for each in found if each in sampled},
                without=dict(zip(found, without[these], strict=False)),
                unmapped=PathCounts(),
                session=session,
            )
            self._fill(one, documents[these], as_read[these], without[these])
            slices.append(one)
        batch = Batch.of(slices)
        if self.halts:
            _halt(batch.unmapped)
        return batch

    def _fill(
        self,
        batch: Batch,
        documents: Sequence[bytes],
        as_read: Sequence[bytes],
        without: Sequence[frozenset[int]],
    ) -> None:
        """Mask the batch's documents, and put down what is to be written for each."""
        mode: Mode = "whole" if self.copies or self.replaces else "update"
        batch.masked, batch.unmapped = self._mask(documents, mode, without)
        if self.copies:
            self._to_copy(batch, documents)
        elif self.replaces:
            self._to_put_whole(batch, documents, without)
        else:
            self._to_change(batch, batch.identities, batch.masked, as_read)

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


def _slices(documents: Sequence[bytes]) -> Iterator[slice]:
    """Documents in parts that take about as long to write as each other, each worth a command to the server."""
    enough = max(sum(map(len, documents)) / _SLICES, _SLICE_BYTES)
    begin = size = 0
    for end, raw in enumerate(documents, 1):
        size += len(raw)
        if size >= enough or end == len(documents):
            yield slice(begin, end)
            begin, size = end, 0


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
