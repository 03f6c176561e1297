"""Writing: unordered bulks with majority concern, each document's outcome known one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure

from phimask.plugins.values import DocumentId
from phimask.rawbson import Element, elements
from phimask.store.raw import by_id, identity
from phimask.store.reading import whole_documents
from phimask.store.retry import classify

_TIMESTAMP: Final = 0x11
_EMPTY_TIMESTAMP: Final = b"\0" * 8
_DUPLICATE_KEY: Final = 11000
_GUARD_ATTEMPTS: Final = 3


@dataclass(slots=True)
class Written:
    """What a bulk did: documents that the server found or inserted, those it refused, with the reason (no
    values), and those that an insert found to be present."""

    matched: int = 0
    present: set[DocumentId] = field(default_factory=set)
    refused: dict[DocumentId, str] = field(default_factory=dict)


def update(collection: Any, updates: Sequence[tuple[DocumentId, bytes]]) -> Written:
    """Apply raw updates, never an upsert. Safe to send again: each sets values, none computes from them.

    Raises PyMongo's transient errors, and terminal ones that concern the whole bulk.
    """
    requests = [UpdateOne(by_id(found), RawBSONDocument(change)) for found, change in updates]
    return _bulk(collection, requests, [found for found, _ in updates])


def insert(collection: Any, documents: Sequence[bytes]) -> Written:
    """Insert raw documents; one that is there already (an earlier attempt's) is replaced.

    The server puts the current time into a top-level Timestamp(0, 0) of an inserted document; an update
    that sets the field to it again does not do so, and restores it.
    """
    identities = [identity(raw) for raw in documents]
    written = _bulk(collection, [InsertOne(RawBSONDocument(raw)) for raw in documents], identities)
    again = [raw for raw, found in zip(documents, identities, strict=True) if found in written.present]
    if again:
        replaced = _bulk(
            collection,
            [ReplaceOne(by_id(identity(raw)), RawBSONDocument(raw)) for raw in again],
            [identity(raw) for raw in again],
        )
        written.matched += replaced.matched
        written.refused.update(replaced.refused)
    _restore_timestamps(collection, [raw for raw in documents if identity(raw) not in written.refused])
    return written


def _restore_timestamps(collection: Any, documents: Sequence[bytes]) -> None:
    requests = []
    for raw in documents:
        if bytes((_TIMESTAMP,)) in raw and (names := empty_timestamps(raw)):
            fields = {name.key.decode(): Timestamp(0, 0) for name in names}
            requests.append(UpdateOne(by_id(identity(raw)), {"$set": fields}))
    if requests:
        collection.bulk_write(requests, ordered=False)


def empty_timestamps(raw: bytes) -> list[Element]:
    """The top-level fields that hold Timestamp(0, 0), `_id` aside."""
    return [
        element
        for element in elements(raw)
        if element.kind == _TIMESTAMP
        and raw[element.value : element.end] == _EMPTY_TIMESTAMP
        and element.key != b"_id"
    ]


def replace_whole(
    collection: Any, found: DocumentId, mask: Callable[[bytes], bytes | None]
) -> tuple[bool, str | None]:
    """Read a document whole, mask it, and put it back if nobody changed it meanwhile.

    For documents whose masked paths no update can name. `mask` answers None where it will not. Returns
    whether it was replaced, and otherwise why not; (False, None) is a document that is gone.
    """
    for _ in range(_GUARD_ATTEMPTS):
        digest = _server_digest(collection, found)
        raw = whole_documents(collection, [found]).get(found)
        if raw is None or digest is None:
            return False, None if raw is None else "the server cannot guard a replacement ($toHashedIndexKey)"
        masked = mask(raw)
        if masked is None:
            return False, "a value could not be masked"
        if empty_timestamps(raw):
            return False, "holds an empty timestamp beside keys that no update can name"
        unchanged = {"$expr": {"$eq": [{"$toHashedIndexKey": "$$ROOT"}, {"$literal": digest}]}}
        request: Any = ReplaceOne({"$and": [by_id(found), unchanged]}, RawBSONDocument(masked))
        written = _bulk(collection, [request], [found])
        if written.refused:
            return False, written.refused[found]
        if written.matched:
            return True, None
    return False, f"changed by others {_GUARD_ATTEMPTS} times while it was masked"


def _server_digest(collection: Any, found: DocumentId) -> Any:
    pipeline = [{"$match": by_id(found)}, {"$project": {"digest": {"$toHashedIndexKey": "$$ROOT"}}}]
    try:
        for one in collection.aggregate(pipeline):
            return bson.decode(one.raw)["digest"]
    except OperationFailure as error:
        if classify(error) == "transient":
            raise
    return None


def _bulk(collection: Any, requests: Sequence[Any], identities: Sequence[DocumentId]) -> Written:
    try:
        result = collection.bulk_write(requests, ordered=False)
    except BulkWriteError as error:
        details: Mapping[str, Any] = error.details
        if classify(error) == "transient":
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
