"""The fail points fail what they are told to, and nothing once their block is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fail_points import FAULTS, Fault, failing
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError, WriteConcernError

from phimask.store.retry import classify
from replica_set import Client


@pytest.fixture
def single(mongo_uri: str) -> Iterator[Client]:
    """A client that tries nothing twice by itself."""
    with MongoClient[dict[str, Any]](
        mongo_uri, retryWrites=False, appname="single", heartbeatFrequencyMS=500
    ) as client:
        yield client


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_each_fault_is_met_and_is_one_that_passes(
    fault: Fault, single: Client, client: Client, database: Database[dict[str, Any]]
) -> None:
    people = single[database.name]["people"]
    database["people"].insert_one({"_id": 1, "n": 0})
    kind = AutoReconnect if fault.closes else WriteConcernError if fault.write_concern else PyMongoError
    with failing(client, ["update"], fault, times=1), pytest.raises(kind) as caught:
        people.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert classify(caught.value) == "transient"
    if isinstance(caught.value, OperationFailure):
        assert caught.value.code == (fault.code or fault.write_concern)
    document = database["people"].find_one({"_id": 1})
    assert document is not None
    assert document["n"] == (1 if fault.write_concern else 0)


def test_only_those_concerned_fail(
    single: Client, client: Client, database: Database[dict[str, Any]]
) -> None:
    concerned, other = single[database.name]["people"], database["people"]
    fault = Fault(112)
    with failing(client, ["insert"], fault, application="single"):
        other.insert_one({"_id": 1})
        with pytest.raises(OperationFailure):
            concerned.insert_one({"_id": 2})
    with failing(client, ["insert"], fault, namespace=other.full_name):
        database["elsewhere"].insert_one({"_id": 1})
        with pytest.raises(OperationFailure):
            other.insert_one({"_id": 2})
    other.insert_one({"_id": 2})
