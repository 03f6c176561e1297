"""Documents taken through a real collection: read by the pre-scan's projection, masked, written, read again.

There are three ways to write: `plain` bulks in place, `transaction`s in place, and a `copy` into a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, MongoClient
from pymongo.errors import BulkWriteError

from limits import LIMITS
from masking_trials import Rules, bound, told
from oracle import expected
from phimask import BatchBudget, Partition
from phimask.engine.batches import Batch
from phimask.engine.checking import Checks
from phimask.engine.commit import Committed, Committer, CopyCommitter, PlainCommitter
from phimask.engine.journal import Applied, Journal
from phimask.engine.preparing import Preparer
from phimask.engine.transactions import TransactionCommitter
from phimask.ledger.opening import Ledger, make_applied
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.masking.columns import OnError
from phimask.masking.core import MaskingCore
from phimask.masking.fingerprints import Fingerprint
from phimask.planning.conditions import Conditions
from phimask.planning.prescan import prescan
from phimask.plugins.values import DocumentId
from phimask.store.connect import raw_collection
from phimask.store.raw import identity, split
from phimask.store.reading import BatchReader

Way = Literal["plain", "transaction", "copy"]
WAYS: tuple[Way, ...] = ("plain", "transaction", "copy")

EVERYTHING = Partition(0, None, None)
NO_CHECKS = Checks("during", ())
FIFTY = BatchBudget(50, 1 << 20)


@dataclass(repr=False)
class Run:
    """What there was and what there is, by `_id`; what was quarantined, and the sums over all batches."""

    before: dict[DocumentId, bytes]
    after: dict[DocumentId, bytes]
    quarantined: dict[DocumentId, str] = field(default_factory=dict)
    written: int = 0
    unchanged: int = 0
    missing: int = 0
    projection: Any = None

    def add(self, done: Committed) -> None:
        """Another batch."""
        self.quarantined.update(done.quarantined)
        self.written += done.tally.masked
        self.unchanged += done.tally.unchanged
        self.missing += done.tally.missing


def stored(collection: Any) -> dict[DocumentId, bytes]:
    """All documents of a raw collection, whole."""
    return {identity(raw): raw for reply in collection.find_raw_batches({}) for raw in split(reply)}


def store(collection: Any, documents: Sequence[bytes]) -> int:
    """Insert raw documents as any client would; returns how many the server takes."""
    if not documents:
        return 0
    try:
        result = collection.bulk_write([InsertOne(RawBSONDocument(raw)) for raw in documents], ordered=False)
    except BulkWriteError as error:
        return int(error.details["nInserted"])
    return int(result.inserted_count)


class Room:
    """A source collection and, for copies, a target; and a ledger."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        self.client = client
        self.source = raw_collection(client, database, "source")
        self.target = raw_collection(client, database, "target")
        self.ledger = Ledger(client, database, "ledger")
        make_applied(client, database, "ledger")
        self._runs = 0

    def journal(self, way: Way, rules: Rules = ()) -> Journal:
        """Of a partition that covers everything, in a run of its own."""
        self._runs += 1
        name = f"run-{self._runs}"
        partitions = Partitions(self.ledger, name, "source")
        list(partitions.add([EVERYTHING]))
        lease = partitions.lease("worker")
        assert lease is not None
        return Journal(
            lease,
            partitions,
            Quarantine(self.ledger, name, "source"),
            applied=Applied(self.ledger.named("applied"), name, "source") if way == "transaction" else None,
            fingerprint=Fingerprint(b"k" * 32) if way == "plain" else None,
        )

    def committer(
        self,
        rules: Rules,
        way: Way,
        *,
        on_error: OnError = "redact",
        subject: tuple[str, ...] | None = None,
        projection: Any = None,
        checks: Checks = NO_CHECKS,
        sample: int = 0,
    ) -> Committer:
        """As a worker makes it."""
        core = MaskingCore(bound(rules), subject, on_error, covered=way == "plain")
        preparer = Preparer(self.source, core, Conditions(()), sample, copies=way == "copy")
        if way == "copy":
            return CopyCommitter(preparer, checks, self.target)
        if way == "plain":
            return PlainCommitter(preparer, checks)
        return TransactionCommitter(self.client, projection, None, preparer, checks)

    def read(
        self, committer: Committer, reader: BatchReader, budget: BatchBudget, *, whole: bool
    ) -> Batch | None:
        """The next batch, as a partition's loop takes it."""
        session = committer.begin()
        documents = reader.read(budget, session)
        if not documents:
            if session is not None:
                session.end_session()
            return None
        reader.move(documents)
        return committer.preparer.prepare(documents, whole=whole, session=session)

    def run(
        self,
        rules: Rules,
        *,
        way: Way,
        on_error: OnError = "redact",
        subject: tuple[str, ...] | None = None,
        sample: Sequence[bytes] | None = None,
        budget: BatchBudget = FIFTY,
    ) -> Run:
        """Mask what the source holds; `sample` is what the pre-scan sees, all documents where it is None."""
        before = stored(self.source)
        shown = list(before.values()) if sample is None else sample
        projection = None if way == "copy" else prescan(shown, bound(rules), subject, [], LIMITS).projection
        committer = self.committer(rules, way, on_error=on_error, subject=subject, projection=projection)
        journal = self.journal(way)
        reader = BatchReader(self.source, EVERYTHING, None, projection)
        run = Run(before, {}, projection=projection)
        while batch := self.read(committer, reader, budget, whole=projection is None):
            run.add(committer.commit(batch, journal))
        run.after = stored(self.target if way == "copy" else self.source)
        return run

    def clear(self) -> None:
        """Empty both."""
        self.source.delete_many({})
        self.target.delete_many({})


def wanted(run: Run, rules: Rules, *, way: Way) -> dict[DocumentId, bytes]:
    """What there must be after the run: the oracle's documents; of the quarantined, the original or none."""
    masks = told(rules)
    made = {found: expected(raw, masks) for found, raw in run.before.items() if found not in run.quarantined}
    if way != "copy":
        made.update((found, run.before[found]) for found in run.quarantined)
    return made
