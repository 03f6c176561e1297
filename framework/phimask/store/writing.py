"""Writing: unordered bulks with majority concern, each document's outcome known one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, OperationFailure

from phimask.plugins.values import DocumentId
from phimask.rawbson import Element, elements
from phimask.store.raw import Unopened, by_id, document, from_to
from phimask.store.reading import whole_documents
from phimask.store.retry import classify

_TIMESTAMP: Final = 0x11
_EMPTY_TIMESTAMP: Final = b"\0" * 8
_LIKE_EMPTY_TIMESTAMP: Final = re.compile(rb"\x11[^\0\x11]*\0\0{8}")
"""A field that holds one, or bytes that look like it: most documents are ruled out without being taken apart. Of a key
with a 0x11 in it, what follows that is found; so no byte is looked at twice."""
_DUPLICATE_KEY: Final = 11000
_NOT_RESTORABLE: Final = (
    "holds an empty timestamp, which the server fills in, under a key that no update names"
)


@dataclass(slots=True)
class Written:
    """What a bulk did: documents that the server found or inserted, those it refused, with the reason (no
    values), and those that an insert found to be present."""

    matched: int = 0
    present: set[DocumentId] = field(default_factory=set)
    refused: dict[DocumentId, str] = field(default_factory=dict)


def update(
    collection: Any, updates: Sequence[tuple[DocumentId, bytes]], session: ClientSession | None = None
) -> Written:
    """Apply raw updates, never an upsert. Safe to send again: each sets values, none computes from them.

    Raises PyMongo's transient errors, and terminal ones that concern the whole bulk. In a `session`'s transaction the
    first document that the server refuses ends the transaction, and is the only one named.
    """
    requests = [UpdateOne(by_id(found), Unopened(change)) for found, change in updates]
    return _bulk(collection, requests, [found for found, _ in updates], session)


def update_range(
    collection: Any,
    first: DocumentId,
    upto: DocumentId,
    query: Mapping[str, Any] | None,
    pipeline: Sequence[Mapping[str, Any]],
    session: ClientSession | None = None,
) -> tuple[int, int]:
    """Have the server compute an update of all documents from `first` to `upto`; how many matched, and how many of
    them changed.

    Raises PyMongo's errors. Where a document is refused or fails, those before it may be changed, unless the `session`
    has a transaction.
    """
    result = collection.update_many(
        from_to(first, upto, query), list(pipeline), hint=[("_id", 1)], session=session
    )
    return result.matched_count, result.modified_count


def replace(
    collection: Any,
    documents: Sequence[tuple[DocumentId, bytes]],
    session: ClientSession | None = None,
) -> Written:
    """Put whole documents in place of others: in a transaction that has read them, or where nobody else writes.

    See `why_not_replaced` and `has_dollar_key`.
    """
    requests: list[Any] = [ReplaceOne(by_id(found), Unopened(raw)) for found, raw in documents]
    return _bulk(collection, requests, [found for found, _ in documents], session)


def replace_unchanged(
    collection: Any, found: DocumentId, digest: Any, masked: bytes
) -> tuple[bool, str | None]:
    """Put a whole document in place of one that nobody changed since the server made `digest` of it.

    Safe to send again. Returns whether the server has it, and otherwise why not; (False, None) is a document that is
    gone.
    """
    unchanged = {"$expr": {"$eq": [{"$toHashedIndexKey": "$$ROOT"}, {"$literal": digest}]}}
    request: Any = ReplaceOne({"$and": [by_id(found), unchanged]}, Unopened(masked))
    written = _bulk(collection, [request], [found])
    if written.refused:
        return False, written.refused[found]
    if written.matched:
        return True, None
    now = whole_documents(collection, [found]).get(found)
    if now == masked:
        return True, None
    return False, None if now is None else "changed by others while it was masked"


def why_not_replaced(masked: bytes) -> str | None:
    """What keeps a masked document from being put whole in place of another; None: nothing."""
    if empty_timestamps(masked):
        return "holds an empty timestamp beside keys that no update can name"
    return None


def insert(collection: Any, documents: Mapping[DocumentId, bytes]) -> Written:
    """Insert raw documents, by their `_id`; one that is there already (an earlier attempt's) is replaced.

    The server puts the current time into a top-level Timestamp(0, 0) of an inserted document; an update
    that sets the field to it again does not do so, and restores it. A document where no update can name such
    a field is refused.
    """
    written = Written()
    timed = {found: raw for found, raw in documents.items() if empty_timestamps(raw)}
    written.refused = {found: _NOT_RESTORABLE for found, raw in timed.items() if not _restorable(raw)}
    sendable = documents
    if written.refused:
        sendable = {found: raw for found, raw in documents.items() if found not in written.refused}
    if not sendable:
        return written
    _add(written, _insert(collection, sendable))
    again = {found: raw for found, raw in sendable.items() if found in written.present}
    # No replacement may have a key at its top that begins with $.
    dollars = {found: raw for found, raw in again.items() if has_dollar_key(raw)}
    replacements: list[Any] = [
        ReplaceOne(by_id(found), Unopened(raw)) for found, raw in again.items() if found not in dollars
    ]
    if replacements:
        _add(written, _bulk(collection, replacements, [found for found in again if found not in dollars]))
    if dollars:
        _bulk(collection, [DeleteOne(by_id(found)) for found in dollars], [*dollars])
        _add(written, _insert(collection, dollars))
    stored = {found: raw for found, raw in timed.items() if found not in written.refused}
    _restore_timestamps(collection, stored, written)
    return written


def _insert(collection: Any, documents: Mapping[DocumentId, bytes]) -> Written:
    return _bulk(collection, [InsertOne(Unopened(raw)) for raw in documents.values()], [*documents])


def has_dollar_key(raw: bytes) -> bool:
    """Whether a key at the top begins with $, which no replacement may have."""
    return b"$" in raw and any(element.key.startswith(b"$") for element in elements(raw))


def _add(written: Written, more: Written) -> None:
    written.matched += more.matched
    written.present |= more.present
    written.refused.update(more.refused)


def _restorable(raw: bytes) -> bool:
    """Whether an update can name each empty timestamp, and means no other field by it."""
    names = [one.key for one in empty_timestamps(raw)]
    keys = [element.key for element in elements(raw)]
    return all(_nameable(name) and keys.count(name) == 1 for name in names)


def _nameable(key: bytes) -> bool:
    try:
        name = key.decode()
    except UnicodeDecodeError:
        return False
    return name != "" and "." not in name and not name.startswith("$")


def _restore_timestamps(collection: Any, stored: Mapping[DocumentId, bytes], written: Written) -> None:
    updates: dict[DocumentId, UpdateOne] = {}
    for found, raw in stored.items():
        names = empty_timestamps(raw)
        fields = document(*((one.key.decode(), _TIMESTAMP, _EMPTY_TIMESTAMP) for one in names))
        updates[found] = UpdateOne(by_id(found), {"$set": fields})
    if updates:
        refused = _bulk(collection, [*updates.values()], [*updates]).refused
        written.refused.update(refused)
        written.matched -= len(refused)


def empty_timestamps(raw: bytes) -> list[Element]:
    """The top-level fields that hold Timestamp(0, 0), `_id` aside."""
    if _EMPTY_TIMESTAMP not in raw or _LIKE_EMPTY_TIMESTAMP.search(raw) is None:
        return []
    return [
        element
        for element in elements(raw)
        if element.kind == _TIMESTAMP
        and raw[element.value : element.end] == _EMPTY_TIMESTAMP
        and element.key != b"_id"
    ]


def server_digest(collection: Any, found: DocumentId) -> Any:
    """What the server makes of the whole document, to tell whether it has changed; None where it is gone or the server
    cannot tell."""
    pipeline = [{"$match": by_id(found)}, {"$project": {"_id": 0, "digest": {"$toHashedIndexKey": "$$ROOT"}}}]
    try:
        for one in collection.aggregate(pipeline):
            return bson.decode(one.raw)["digest"]
    except OperationFailure as error:
        if classify(error) == "transient":
            raise
    return None


def _bulk(
    collection: Any,
    requests: Sequence[Any],
    identities: Sequence[DocumentId],
    session: ClientSession | None = None,
) -> Written:
    try:
        result = collection.bulk_write(requests, ordered=False, session=session)
    except BulkWriteError as error:
        details: Mapping[str, Any] = error.details
        if classify(error) == "transient" or details.get("writeConcernErrors"):
            raise
        written = Written(matched=details.get("nMatched", 0) + details.get("nInserted", 0))
        for one in details["writeErrors"]:
            found = identities[one["index"]]
            if one.get("code") == _DUPLICATE_KEY and one.get("keyPattern") == {"_id": 1}:
                written.present.add(found)
            else:
                written.refused[found] = f"the server refused the write (code {one.get('code')})"
        return written
    return Written(matched=result.matched_count + result.inserted_count)
