"""Where a sharded collection's chunks begin, as its cluster's config database lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from phimask.errors import StoreError
from phimask.plugins.values import DocumentId
from phimask.rawbson import elements
from phimask.store.connect import raw_collection
from phimask.store.raw import by_id, identity

_ANY_YEAR: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


class Chunks:
    """The chunks of a collection whose shard key is `{_id: 1}`.

    `database` is the config database's name. A chunk lists its collection by `uuid` since MongoDB 5.0, by namespace
    (`ns`) before. Raises StoreError where the collection is not sharded, or not by `_id` in the order of its index.
    Source: MongoDB manual, Config Database, config.collections and config.chunks.
    """

    def __init__(self, collection: Any, database: str) -> None:
        name = collection.full_name
        client = collection.database.client
        if "collation" in collection.options():
            raise StoreError(f"{name} has a collation, in which its chunks are not in order")
        found = raw_collection(client, database, "collections").find_one({"_id": name})
        listed = {} if found is None else bson.decode(found.raw, _ANY_YEAR)
        # Before 5.0 a dropped collection stays in the list; from 8.0 on unsharded ones may be in it, too.
        if not listed or listed.get("dropped") or listed.get("unsplittable"):
            raise StoreError(f"{name} is not sharded, according to {database}.collections")
        if listed.get("key") != {"_id": 1}:
            raise StoreError(f"{name} has a shard key other than {{_id: 1}}")
        self._chunks = raw_collection(client, database, "chunks")
        by_uuid = {"uuid": listed.get("uuid")}
        self._of: Mapping[str, Any] = by_uuid
        if by_uuid["uuid"] is None or self._chunks.find_one(by_uuid, {"_id": 1}) is None:
            self._of = {"ns": name}
            if self._chunks.find_one(self._of, {"_id": 1}) is None:
                raise StoreError(f"{name} has no chunks in {database}.chunks")

    def bound(self, after: DocumentId, upto: DocumentId) -> DocumentId | None:
        """The greatest lower bound of a chunk in (after, upto]."""
        pipeline: list[Mapping[str, Any]] = [
            # Whole bounds are compared, which are documents all: so no `_id` is left out for its type.
            {"$match": {**self._of, "min": {"$gt": by_id(after), "$lte": by_id(upto)}}},
            {"$sort": {"min": -1}},
            {"$limit": 1},
            {"$project": {"min": 1}},
        ]
        for found in self._chunks.aggregate(pipeline):
            raw = bytes(found.raw)
            for element in elements(raw):
                if element.key == b"min":
                    return identity(raw[element.value : element.end])
        return None
