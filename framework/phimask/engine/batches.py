"""A batch: documents as they were read, and all that is to be written for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo.client_session import ClientSession

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
