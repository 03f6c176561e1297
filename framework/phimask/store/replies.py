"""A query's documents out of one reply, as bytes, copied as few times as can be.

PyMongo's raw batches are decoded in part, joined, and cut by their reader again: of documents of some kilobytes that
takes several times as long as what is done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pymongo.client_session import ClientSession

from phimask.rawbson import DOCUMENT, LENGTH, MalformedBsonError, elements

_FIRST_INDEX: Final = 4
"""Where the first element of an array begins."""


def one_reply(
    collection: Any,
    query: Mapping[str, Any],
    projection: Mapping[str, Any] | None,
    limit: int,
    session: ClientSession | None = None,
) -> list[bytes]:
    """The first `limit` documents in `_id` order, as many of them as go into a reply of 16 MiB, but one where there is
    any. `collection` is a raw one (see connect.raw_collection).

    Raises PyMongo's errors; nothing is asked again here, since all who read have patience of their own.
    """
    command: dict[str, Any] = {
        "find": collection.name,
        "filter": query,
        "sort": {"_id": 1},
        "hint": {"_id": 1},
        "limit": limit,
        "singleBatch": True,
        "batchSize": limit,  # or the server would answer with 101 documents, its default for a first reply
    }
    if projection:
        command["projection"] = projection
    if session is None or not session.in_transaction:
        command["readConcern"] = collection.read_concern.document
    reply = collection.database.command(
        command,
        codec_options=collection.codec_options,
        read_preference=collection.read_preference,
        session=session,
    )
    return documents_of(bytes(reply.raw))  # PyMongo may give a view of a larger buffer


def documents_of(reply: bytes) -> list[bytes]:
    """Those of the first batch of a `find` command's reply. Raises MalformedBsonError."""
    at = _within(reply, _within(reply, 0, b"cursor"), b"firstBatch")
    end = at + LENGTH.unpack_from(reply, at)[0] - 1
    at += _FIRST_INDEX
    found: list[bytes] = []
    while at < end:
        if reply[at] != DOCUMENT:
            raise MalformedBsonError
        at = reply.index(0, at) + 1
        behind = at + LENGTH.unpack_from(reply, at)[0]
        found.append(reply[at:behind])
        at = behind
    return found


def _within(reply: bytes, start: int, key: bytes) -> int:
    """Where the value of this key of the document at `start` begins."""
    for element in elements(reply, start):
        if element.key == key:
            return element.value
    raise MalformedBsonError
