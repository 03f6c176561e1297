"""Batches that MongoDB masks by itself: announced while it masks them, and never committed without that."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from partition_runs import EVERYTHING, NO_CHECKS, Room, store, stored
from phimask import BatchBudget
from phimask.engine import served
from phimask.engine.batches import Batch
from phimask.engine.journal import Journal
from phimask.engine.served import READS, ServedCommitter, ServedPreparer
from phimask.ledger.leases import LeaseLost
from phimask.masking.core import MaskingCore
from phimask.planning.conditions import Conditions
from phimask.store.reading import BatchReader

PIPELINE = [{"$set": {"Name": {"$literal": "[REDACTED]"}}}]
PATIENCE = 30


@pytest.fixture
def room(client: MongoClient[dict[str, Any]]) -> Iterator[Room]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    made = Room(client, name)
    store(made.source, [bson.encode({"_id": number, "Name": "Ann"}) for number in range(20)])
    yield made
    client.drop_database(name)


class Served:
    """One batch of all documents. `updated`: the server has masked them, in a transaction that is not committed."""

    def __init__(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = room
        self.recounted: list[int] = []
        self.updated = threading.Event()
        preparer = ServedPreparer(
            room.source, MaskingCore([], None, "redact"), Conditions(()), 0, copies=False
        )
        self.committer = ServedCommitter(
            preparer,
            PIPELINE,
            room.committer([], "transaction", checks=NO_CHECKS),
            None,
            None,
            self.recounted.append,
            room.client,
        )
        found = BatchReader(room.source, EVERYTHING, None, READS).read(BatchBudget(100, 1 << 20))
        self.batch = preparer.prepare(found, whole=False)
        self.journal = room.journal("transaction")
        original = served.update_range

        def update_range(*given: Any) -> tuple[int, int]:
            done = original(*given)
            self.updated.set()
            return done

        monkeypatch.setattr(served, "update_range", update_range)

    def names(self) -> set[str]:
        return {bson.decode(raw)["Name"] for raw in stored(self.room.source).values()}


@pytest.mark.parametrize("error", [LeaseLost(), AutoReconnect("the ledger is away")], ids=repr)
def test_what_could_not_be_announced_is_not_committed(
    error: Exception, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Served(room, monkeypatch)

    def announce(journal: Journal, batch: Batch) -> bool:
        assert made.updated.wait(PATIENCE)
        raise error

    with monkeypatch.context() as only_now:
        only_now.setattr(Journal, "announce", announce)
        with pytest.raises(type(error)):
            made.committer.commit(made.batch, made.journal)
    assert made.names() == {"Ann"}
    done = made.committer.commit(made.batch, made.journal)
    assert made.names() == {"[REDACTED]"}
    assert (done.tally.read, done.tally.masked, made.recounted) == (20, 20, [])


def test_it_is_announced_before_it_is_committed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Served(room, monkeypatch)
    seen: list[set[str]] = []
    original = Journal.announce

    def announce(journal: Journal, batch: Batch) -> bool:
        assert made.updated.wait(PATIENCE)  # the server does not wait for the ledger
        seen.append(made.names())
        return original(journal, batch)

    monkeypatch.setattr(Journal, "announce", announce)
    made.committer.commit(made.batch, made.journal)
    assert seen == [{"Ann"}]
    assert made.names() == {"[REDACTED]"}


def test_who_lost_the_partition_commits_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Served(room, monkeypatch)
    lease = made.journal.lease
    room.ledger.partitions.update_many({}, {"$set": {"fence": lease.fence + 1, "worker": "other"}})
    with pytest.raises(LeaseLost):
        made.committer.commit(made.batch, made.journal)
    assert made.updated.is_set()
    assert made.names() == {"Ann"}
