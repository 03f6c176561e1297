"""Putting documents back: each is read, compared with what masking left, and given its original values, or listed.

Between reading and writing nobody's change is lost: where the deployment has transactions both happen in one, elsewhere
the write asks for the document as it was read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import bson
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure
from pymongo.read_concern import ReadConcern

from phimask.config.model import Retry
from phimask.errors import PreflightError
from phimask.masking.automaton import nameable
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.excerpt import Overlap, excerpt, paths_of, put_back
from phimask.masking.fingerprints import Fingerprint
from phimask.plugins.values import DocumentId
from phimask.rawbson import MalformedBsonError, elements, wrap
from phimask.store.connect import MAJORITY_WRITES, Client
from phimask.store.raw import Unopened, by_id, by_ids, document, identity, split
from phimask.store.retry import classify, retrying
from phimask.store.source import ID_ORDER
from phimask.store.writing import empty_timestamps
from phimask.vault.records import Original

CHANGED: Final = "changed by others since it was masked"
DELETED: Final = "deleted by others since it was masked"
CHANGING: Final = "changed by others again and again while it was put back"
COLLIDES: Final = "its original value is another document's in a unique index"
NOT_REPLACEABLE: Final = (
    "has a key at its top that begins with $, or an empty timestamp, which cannot be written here"
)

_DUPLICATE_KEY: Final = 11000
_GUARD_ATTEMPTS: Final = 3
_ABORTED: Final = "TransientTransactionError"
_LEFT_OPEN_SECONDS: Final = 90.0

Kept = Mapping[DocumentId, Sequence[Original]]
"""Documents with what was kept of them, each in the order in which it was kept."""


@dataclass(slots=True)
class Restored:
    """What became of documents: put back, found to be as they were, and the others with the reasons."""

    restored: int = 0
    unmasked: int = 0
    conflicts: dict[DocumentId, str] = field(default_factory=dict)

    def add(self, other: Restored) -> None:
        """Further documents."""
        self.restored += other.restored
        self.unmasked += other.unmasked
        self.conflicts.update(other.conflicts)


@dataclass(frozen=True, slots=True)
class Change:
    """What a document has to become: the values of some paths, or, where no update can do it, all of it."""

    values: bytes | None = field(repr=False)
    whole: bytes = field(repr=False, default=b"")


def unwound(raw: bytes, kept: Sequence[Original], fingerprint: Fingerprint) -> Change | bytes | None:
    """What the document was before the run touched it: a change to be made, `raw` where it is that already, None where
    it is neither what masking left nor what it found.

    What was kept last is looked at first. Where it was kept of a document that was masked already (its batch was
    taken over and then not written), what it holds is what masking left before, and is unwound in turn. So a masked
    value is never taken for an original, and of copies whose batch was never written none counts but by its values.
    """
    if len(kept) == 1:
        return _undone(raw, kept[0], fingerprint)
    now, touched = raw, False
    paths: dict[bytes, None] | None = {}
    for one in reversed(kept):
        if not _is_masked(now, one, fingerprint):
            continue
        touched = True
        if one.whole:
            now, paths = one.restore, None
        else:
            now = put_back(now, one.restore)
            if paths is not None:
                paths.update(dict.fromkeys(paths_of(one.restore)))
    if now != raw:
        return Change(None if paths is None else _excerpt(now, paths), now)
    return raw if touched or any(_is_original(raw, one) for one in kept) else None


def _undone(raw: bytes, one: Original, fingerprint: Fingerprint) -> Change | bytes | None:
    """As `unwound`, of a document that was kept once, as nearly all are."""
    there = raw if one.whole else _excerpt(raw, paths_of(one.restore))
    if there == one.restore:
        return raw
    if there is None or fingerprint.of(there) != one.masked:
        return None
    return Change(None, one.restore) if one.whole else Change(one.restore)


def _is_masked(raw: bytes, one: Original, fingerprint: Fingerprint) -> bool:
    there = raw if one.whole else _excerpt(raw, paths_of(one.restore))
    return there is not None and fingerprint.of(there) == one.masked


def _is_original(raw: bytes, one: Original) -> bool:
    return (raw if one.whole else _excerpt(raw, paths_of(one.restore))) == one.restore


def _excerpt(raw: bytes, paths: Iterable[bytes]) -> bytes | None:
    try:
        return excerpt(raw, paths)
    except (MalformedBsonError, Overlap):
        return None


class Restorer:
    """Puts documents of one collection back. `collection` is a raw one; `wait` is told of transient errors."""

    def __init__(
        self,
        client: Client,
        collection: Any,
        fingerprint: Fingerprint,
        retry: Retry,
        wait: Callable[[str, float], None],
        stop: Callable[[], bool],
    ) -> None:
        self._client = client
        self._collection = collection
        self._fingerprint = fingerprint
        self._retrying = partial(retrying, retry, wait, stop)
        self._stop = stop
        hello = client.admin.command("hello")
        self._transactions = "setName" in hello or hello.get("msg") == "isdbgrid"

    def restore(self, kept: Kept) -> Restored:
        """Put these back. May be repeated: what is back already is found to be. Raises PyMongo's errors."""
        if not self._transactions:
            return self._retrying()(self._guarded, kept)
        try:
            return self._patiently(kept)
        except (BulkWriteError, OperationFailure) as error:
            if classify(error) == "transient":
                raise
        # One of them is refused by the server, and took the others' transaction with it.
        result = Restored()
        for found, originals in kept.items():
            result.add(self._alone(found, originals))
        return result

    def _alone(self, found: DocumentId, originals: Sequence[Original]) -> Restored:
        try:
            return self._patiently({found: originals})
        except (BulkWriteError, OperationFailure) as error:
            if classify(error) == "transient":
                raise
            errors = error.details.get("writeErrors") if isinstance(error, BulkWriteError) else None
            return Restored(conflicts={found: _refusal(errors[0].get("code") if errors else error.code)})

    def _patiently(self, kept: Kept) -> Restored:
        """A worker that was killed leaves its transaction open, and what that wrote is locked until the server ends
        it, which is after transactionLifetimeLimitSeconds."""
        until = time.monotonic() + _LEFT_OPEN_SECONDS
        while True:
            try:
                return self._retrying()(self._in_transaction, kept)
            except OperationFailure as error:
                if not error.has_error_label(_ABORTED) or time.monotonic() > until or self._stop():
                    raise

    def _in_transaction(self, kept: Kept) -> Restored:
        with (
            self._client.start_session() as session,
            session.start_transaction(ReadConcern("snapshot"), MAJORITY_WRITES),
        ):
            result, changes = self._compare(kept, self._read(list(kept), session))
            requests = [
                request
                for found, change in changes.items()
                for request in _requests(change, found, by_id(found))
            ]
            if requests:
                self._collection.bulk_write(requests, ordered=True, session=session)
        result.restored = len(changes)
        return result

    def _read(self, wanted: Sequence[DocumentId], session: Any) -> Iterator[bytes]:
        for reply in self._collection.find_raw_batches(by_ids(wanted), hint=ID_ORDER, session=session):
            yield from split(reply)

    def _compare(self, kept: Kept, documents: Iterable[bytes]) -> tuple[Restored, dict[DocumentId, Change]]:
        """What is to be done; each document counts as deleted until it is seen."""
        result = Restored(conflicts=dict.fromkeys(kept, DELETED))
        changes: dict[DocumentId, Change] = {}
        for raw in documents:
            found = identity(raw)
            del result.conflicts[found]
            change = unwound(raw, kept[found], self._fingerprint)
            if change is None:
                result.conflicts[found] = CHANGED
            elif isinstance(change, bytes):
                result.unmasked += 1
            elif change.values is None and not self._can_replace(change.whole):
                result.conflicts[found] = NOT_REPLACEABLE
            else:
                changes[found] = change
        return result, changes

    def _can_replace(self, raw: bytes) -> bool:
        """The server fills in empty timestamps at a new document's top, and a second write puts them back, if it can
        name them. It takes no key there that begins with $ but in an insertion. Both need a transaction."""
        names = [one.key for one in empty_timestamps(raw)]
        if not names and not _has_dollar_key(raw):
            return True
        keys = [one.key for one in elements(raw)]
        return self._transactions and all(_nameable(name) and keys.count(name) == 1 for name in names)

    def _guarded(self, kept: Kept) -> Restored:
        result = Restored()
        left = kept
        for attempt in range(_GUARD_ATTEMPTS):
            digests = self._digests(list(left))
            seen, changes = self._compare(left, self._read(list(left), None))
            result.conflicts.update(seen.conflicts)
            if attempt:
                result.restored += seen.unmasked
            else:
                result.unmasked += seen.unmasked
            requests: list[Any] = []
            for found, change in changes.items():
                unchanged = {
                    "$expr": {"$eq": [{"$toHashedIndexKey": "$$ROOT"}, {"$literal": digests.get(found)}]}
                }
                requests += _requests(change, found, {"$and": [by_id(found), unchanged]})
            written, refused = self._write(requests, list(changes))
            result.conflicts.update(refused)
            left = {found: kept[found] for found in changes if found not in refused}
            if written == len(left):
                result.restored += written
                return result
        result.conflicts.update(dict.fromkeys(left, CHANGING))
        return result

    def _write(
        self, requests: list[Any], identities: Sequence[DocumentId]
    ) -> tuple[int, dict[DocumentId, str]]:
        if not requests:
            return 0, {}
        try:
            return self._collection.bulk_write(requests, ordered=False).matched_count, {}
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details
            if classify(error) == "transient" or details.get("writeConcernErrors"):
                raise
            refused = {identities[one["index"]]: _refusal(one.get("code")) for one in details["writeErrors"]}
            return details["nMatched"], refused

    def _digests(self, wanted: Sequence[DocumentId]) -> dict[DocumentId, Any]:
        """Of each document, what tells the server whether it is still the same."""
        digest = {"$project": {"digest": {"$toHashedIndexKey": "$$ROOT"}}}
        try:
            found = [
                bytes(one.raw) for one in self._collection.aggregate([{"$match": by_ids(wanted)}, digest])
            ]
        except OperationFailure as error:
            if classify(error) == "transient":
                raise
            raise PreflightError(
                [
                    "this server has neither transactions nor $toHashedIndexKey: nothing can be put back safely; use "
                    "MongoDB 6.0 or later"
                ]
            ) from None
        return {identity(raw): bson.decode(raw, LOSSLESS)["digest"] for raw in found}


def _requests(change: Change, found: DocumentId, which: Any) -> list[Any]:
    if change.values is not None:
        return [UpdateOne(which, Unopened(wrap(b"\x03$set\0" + change.values)))]
    requests: list[Any] = [ReplaceOne(which, Unopened(change.whole))]
    if _has_dollar_key(change.whole):
        requests = [DeleteOne(which), InsertOne(Unopened(change.whole))]
    empty = [
        (one.key.decode(), one.kind, change.whole[one.value : one.end])
        for one in empty_timestamps(change.whole)
    ]
    if empty:
        requests.append(UpdateOne(by_id(found), {"$set": document(*empty)}))
    return requests


def _has_dollar_key(raw: bytes) -> bool:
    return any(one.key.startswith(b"$") for one in elements(raw))


def _nameable(key: bytes) -> bool:
    try:
        return nameable(key.decode())
    except UnicodeDecodeError:
        return False


def _refusal(code: Any) -> str:
    return COLLIDES if code == _DUPLICATE_KEY else f"the server refused the write (code {code})"
