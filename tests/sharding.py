"""A stand-in for a cluster's config database: what it would list of a collection, in either layout."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from oracle import build

SHARD_KEY: Mapping[str, Any] = {"_id": 1}
LEAST, GREATEST = (0xFF, b""), (0x7F, b"")


def list_chunks(
    client: MongoClient[dict[str, Any]],
    config: str,
    namespace: str,
    bounds: Sequence[tuple[int, bytes]],
    *,
    key: Mapping[str, Any] = SHARD_KEY,
    by_uuid: bool = True,
    **more: Any,
) -> None:
    """List chunks of the collection that begin at MinKey and at `bounds`, which are in order.

    By the collection's UUID, as MongoDB does since 5.0, or by its namespace, as before. `key` is the shard key, `more`
    goes into the collection's entry.
    """
    identifier = bson.Binary.from_uuid(uuid.uuid4())
    client[config].collections.insert_one(
        {"_id": namespace, "lastmodEpoch": bson.ObjectId(), "uuid": identifier, "key": key, **more}
    )
    ends = [LEAST, *bounds, GREATEST]
    of = (0x05, b"uuid", b"\x10\0\0\0\4" + bytes(identifier))
    if not by_uuid:
        text = namespace.encode() + b"\0"
        of = (0x02, b"ns", len(text).to_bytes(4, "little") + text)
    client[config].chunks.insert_many(
        [
            RawBSONDocument(
                build(
                    [
                        (0x07, b"_id", bson.ObjectId().binary),
                        of,
                        (0x03, b"min", [(low[0], b"_id", low[1])]),
                        (0x03, b"max", [(high[0], b"_id", high[1])]),
                        (0x02, b"shard", b"\7\0\0\0shard1\0"),
                    ]
                )
            )
            for low, high in pairwise(ends)
        ]
    )
