"""A batch that was begun and never closed: whoever comes next masks each document once, or says that it cannot tell."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from masking_trials import DEEP, TILDE, Rules, bound
from oracle import Node, build
from partition_runs import EVERYTHING, Room, store, stored
from phimask import BatchBudget, DocumentId
from phimask.engine.batches import Batch
from phimask.engine.commit import PlainCommitter
from phimask.engine.journal import Applied, Journal
from phimask.engine.takeover import (
    CHANGED_MEANWHILE,
    take_up_copies,
    take_up_plain,
    take_up_transactions,
    take_up_unjournaled,
)
from phimask.engine.transactions import TransactionCommitter
from phimask.errors import SafeStop
from phimask.ledger.leases import LeaseLost
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.masking.covered import covered_values
from phimask.masking.fingerprints import Fingerprint
from phimask.store.raw import identity
from phimask.store.reading import BatchReader
from phimask.store.writing import update

RULES: Rules = [((DEEP, "Name"), TILDE)]
NAME: Node = (0x02, b"Name", b"\4\0\0\0Ada\0")
DOUBLED = build([(0x10, b"_id", (9).to_bytes(4, "little")), NAME, NAME])
PROJECTION = {"Name": 1}
FINGERPRINT = Fingerprint(b"k" * 32)


def plain(number: int, **fields: Any) -> bytes:
    return bson.encode({"_id": number, **fields})


def of(number: int) -> DocumentId:
    return identity(plain(number))


@pytest.fixture
def room(client: MongoClient[dict[str, Any]]) -> Iterator[Room]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield Room(client, name)
    client.drop_database(name)


class Holder:
    """One after the other of the same partition."""

    def __init__(self, room: Room, guard: bool) -> None:
        self.room = room
        self.guard = guard
        self.partitions = Partitions(room.ledger, "run", "source")
        list(self.partitions.add([EVERYTHING]))

    def journal(self, worker: str) -> Journal:
        lease = self.partitions.lease(worker)
        assert lease is not None
        return Journal(
            lease,
            self.partitions,
            Quarantine(self.room.ledger, "run", "source"),
            applied=Applied(self.room.ledger.named("applied"), "run", "source") if self.guard else None,
            fingerprint=None if self.guard else FINGERPRINT,
        )

    def begin(self, projection: Any) -> tuple[Batch, Journal, Any]:
        """A first holder that has announced a batch."""
        journal = self.journal("first")
        made = self.room.committer(RULES, "transaction" if self.guard else "plain", projection=projection)
        reader = BatchReader(self.room.source, EVERYTHING, None, projection)
        batch = self.room.read(made, reader, BatchBudget(100, 1 << 24), whole=projection is None)
        assert batch is not None
        journal.announce(batch)
        return batch, journal, made

    def take_up(self, projection: Any) -> Journal:
        """The first is dead; a second takes the partition over."""
        self.partitions.abandon("first")
        journal = self.journal("second")
        made = self.room.committer(RULES, "plain", projection=projection)
        assert isinstance(made, PlainCommitter)
        take_up_plain(journal, made.preparer, made, covered_values(bound(RULES)), FINGERPRINT, projection)
        return journal


@pytest.mark.parametrize("projection", [PROJECTION, None], ids=["projected", "whole"])
@pytest.mark.parametrize("written", [0, 1, 3, 5])
def test_plain_bulks_are_finished_by_fingerprint(room: Room, projection: Any, written: int) -> None:
    documents = [plain(number, Name=f"N{number}", Other=[1, {"a": 2}]) for number in range(5)]
    documents += [plain(7, Other=1), DOUBLED]
    store(room.source, documents)
    holder = Holder(room, guard=False)
    batch, _, _ = holder.begin(projection)
    if written:
        update(room.source, [(one.identity, one.bson) for one in batch.writes if not one.whole][:written])
    journal = holder.take_up(projection)
    after = stored(room.source)
    for number in range(5):
        assert after[of(number)] == plain(number, Name=f"N{number}~", Other=[1, {"a": 2}])
    assert after[identity(DOUBLED)].count(b"Ada~") == 2
    tally = journal.lease.tally
    assert (tally.read, tally.masked, tally.unchanged, tally.quarantined) == (7, 6, 1, 0)
    assert journal.lease.watermark == identity(DOUBLED)
    assert journal.lease.intent is None


def test_what_somebody_changed_meanwhile_is_left_alone_and_listed(room: Room) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    holder = Holder(room, guard=False)
    batch, _, _ = holder.begin(PROJECTION)
    update(room.source, [(one.identity, one.bson) for one in batch.writes][:2])
    room.source.update_one({"_id": 0}, {"$set": {"Name": "new after"}})
    room.source.update_one({"_id": 1}, {"$set": {"Other": "not of the run's business"}})
    room.source.update_one({"_id": 2}, {"$set": {"Name": "new before"}})
    room.source.delete_one({"_id": 3})
    journal = holder.take_up(PROJECTION)
    assert stored(room.source) == {
        of(0): plain(0, Name="new after"),
        of(1): plain(1, Name="N1~", Other="not of the run's business"),
        of(2): plain(2, Name="new before"),
    }
    listed = dict(Quarantine(room.ledger, "run", "source").listed(10))
    assert listed == {of(0): CHANGED_MEANWHILE, of(2): CHANGED_MEANWHILE}
    assert journal.lease.tally.quarantined == 2


def test_taking_up_can_be_cut_short_itself(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    holder = Holder(room, guard=False)
    holder.begin(PROJECTION)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "quarantine", die)
        with pytest.raises(KeyboardInterrupt):
            holder.take_up(PROJECTION)
    holder.partitions.abandon("second")
    journal = holder.take_up(PROJECTION)
    assert stored(room.source) == {of(number): plain(number, Name=f"N{number}~") for number in range(4)}
    assert journal.lease.tally.masked == 4


@pytest.mark.parametrize("committed", [True, False])
def test_a_transaction_says_itself_whether_it_was(room: Room, committed: bool) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    holder = Holder(room, guard=True)
    batch, journal, made = holder.begin(PROJECTION)
    assert isinstance(made, TransactionCommitter)
    if committed:
        made.commit(batch, journal)
    else:
        made.drop(batch)
    holder.partitions.abandon("first")
    second = holder.journal("second")
    assert second.lease.intent is not None
    take_up_transactions(second)
    assert second.lease.watermark == (of(3) if committed else None)
    assert second.lease.batch == 1
    assert second.lease.tally.masked == (4 if committed else 0)
    assert second.lease.intent is None


@pytest.mark.parametrize("guard", [True, False])
def test_what_could_not_be_taken_up_is_left_for_the_next_as_it_was(room: Room, guard: bool) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    holder = Holder(room, guard)
    batch, journal, made = holder.begin(PROJECTION)
    made.commit(batch, journal)
    holder.partitions.abandon("first")
    # The deployment did not answer, say, until somebody stopped it.
    holder.journal("second").finish(done=False)
    third = holder.journal("third")
    assert third.lease.intent is not None
    assert third.lease.crashes == 1
    if guard:
        take_up_transactions(third)
    else:
        third.finish(done=False)
        third = holder.take_up(PROJECTION)
    assert third.lease.watermark == of(3)
    assert stored(room.source) == {of(number): plain(number, Name=f"N{number}~") for number in range(4)}


def test_without_a_journal_nobody_goes_on_where_a_worker_died(room: Room) -> None:
    holder = Holder(room, guard=True)
    take_up_unjournaled(holder.journal("first"))
    holder.partitions.abandon("first")
    for worker in ("second", "third"):
        journal = holder.journal(worker)
        with pytest.raises(SafeStop):
            take_up_unjournaled(journal)
        journal.finish(done=False)


def test_without_a_journal_a_holder_that_slept_past_its_lease_writes_nothing(room: Room) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    holder = Holder(room, guard=True)
    lease = holder.partitions.lease("first")
    assert lease is not None
    journal = Journal(lease, holder.partitions, Quarantine(room.ledger, "run", "source"), intents=False)
    made = room.committer(RULES, "transaction", projection=PROJECTION)
    reader = BatchReader(room.source, EVERYTHING, None, PROJECTION)
    batch = room.read(made, reader, BatchBudget(100, 1 << 24), whole=False)
    assert batch is not None
    holder.partitions.abandon("first")
    holder.journal("second")
    lease.expires = 0.0
    with pytest.raises(LeaseLost):
        made.commit(batch, journal)
    assert stored(room.source) == {of(number): plain(number, Name=f"N{number}") for number in range(4)}


def test_a_batch_whose_closing_is_not_answered_is_counted_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    partitions = Partitions(room.ledger, "run", "source")
    list(partitions.add([EVERYTHING]))
    lease = partitions.lease("first")
    assert lease is not None
    journal = Journal(lease, partitions, Quarantine(room.ledger, "run", "source"), intents=False)
    made = room.committer(RULES, "plain", projection=PROJECTION)
    reader = BatchReader(room.source, EVERYTHING, None, PROJECTION)
    batch = room.read(made, reader, BatchBudget(100, 1 << 24), whole=False)
    assert batch is not None

    def fail(*_: Any) -> None:
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(Partitions, "advance", fail)
        with pytest.raises(AutoReconnect):
            made.commit(batch, journal)
    made.commit(batch, journal)
    assert partitions.tally().masked == 4
    assert stored(room.source) == {of(number): plain(number, Name=f"N{number}~") for number in range(4)}


def test_what_a_copy_left_out_is_forgotten_even_if_the_ledger_does_not_answer_at_first(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Holder(room, guard=False)
    store(room.source, [plain(1, Name="Ada")])
    holder.begin(PROJECTION)
    holder.partitions.abandon("first")
    journal = holder.journal("second")
    quarantine = Quarantine(room.ledger, "run", "source")
    quarantine.add(0, 1, {of(1): "a reason"})

    def fail(*_: Any) -> None:
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(Quarantine, "forget", fail)
        with pytest.raises(AutoReconnect):
            take_up_copies(journal)
    take_up_copies(journal)
    assert quarantine.count() == 0


def test_a_transaction_that_was_settled_against_cannot_be_committed(room: Room) -> None:
    store(room.source, [plain(number, Name=f"N{number}") for number in range(4)])
    holder = Holder(room, guard=True)
    batch, journal, made = holder.begin(PROJECTION)
    holder.partitions.abandon("first")
    take_up_transactions(holder.journal("second"))
    with pytest.raises(Exception, match=r"^$"):
        made.commit(batch, journal)
    assert stored(room.source) == {of(number): plain(number, Name=f"N{number}") for number in range(4)}
