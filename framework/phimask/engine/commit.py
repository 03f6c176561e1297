"""A masked batch on its way to the server, and what the server then has: in place, or into a target."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from phimask.engine.checking import Checks
from phimask.errors import SafeStop
from phimask.masking.core import Masked, MaskedBatch, MaskingCore, NeedsWhole, Quarantined
from phimask.masking.unmapped import Unmapped
from phimask.planning.conditions import Conditions
from phimask.plugins.values import DocumentId, DocumentPair, Totals
from phimask.store.raw import identity
from phimask.store.reading import whole_documents
from phimask.store.writing import Written, insert, replace_whole, update

_Sent: TypeAlias = dict[DocumentId, bytes]


@dataclass(slots=True, repr=False)
class Batch:
    """Documents as read, what became of them in the core, and the seconds that took.

    `before` holds the sampled documents whole, as they were read; `sent` the masked documents that were sent
    whole because no update could name their paths; `without` the rules that do not apply to a document, where
    some rule has a condition.
    """

    documents: list[bytes]
    identities: list[DocumentId]
    before: Mapping[DocumentId, bytes]
    masked: MaskedBatch
    bytes: int
    seconds: float
    without: Mapping[DocumentId, frozenset[int]]
    sent: _Sent = field(default_factory=dict)


@dataclass(slots=True)
class Committed:
    """A batch's outcome: counts of documents, the quarantined with their reasons, seconds in all."""

    batch: Batch
    written: int = 0
    unchanged: int = 0
    missing: int = 0
    quarantined: dict[DocumentId, str] = field(default_factory=dict)
    seconds: float = 0.0

    def totals(self) -> Totals:
        """For the validators."""
        return Totals(
            read=len(self.batch.documents),
            written=self.written,
            unchanged=self.unchanged,
            quarantined=len(self.quarantined),
            missing=self.missing,
        )


class Committer:
    """Writes batches of one collection and checks a sample of each against what the server then holds.

    `target` None is in place. `drift` is the rule that sees unmapped paths, where one of them is to stop the
    run. One thread may prepare a batch while another commits the one before.
    """

    def __init__(
        self,
        source: Any,
        target: Any | None,
        core: MaskingCore,
        checks: Checks,
        sample: int,
        drift: Unmapped | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        self._conditions = conditions or Conditions(())
        self._drift = drift
        self._source = source
        self._target = target
        self._core = core
        self._checks = checks
        self._sample = sample if checks.wanted else 0
        self._masking = threading.Lock()  # the core masks one batch at a time, commit and prepare overlap
        self._random = random.Random()  # noqa: S311  (which documents are checked is no secret)

    def prepare(self, documents: list[bytes], *, whole: bool, seconds: float) -> Batch:
        """Mask documents as read; sampled ones are read again whole if they are not (`whole`) already."""
        start = time.perf_counter()
        identities = [identity(raw) for raw in documents]
        size = sum(map(len, documents))
        before = self._whole_sample(documents, identities, whole=whole)
        without = self._conditions.without(self._source, identities)
        with self._masking:
            masked = self._core.mask(documents, "update" if self._target is None else "whole", without)
        self._refuse_drift()
        seconds += time.perf_counter() - start
        return Batch(
            documents, identities, before, masked, size, seconds, dict(zip(identities, without, strict=False))
        )

    def _refuse_drift(self) -> None:
        """Under `unmapped: halt`, a path that no rule names stops the run before its batch is written."""
        if self._drift is not None and self._drift.seen:
            listed = ", ".join(
                f"{path} ({bson_type}, {count:,} values)"
                for (path, bson_type), count in self._drift.seen.most_common(10)
            )
            raise SafeStop(
                f"paths that no rule names: {listed}; give each a rule (keep, for what may stay), and run again"
            )

    def _whole_sample(
        self, documents: list[bytes], identities: list[DocumentId], *, whole: bool
    ) -> dict[DocumentId, bytes]:
        count = min(self._sample, len(documents))
        numbers = self._random.sample(range(len(documents)), count)
        if whole:
            return {identities[number]: documents[number] for number in numbers}
        found = whole_documents(self._source, [identities[number] for number in numbers])
        for number in numbers:
            # What is masked and what is checked must be the same reading of the document.
            documents[number] = found.get(identities[number], documents[number])
        return found

    def commit(self, batch: Batch) -> Committed:
        """Write and check. May be called again for the same batch: both ways of writing can be repeated."""
        start = time.perf_counter()
        done = Committed(batch)
        if self._target is None:
            self._in_place(self._source, batch, done)
        else:
            self._copy(self._target, batch, done)
        if self._checks.wanted:
            self._checks.documents(self._pairs(done))
            self._checks.totals(done.totals())
        done.seconds = batch.seconds + time.perf_counter() - start
        return done

    def _in_place(self, collection: Any, batch: Batch, done: Committed) -> None:
        updates: list[tuple[DocumentId, bytes]] = []
        for found, outcome in zip(batch.identities, batch.masked.outcomes, strict=True):
            if isinstance(outcome, Masked):
                updates.append((found, outcome.bson))
            elif isinstance(outcome, Quarantined):
                done.quarantined[found] = outcome.reason
            elif isinstance(outcome, NeedsWhole):
                self._replace(collection, found, batch, done)
            else:
                done.unchanged += 1
        if updates:
            written = update(collection, updates)
            self._settle(written, len(updates), done)

    def _replace(self, collection: Any, found: DocumentId, batch: Batch, done: Committed) -> None:
        def mask(raw: bytes) -> bytes | None:
            return self._mask_whole(raw, self._conditions.without(collection, [found]))

        replaced, reason = replace_whole(collection, found, mask, batch.sent)
        if replaced:
            done.written += 1
        elif reason is None:
            done.missing += 1
        else:
            done.quarantined[found] = reason

    def _mask_whole(self, raw: bytes, without: Sequence[frozenset[int]]) -> bytes | None:
        with self._masking:
            outcome = self._core.mask([raw], "whole", without).outcomes[0]
        if isinstance(outcome, Masked):
            return outcome.bson
        return None if isinstance(outcome, Quarantined) else raw

    def _copy(self, target: Any, batch: Batch, done: Committed) -> None:
        documents: list[bytes] = []
        unchanged: set[DocumentId] = set()
        for found, raw, outcome in zip(batch.identities, batch.documents, batch.masked.outcomes, strict=True):
            if isinstance(outcome, Quarantined):
                done.quarantined[found] = outcome.reason
            elif isinstance(outcome, Masked):
                documents.append(outcome.bson)
            else:
                documents.append(raw)
                unchanged.add(found)
        if documents:
            written = insert(target, documents)
            self._settle(written, len(documents), done)
            done.unchanged = len(unchanged - written.refused.keys())
            done.written -= done.unchanged

    def _settle(self, written: Written, sent: int, done: Committed) -> None:
        done.written += written.matched
        done.missing += sent - written.matched - len(written.refused)
        done.quarantined.update(written.refused)

    def _pairs(self, done: Committed) -> list[DocumentPair]:
        """The sampled documents before and after; those left out on purpose or deleted by others are none."""
        wanted = [found for found in done.batch.before if found not in done.quarantined]
        after = whole_documents(self._source if self._target is None else self._target, wanted)
        if done.missing and self._target is None:
            wanted = [found for found in wanted if found in after]
        return [
            DocumentPair(
                done.batch.before[found],
                after.get(found),
                self._conditions.in_facts(done.batch.without.get(found, frozenset())),
            )
            for found in wanted
        ]
