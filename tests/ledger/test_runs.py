"""Who has a run and its collections, whatever wakes up late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask import Partition
from phimask.errors import PreflightError, UsageError
from phimask.ledger.leases import LeaseLost
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.run_record import Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.store.raw import identity

Client = MongoClient[dict[str, Any]]

PIN = Pin("a.b", "uuid", None, "b", "digest", None)
RUN = RunRecord(
    "one", "running", "run", "quick", "0", None, (PIN,), None, None, guard=True, journal=True, vault=None
)


@pytest.fixture
def runs(client: Client, database: Database[dict[str, Any]]) -> Runs:
    return Runs(Ledger(client, database.name, "ledger"))


def silent(runs: Runs) -> None:
    """The coordinator was not heard of for long."""
    runs.ledger.runs.update_one({"_id": "one"}, {"$set": {"coordinator.seen": None}})


def found(runs: Runs) -> RunRecord:
    record = runs.find("one")
    assert record is not None
    return record


@pytest.mark.parametrize(("state", "touched"), [("stopped", False), ("completed", True)])
def test_a_coordinator_that_was_superseded_gives_nothing_back(runs: Runs, state: Any, touched: bool) -> None:
    first = runs.begin(RUN)
    silent(runs)
    runs.claim("one")
    runs.end("one", first, state, {"of": "the first"}, touched=touched)
    assert found(runs).state == "running"
    assert runs.report("one") is None
    with pytest.raises(PreflightError):
        runs.begin(replace(RUN, id="two"))


def test_a_run_that_touched_nothing_gives_its_collections_back(runs: Runs) -> None:
    runs.end("one", runs.begin(RUN), "stopped", {}, touched=False)
    runs.begin(replace(RUN, id="two"))


def test_a_worker_of_a_run_that_is_rolled_back_gets_nothing_more(runs: Runs) -> None:
    runs.begin(RUN)
    partitions = Partitions(runs.ledger, "one", "a.b")
    end = identity(bson.encode({"_id": 1}))
    list(partitions.add([Partition(0, None, end), Partition(1, end, None)]))
    lease = partitions.lease("w1")
    assert lease is not None
    silent(runs)
    runs.begin_rollback(found(runs))
    with pytest.raises(LeaseLost):
        partitions.renew(lease)
    assert partitions.lease("w1") is None
    partitions.abandon("w1")
    assert partitions.lease("w2") is None


def test_a_run_that_is_taken_up_while_its_rollback_is_asked_about_is_not_rolled_back(runs: Runs) -> None:
    runs.begin(RUN)
    silent(runs)
    runs.ledger.runs.update_one({"_id": "one"}, {"$set": {"coordinator.pid": 1}})
    record = found(runs)
    epoch = runs.claim("one")
    with pytest.raises(UsageError):
        runs.begin_rollback(record)
    runs.beat("one", epoch, "running")


def test_a_rollback_that_another_run_stands_in_the_way_of_leaves_the_run_as_it_was(runs: Runs) -> None:
    runs.end("one", runs.begin(RUN), "completed")
    runs.begin(replace(RUN, id="two"))
    with pytest.raises(PreflightError):
        runs.begin_rollback(found(runs))
    assert found(runs).state == "completed"


@pytest.mark.parametrize("state", ["completed", "finalized", "rolling_back"])
def test_a_run_that_ended_is_claimed_by_nobody(runs: Runs, state: Any) -> None:
    runs.end("one", runs.begin(RUN), "stopped")
    runs.mark("one", state)
    with pytest.raises(UsageError):
        runs.claim("one")
    assert found(runs).state == state


def test_a_collection_is_cut_once_that_was_said_of_it(runs: Runs) -> None:
    runs.begin(RUN)
    assert not runs.is_cut("one", "a.b")
    runs.all_cut("one", "a.b")
    assert runs.is_cut("one", "a.b")
    assert not runs.is_cut("one", "a.c")
    assert not runs.is_cut("two", "a.b")
