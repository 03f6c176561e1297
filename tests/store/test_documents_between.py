"""Documents that are read as a range: those that were asked for, however many replies it takes, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, MongoClient
from pymongo.database import Database

from identities import IDENTITIES, with_id
from phimask.store import reading
from phimask.store.connect import raw_collection
from phimask.store.raw import by_id, identity
from phimask.store.reading import documents_between, whole_documents
from phimask.store.replies import one_reply
from phimask.store.source import ID_ORDER


@pytest.mark.parametrize("most", [1, 2, 5, 1000])
def test_those_of_a_range(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    def some(collection: Any, query: Any, projection: Any, limit: int) -> list[bytes]:
        return one_reply(collection, query, projection, min(limit, most))

    monkeypatch.setattr(reading, "one_reply", some)
    collection = raw_collection(client, database.name, "c")
    collection.bulk_write([InsertOne(RawBSONDocument(with_id(one))) for one in IDENTITIES])
    stored = [identity(one.raw) for one in collection.find(sort=ID_ORDER, hint=ID_ORDER)]
    for wanted in (stored, stored[3:9:2], stored[-1:], stored[:1], []):
        assert documents_between(collection, wanted) == whole_documents(collection, wanted)
    gone = stored[2:8]
    collection.bulk_write([DeleteOne(by_id(one)) for one in (gone[0], gone[3], gone[-1])])
    assert set(documents_between(collection, gone)) == {gone[1], gone[2], gone[4]}
