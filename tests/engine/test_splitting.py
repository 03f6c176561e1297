"""Where what is left of a partition is cut in two, and when it is not worth it."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask import DocumentId
from phimask.engine.splitting import middle_of
from phimask.store.connect import raw_collection
from phimask.store.raw import identity


def at(number: int) -> DocumentId:
    return identity(bson.encode({"_id": number}))


@pytest.mark.parametrize("worth", [0, 1, 2, 10, 99, 100])
def test_a_quarter_at_least_lies_on_either_side(
    worth: int, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    database["c"].insert_many({"_id": number} for number in range(1, 201))
    middle = middle_of(raw_collection(client, database.name, "c"), at(50), at(150), worth)
    assert middle is not None
    left = database["c"].count_documents({"_id": {"$gt": 50, "$lte": int.from_bytes(middle.value, "little")}})
    assert 25 <= left <= 75


@pytest.mark.parametrize(("documents", "worth"), [(0, 1), (1, 1), (20, 21)])
def test_what_is_over_soon_is_not_cut(
    documents: int, worth: int, client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    database["c"].insert_many({"_id": number} for number in range(1, 31))
    source = raw_collection(client, database.name, "c")
    assert middle_of(source, at(5), at(5 + documents), worth) is None
