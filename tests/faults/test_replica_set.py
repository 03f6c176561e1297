"""The replica set of the tests does what its methods say."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.errors import PyMongoError

from replica_set import ReplicaSet, wait_until

EVERYWHERE = WriteConcern(w=3, wtimeout=30_000)


def written(uri: str, number: int) -> None:
    """A document with majority concern, through whatever election there is."""

    def tried() -> bool:
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000, socketTimeoutMS=5000) as client:
            collection = client["faults"].get_collection("set", write_concern=WriteConcern("majority"))
            try:
                collection.update_one({"_id": number}, {"$set": {"there": True}}, upsert=True)
            except PyMongoError:
                return False
            return True

    wait_until(tried, "nothing is written")


def held(uri: str) -> list[int]:
    with MongoClient[dict[str, Any]](uri) as client:
        return sorted(one["_id"] for one in client["faults"]["set"].find())


@pytest.mark.soak
def test_a_killed_primary_is_replaced_and_comes_back(replica_set: ReplicaSet) -> None:
    written(replica_set.uri, 1)
    killed = replica_set.kill_primary()
    assert not killed.running
    written(replica_set.uri, 2)
    assert replica_set.wait_for_primary() is not killed
    replica_set.restart(killed)
    replica_set.mend()
    written(replica_set.uri, 3)
    assert sorted(replica_set.states().values()) == ["PRIMARY", "SECONDARY", "SECONDARY"]
    assert {1, 2, 3} <= set(held(replica_set.uri))


def test_a_primary_that_steps_down_is_none(replica_set: ReplicaSet) -> None:
    before = replica_set.step_down(seconds=20)
    assert replica_set.wait_for_primary() is not before
    written(replica_set.uri, 4)


def test_a_delayed_secondary_has_what_others_had_before(replica_set: ReplicaSet) -> None:
    with replica_set.delayed_secondary(seconds=3) as late:
        written(replica_set.uri, 5)
        start = time.monotonic()
        with late.client() as client:
            local = client.get_database("faults").get_collection("set")
            assert local.find_one({"_id": 5}) is None
            wait_until(lambda: local.find_one({"_id": 5}) is not None, "the document never comes")
        assert time.monotonic() - start > 1


def test_a_stalled_secondary_applies_nothing_until_it_may(replica_set: ReplicaSet) -> None:
    with replica_set.stalled_secondary() as stalled, stalled.client() as client:
        written(replica_set.uri, 6)
        local = client.get_database("faults").get_collection("set")
        assert local.find_one({"_id": 6}) is None
    with stalled.client() as client:
        local = client.get_database("faults").get_collection("set")
        wait_until(lambda: local.find_one({"_id": 6}) is not None, "the document never comes")
