"""A collection's indexes exactly as the server describes them: read, dropped, and built again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from phimask.store.connect import Client

RAW: Final = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
_SIMPLE: Final = {"locale": "simple"}
_NOT_THERE: Final = (26, 27)
"""NamespaceNotFound, IndexNotFound."""


def read_indexes(client: Client, database: str, collection: str) -> dict[str, bytes]:
    """The raw specification of each index by name, without that on `_id`; empty where there is no collection.

    Raises PyMongo's errors.
    """
    try:
        reply = client[database].command(
            {"listIndexes": collection, "cursor": {"batchSize": 1000}}, codec_options=RAW
        )
    except OperationFailure as error:
        if error.code in _NOT_THERE:
            return {}
        raise
    return {
        one["name"]: bson.encode({key: value for key, value in one.items() if key != "ns"})
        for one in reply["cursor"]["firstBatch"]
        if one["name"] != "_id_" and not one.get("clustered")
    }


def decoded(specification: bytes) -> Mapping[str, Any]:
    """A specification to look at."""
    found: Mapping[str, Any] = bson.decode(
        specification, CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    )
    return found


def drop_index(client: Client, database: str, collection: str, name: str) -> None:
    """Drop an index, or find it gone. Raises PyMongo's errors."""
    try:
        client[database].command(
            {"dropIndexes": collection, "index": name, "writeConcern": {"w": "majority"}}
        )
    except OperationFailure as error:
        if error.code not in _NOT_THERE:
            raise


def build_indexes(client: Client, database: str, collection: str, specifications: Iterable[bytes]) -> None:
    """Build indexes in one scan; those that are there already stay. The server waits until a quorum of its members
    has them. Raises PyMongo's errors.
    """
    wanted = [
        # An index that names no collation would take the collection's.
        {"collation": _SIMPLE, **RawBSONDocument(one, RAW)}
        for one in specifications
    ]
    if wanted:
        client[database].command(
            {"createIndexes": collection, "indexes": wanted, "writeConcern": {"w": "majority"}}
        )


def with_expiry(specification: bytes, seconds: int) -> bytes:
    """The same index, whose documents expire after so many seconds."""
    found = RawBSONDocument(specification, RAW)
    return bson.encode({**found, "expireAfterSeconds": seconds}, codec_options=RAW)
