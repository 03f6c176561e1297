"""Documents taken through a real collection: read by the pre-scan's projection, masked, written, read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, MongoClient
from pymongo.errors import BulkWriteError

from masking_trials import Rules, bound, core, told
from oracle import expected
from phimask import BatchBudget, Partition
from phimask.engine.checking import Checks
from phimask.engine.commit import Committed, Committer
from phimask.masking.columns import OnError
from phimask.planning.prescan import prescan
from phimask.plugins.values import DocumentId
from phimask.store.connect import raw_collection
from phimask.store.raw import identity, split
from phimask.store.reading import BatchReader

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
        self.written += done.written
        self.unchanged += done.unchanged
        self.missing += done.missing


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
    """A source collection and, for copies, a target."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        self.source = raw_collection(client, database, "source")
        self.target = raw_collection(client, database, "target")

    def run(
        self,
        rules: Rules,
        *,
        copy: bool,
        on_error: OnError = "redact",
        subject: tuple[str, ...] | None = None,
        sample: Sequence[bytes] | None = None,
        budget: BatchBudget = FIFTY,
    ) -> Run:
        """Mask what the source holds; `sample` is what the pre-scan sees, all documents where it is None."""
        before = stored(self.source)
        shown = list(before.values()) if sample is None else sample
        projection = None if copy else prescan(shown, bound(rules), subject, []).projection
        target = self.target if copy else None
        committer = Committer(
            self.source, target, core(rules, on_error=on_error, subject=subject), NO_CHECKS, sample=0
        )
        reader = BatchReader(self.source, EVERYTHING, None, projection)
        run = Run(before, {}, projection=projection)
        while documents := reader.read(budget):
            reader.move(documents)
            run.add(committer.commit(committer.prepare(documents, whole=projection is None, seconds=0.0)))
        run.after = stored(self.target if copy else self.source)
        return run

    def clear(self) -> None:
        """Empty both."""
        self.source.delete_many({})
        self.target.delete_many({})


def wanted(run: Run, rules: Rules, *, copy: bool) -> dict[DocumentId, bytes]:
    """What there must be after the run: the oracle's documents; of the quarantined, the original or none."""
    masks = told(rules)
    made = {found: expected(raw, masks) for found, raw in run.before.items() if found not in run.quarantined}
    if not copy:
        made.update((found, run.before[found]) for found in run.quarantined)
    return made
