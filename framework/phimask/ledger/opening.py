"""Opening the ledger: its collections, indexes and version, or one clear message that says why not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bson.codec_options import DatetimeConversion
from pymongo import ReadPreference, ReturnDocument, timeout
from pymongo.collection import Collection
from pymongo.errors import CollectionInvalid, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from phimask.config.model import Secret
from phimask.errors import PreflightError
from phimask.store.connect import Client, connect
from phimask.store.retry import classify, error_name

SCHEMA: Final = 1
"""The version of what the ledger's documents look like."""

_EXISTS: Final = 48
_MAJORITY_SECONDS: Final = 20
"""How long a write waits for its majority before it counts as not answered and is tried again."""
ANSWER_SECONDS: Final = 20.0
"""How long a command waits for the ledger to take its first write; a server that is locked never answers."""

Documents = Collection[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger's collections; `prefix` begins their names, so that several ledgers fit into a database."""

    client: Client
    database: str
    prefix: str

    @property
    def runs(self) -> Documents:
        """A document a run: what is pinned to it, its state, its coordinator's heartbeat, the command given to it."""
        return self._collection("runs")

    @property
    def claims(self) -> Documents:
        """A document a collection: the run that has it."""
        return self._collection("claims")

    @property
    def partitions(self) -> Documents:
        """A document a partition: its range, lease, fence, watermark, open intent, counts."""
        return self._collection("partitions")

    @property
    def quarantine(self) -> Documents:
        """A document for each document left out, with the reason."""
        return self._collection("quarantine")

    @property
    def workers(self) -> Documents:
        """A document a worker: where it runs and when it was last heard of."""
        return self._collection("workers")

    def __str__(self) -> str:
        return f"{self.database}.{self.prefix}.*"

    def named(self, name: str) -> Documents:
        """Another of the ledger's collections."""
        return self._collection(name)

    def _collection(self, name: str) -> Documents:
        options = self.client.codec_options.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
        return self.client[self.database].get_collection(
            f"{self.prefix}.{name}",
            codec_options=options,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", wtimeout=_MAJORITY_SECONDS * 1000),
            read_preference=ReadPreference.PRIMARY,
        )


def open_ledger(client: Client, database: str, prefix: str, *, create: bool = True) -> Ledger:
    """The ledger, its indexes made. With `create` false nothing is written: for commands that only look.

    Otherwise it is written to each time, so that one that takes no writes is known before anything else is changed.
    Raises PreflightError: out of reach, read-only, locked, of a newer schema.
    """
    ledger = Ledger(client, database, prefix)
    where = f"the ledger {ledger}"
    with asking(ledger, only_read=not create), timeout(ANSWER_SECONDS):
        version = _version(ledger, create=create)
        if create and version <= SCHEMA:
            _make_indexes(ledger)
    if version > SCHEMA:
        raise PreflightError(
            [
                f"{where} is of schema {version}, and this phimask knows {SCHEMA}: a newer phimask wrote it; use that "
                "version, or name another prefix under `coordination:` in phimask.yaml"
            ]
        )
    return ledger


def ledger_client(uri: Secret) -> Client:
    """A client of the ledger's own deployment. Raises PreflightError."""
    try:
        return connect(uri)
    except PreflightError as error:
        raise PreflightError(
            [f"the ledger (coordination.uri): {hazard}" for hazard in error.hazards]
        ) from None


@contextlib.contextmanager
def asking(ledger: Ledger, *, only_read: bool = False) -> Iterator[None]:
    """What its server answers to a command is one clear message. Raises PreflightError for PyMongo's errors."""
    try:
        yield
    except PyMongoError as error:
        raise _refused(ledger, error, "read" if only_read else "readWrite") from None


def _refused(ledger: Ledger, error: PyMongoError, role: str) -> PreflightError:
    if error.timeout:
        return PreflightError(
            [
                f"the ledger {ledger}: no answer within {ANSWER_SECONDS:g} s; check that its server is not locked "
                "(fsyncLock) and that a majority of its members runs"
            ]
        )
    further = " (a run readWrite)" if role == "read" else ""
    todo = (
        f"the user needs {role} on the database {ledger.database}{further}, or name another under `coordination:` in "
        "phimask.yaml"
        if isinstance(error, OperationFailure) and classify(error) == "terminal"
        else "check that the server runs and can be reached, and try again"
    )
    return PreflightError([f"the ledger {ledger}: MongoDB answered {error_name(error)}; {todo}"])


APPLIED: Final = "applied"
"""The one collection of the ledger's that lies beside the documents: see `phimask.engine.journal.Applied`."""


def make_applied(client: Client, database: str, prefix: str) -> None:
    """Make it before the first transaction: one that began before the collection was there could not write to it."""
    try:
        with timeout(ANSWER_SECONDS):
            client[database].create_collection(f"{prefix}.{APPLIED}")
    except CollectionInvalid:
        return
    except OperationFailure as error:
        if error.code == _EXISTS:
            return
        raise PreflightError(
            [
                f"{database}.{prefix}.{APPLIED}: MongoDB answered {error_name(error)}; transactions are noted in this "
                f"collection, on the deployment that is masked: the user needs readWrite on its database {database}"
            ]
        ) from None


def _version(ledger: Ledger, *, create: bool) -> int:
    meta, which = ledger.named("meta"), {"_id": "schema"}
    if not create:
        found = meta.find_one(which)
    else:
        found = meta.find_one_and_update(
            which, {"$setOnInsert": {"version": SCHEMA}}, upsert=True, return_document=ReturnDocument.AFTER
        )
    return SCHEMA if found is None else int(found["version"])


def _make_indexes(ledger: Ledger) -> None:
    ledger.partitions.create_index([("_id.run", 1), ("_id.namespace", 1), ("state", 1), ("_id.number", 1)])
    ledger.quarantine.create_index([("_id.run", 1), ("_id.namespace", 1), ("partition", 1), ("batch", 1)])
    ledger.runs.create_index([("pins.claim", 1), ("state", 1)])
    ledger.runs.create_index([("created", -1)])
    ledger.named("series").create_index([("run", 1), ("kind", 1), ("at", 1)])
