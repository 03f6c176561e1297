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
from phimask.engine import course, served
from phimask.engine.batches import Batch
from phimask.engine.journal import Journal
from phimask.engine.served import READS, ServedCommitter, ServedPreparer
from phimask.ledger.leases import LeaseLost
from phimask.ledger.opening import open_ledger
from phimask.ledger.partitions import Partitions
from phimask.masking.core import MaskingCore
from phimask.observing.tally import Tally
from phimask.planning.conditions import Conditions
from phimask.plugins.values import DocumentId
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


@pytest.mark.parametrize("guard", ["changed", "none"])
def test_whoever_has_nothing_to_do_gets_half_of_what_is_not_begun(
    guard: str, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for between two batches: what was read of the next one goes with the rest."""
    bench.fill(200)
    rule = "{path: Count, masker: {name: replace, options: {value: 7}}}"
    rules = f"version: 1\ncollection: counters\nrules:\n  - {rule}\n"
    (bench.folder / "collections" / "counters.yaml").write_text(rules, encoding="utf-8")
    monkeypatch.setattr(course, "WORTH_SECONDS", 0.0)
    looks: list[DocumentId | None] = []
    look = Journal.look

    def wanting(journal: Journal) -> None:
        if len(looks) == 2:
            Partitions(bench_ledger, "test-1", f"{bench.database}.counters").want_splits()
        looks.append(journal.lease.watermark)
        look(journal)

    bench_ledger = open_ledger(bench.client, bench.database, "ledger")
    monkeypatch.setattr(Journal, "look", wanting)
    outcome = bench.mask("write.path=server", f"write.guard={guard}")
    assert outcome.error is None
    assert bench.counts() == {7: 200}
    parts = list(bench_ledger.partitions.find({}, sort=[("_id.number", 1)]))
    assert [one["split_off"] for one in parts] == [False, True]
    assert all(one["state"] == "done" for one in parts)
    read = [Tally.of(one["tally"]).read for one in parts]
    assert sum(read) == 200
    assert looks[2] is not None
    done = int.from_bytes(looks[2].value, "little") + 1  # the `_id`s are the numbers from 0 on
    assert done < read[0] <= done + (200 - done) * 3 // 4
