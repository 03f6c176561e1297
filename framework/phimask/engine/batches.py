"""A batch: documents as they were read, and all that is to be written for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.client_session import ClientSession

from phimask.engine.deadline import Deadline
from phimask.masking.fingerprints import Fingerprint
from phimask.masking.outcomes import MaskedBatch
from phimask.observing.tally import Tally
from phimask.path_counts import PathCounts
from phimask.planning.conditions import Conditions
from phimask.plugins.values import DocumentId, DocumentPair
from phimask.vault.records import Original


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
    server masks the range by itself; `refused` what the server would not take. `slices` are what it was put together
    from, if from several; of these it may be cut back to the first ones at its `deadline`.
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
    seconds: float = 0.0
    session: ClientSession | None = None
    unanswered: ClientSession | None = None
    number: int | None = None
    closed: bool = False
    served: bool = False
    refused: dict[DocumentId, str] = field(default_factory=dict)
    slices: Sequence[Batch] = ()
    deadline: Deadline | None = None

    @classmethod
    def of(cls, slices: Sequence[Batch]) -> Batch:
        """Slices that follow one another, as one batch, not timed yet; the session is that of the first."""
        first = slices[0]
        if len(slices) == 1:
            return first
        masked, unmapped = MaskedBatch.nothing(len(first.masked.masked)), PathCounts()
        for one in slices:
            masked.count(one.masked)
            unmapped.add(one.unmapped)
        return cls(
            identities=[found for one in slices for found in one.identities],
            upto=slices[-1].upto,
            writes=[write for one in slices for write in one.writes],
            quarantined={found: reason for one in slices for found, reason in one.quarantined.items()},
            unchanged=sum(one.unchanged for one in slices),
            missing=sum(one.missing for one in slices),
            size=sum(one.size for one in slices),
            masked=masked,
            sampled={found: raw for one in slices for found, raw in one.sampled.items()},
            without={found: rules for one in slices for found, rules in one.without.items()},
            unmapped=unmapped,
            session=first.session,
            slices=slices,
        )

    def cut(self, slices: int) -> Batch:
        """The batch as if it had been these first slices from the beginning; number, session and seconds stay."""
        less = Batch.of(self.slices[:slices])
        less.number, less.session, less.seconds = self.number, self.session, self.seconds
        less.refused = self.refused
        return less

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
