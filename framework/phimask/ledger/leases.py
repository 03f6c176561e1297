"""What the holder of a partition knows of it: the lease that it has on it, and the intent of the batch in hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phimask.ledger.identities import joined, packed, parted, unpacked
from phimask.observing.tally import Tally
from phimask.plugins.values import DocumentId, Lane, Partition


class LeaseLost(Exception):
    """The partition is another's now: whatever was not written yet must not be."""


@dataclass(slots=True)
class Intent:
    """What a batch is about to do, written before it is done.

    `upto` is the batch's last `_id`, `tally` the partition's counts once the batch is done. Where batches are no
    transactions: the documents' `_id`s, with keyed fingerprints of each as it was read and as it will be. Where they
    are: the id of the session that the transaction is in. `served`: the server masks the batch's range by itself.
    """

    batch: int
    upto: DocumentId
    tally: Tally
    identities: list[DocumentId] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    session: bytes | None = None
    served: bool = False

    def document(self) -> dict[str, Any]:
        """As the ledger keeps it."""
        return {
            "batch": self.batch,
            "upto": packed(self.upto),
            "tally": self.tally.document(),
            "identities": joined(self.identities),
            "before": b"".join(self.before),
            "after": b"".join(self.after),
            "whole": self.whole,
            "session": self.session,
            "served": self.served,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Intent:
        """From what the ledger keeps."""
        upto = unpacked(kept["upto"])
        assert upto is not None  # noqa: S101  (for the type checker)
        identities = parted(kept["identities"])
        return cls(
            kept["batch"],
            upto,
            Tally.of(kept["tally"]),
            identities,
            _cut(kept["before"], len(identities)),
            _cut(kept["after"], len(identities)),
            list(kept["whole"]),
            kept["session"],
            kept.get("served", False),
        )


def _cut(joined: bytes, count: int) -> list[bytes]:
    size = len(joined) // count if count else 0
    return [joined[at * size : (at + 1) * size] for at in range(count)]


@dataclass(slots=True)
class Lease:
    """A partition as its holder knows it. `fence` tells this claim from any before it.

    `watermark` is the `_id` up to which everything is done; `batch` the number of the last batch that is closed;
    `intent` a batch that was begun and not closed, by the holder before; `crashes` how many holders in a row died
    without closing a batch; `struck` the document that one of them had in hand alone when it died; `poison` one that
    two of them had; `split` a part that is given away and not entered yet; `lane` the one that it waits in.
    """

    number: int
    fence: int
    after: DocumentId | None
    upto: DocumentId | None
    documents: int | None
    watermark: DocumentId | None
    batch: int
    tally: Tally
    intent: Intent | None
    crashes: int
    struck: DocumentId | None
    poison: DocumentId | None
    expires: float
    first_batch: int = 0
    split_wanted: bool = False
    split: Mapping[str, Any] | None = None
    lane: Lane = "ordinary"

    @property
    def partition(self) -> Partition:
        """What is left of the range."""
        left = None if self.documents is None else max(self.documents - self.tally.read, 0)
        return Partition(self.number, self.watermark, self.upto, left)

    @property
    def valid(self) -> bool:
        """Whether nobody else can hold the partition yet, by this machine's clock."""
        return time.monotonic() < self.expires
