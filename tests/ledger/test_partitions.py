"""Leases: one holder at a time, by the server's clock, and nothing from one who was taken for dead."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect

import phimask.ledger.partitions
from phimask import DocumentId, Partition
from phimask.errors import SafeStop
from phimask.ledger import leases
from phimask.ledger.leases import Intent, LeaseLost
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import LEASE_SECONDS, Partitions
from phimask.observing.tally import Tally
from phimask.path_counts import PathCounts
from phimask.store.raw import identity

Client = MongoClient[dict[str, Any]]


def an_id(value: Any) -> DocumentId:
    return identity(bson.encode({"_id": value}))


@pytest.fixture
def ledger(client: Client, database: Database[dict[str, Any]]) -> Ledger:
    return Ledger(client, database.name, "ledger")


@pytest.fixture
def partitions(ledger: Ledger) -> Partitions:
    made = Partitions(ledger, "run", "a.b")
    list(made.add([Partition(0, None, an_id(10), 10), Partition(1, an_id(10), an_id(20), 10)]))
    return made


def age(ledger: Ledger, seconds: float) -> None:
    """By so much longer ago, to whoever asks the server, all holders renewed their leases."""
    ledger.partitions.update_many(
        {}, [{"$set": {"renewed": {"$subtract": ["$renewed", int(seconds * 1000)]}}}]
    )


def intent(batch: int, upto: int) -> Intent:
    return Intent(
        batch,
        an_id(upto),
        Tally(read=upto, masked=upto, rules=[[1, 2, 3]]),
        [an_id(1), an_id("two")],
        [b"b" * 16, b"c" * 16],
        [b"d" * 16, b"e" * 16],
        [1],
    )


def test_each_partition_has_one_holder(partitions: Partitions) -> None:
    first, second = partitions.lease("one"), partitions.lease("two")
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (0, 1)
    assert first.partition == Partition(0, None, an_id(10), 10)
    assert partitions.lease("three") is None
    assert partitions.states() == {"open": 0, "leased": 2, "done": 0, "withdrawn": 0}
    assert partitions.holders() == ["one", "two"]


def test_an_expired_lease_is_taken_over_and_its_holder_writes_nothing_more(
    partitions: Partitions, ledger: Ledger
) -> None:
    first = partitions.lease("one")
    partitions.lease("two")
    assert first is not None
    age(ledger, LEASE_SECONDS)
    taken = partitions.lease("three")
    assert taken is not None
    assert (taken.number, taken.fence, taken.crashes) == (0, first.fence + 1, 1)
    for write in (
        lambda: partitions.renew(first),
        lambda: partitions.advance(first, intent(1, 5)),
        lambda: partitions.finish(first),
        lambda: partitions.release(first),
        lambda: partitions.leave(first),
        lambda: partitions.suspect(first, an_id(1)),
        lambda: partitions.split(first, an_id(5)),
    ):
        with pytest.raises(LeaseLost):
            write()
    partitions.renew(taken)


def test_its_holder_takes_a_lease_for_expired_before_the_server_does(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    for module in (leases, phimask.ledger.partitions):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    lease = partitions.lease("one")
    assert lease is not None
    now = 100 + LEASE_SECONDS - 5.5
    assert lease.valid
    now = 100 + LEASE_SECONDS - 4.5
    assert not lease.valid
    partitions.renew(lease)
    assert lease.valid


def test_a_lease_that_is_renewed_stays(partitions: Partitions, ledger: Ledger) -> None:
    lease = partitions.lease("one")
    partitions.lease("two")
    assert lease is not None
    for _ in range(4):
        age(ledger, LEASE_SECONDS / 2)
        partitions.renew(lease)
    other = partitions.lease("three")
    assert other is not None
    assert other.number == 1


def test_a_worker_that_is_dead_for_certain_is_not_waited_for(partitions: Partitions) -> None:
    partitions.lease("one")
    partitions.lease("two")
    assert partitions.lease("three") is None
    partitions.abandon("two")
    taken = partitions.lease("three")
    assert taken is not None
    assert taken.number == 1


def test_a_holder_that_ended_well_is_no_crash(partitions: Partitions) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    partitions.release(lease)
    again = partitions.lease("two")
    assert again is not None
    assert (again.number, again.crashes) == (0, 0)


def test_what_a_holder_wrote_is_what_the_next_one_finds(partitions: Partitions) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    opened = intent(1, 5)
    partitions.advance(lease, opened)
    lease.watermark, lease.batch, lease.tally = an_id(5), 1, opened.tally
    partitions.advance(lease, intent(2, 9))
    partitions.abandon("one")
    found = partitions.lease("two")
    assert found is not None
    assert found.intent == intent(2, 9)
    assert (found.watermark, found.batch, found.tally) == (an_id(5), 1, opened.tally)
    assert found.partition == Partition(0, an_id(5), an_id(10), 5)
    assert partitions.tally() == opened.tally


def test_a_batch_left_open_is_found_by_the_next_holder(partitions: Partitions) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    partitions.advance(lease, intent(1, 5))
    partitions.leave(lease)
    found = partitions.lease("two")
    assert found is not None
    assert found.intent == intent(1, 5)
    assert found.crashes == 0


def test_a_document_that_two_holders_died_of_is_poison(partitions: Partitions) -> None:
    first = partitions.lease("one")
    assert first is not None
    partitions.suspect(first, an_id(3))
    partitions.abandon("one")
    second = partitions.lease("two")
    assert second is not None
    assert (second.struck, second.poison) == (an_id(3), None)
    partitions.suspect(second, an_id(2))
    second.watermark, second.batch = an_id(2), 1
    partitions.advance(second, None)
    partitions.suspect(second, an_id(3))
    partitions.abandon("two")
    third = partitions.lease("three")
    assert third is not None
    assert (third.watermark, third.poison) == (an_id(2), an_id(3))
    partitions.abandon("three")  # before it could do anything about it
    fourth = partitions.lease("four")
    assert fourth is not None
    assert fourth.poison == an_id(3)
    fourth.watermark, fourth.poison, fourth.struck = an_id(3), None, None
    partitions.advance(fourth, None)
    partitions.release(fourth)
    fifth = partitions.lease("five")
    assert fifth is not None
    assert (fifth.struck, fifth.poison) == (None, None)


def test_crashes_are_counted_until_a_batch_is_closed(partitions: Partitions) -> None:
    crashes = []
    for worker in ("one", "two", "three", "four"):
        lease = partitions.lease(worker)
        assert lease is not None
        crashes.append(lease.crashes)
        partitions.advance(lease, intent(1, 5))  # begun, and not closed
        if worker == "three":
            lease.watermark, lease.batch = an_id(5), 1
            partitions.advance(lease, intent(2, 9))
        partitions.abandon(worker)
    assert crashes == [0, 1, 2, 1]


def test_what_is_done_is_done(partitions: Partitions, ledger: Ledger) -> None:
    for worker in ("one", "two"):
        lease = partitions.lease(worker)
        assert lease is not None
        lease.watermark = lease.upto
        partitions.finish(lease)
    age(ledger, 2 * LEASE_SECONDS)
    assert partitions.lease("three") is None
    assert partitions.states() == {"open": 0, "leased": 0, "done": 2, "withdrawn": 0}
    assert partitions.left() == 0


def test_half_of_a_partition_is_given_away(partitions: Partitions) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    partitions.want_splits()
    partitions.look(lease)
    assert lease.split_wanted
    partitions.renew(lease)
    partitions.renew(lease)
    assert lease.split_wanted
    partitions.split(lease, an_id(5))
    assert lease.partition.upto == an_id(5)
    ranges = [partitions.lease("two"), partitions.lease("three")]
    got = {(one.partition.after, one.partition.upto) for one in ranges if one is not None}
    assert got == {(an_id(10), an_id(20)), (an_id(5), an_id(10))}


def test_who_looks_learns_that_the_partition_is_lost(partitions: Partitions, ledger: Ledger) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    ledger.partitions.update_many({}, {"$inc": {"fence": 1}})
    with pytest.raises(LeaseLost):
        partitions.look(lease)


def test_a_split_that_was_cut_short_is_finished_by_the_next_holder(
    partitions: Partitions, ledger: Ledger
) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    split = {
        "number": 1_000_000_001,
        "after": b"\x10" + bytes([5, 0, 0, 0]),
        "upto": b"\x10" + bytes([10, 0, 0, 0]),
    }
    ledger.partitions.update_one({"_id.number": 0}, {"$set": {"upto": split["after"], "split": split}})
    partitions.abandon("one")
    ends = []
    for worker in ("two", "three", "four"):
        found = partitions.lease(worker)
        assert found is not None
        ends.append((found.partition.after, found.partition.upto))
    assert ends == [(None, an_id(5)), (an_id(10), an_id(20)), (an_id(5), an_id(10))]
    assert partitions.lease("five") is None


@pytest.mark.parametrize("applied", [False, True], ids=["not entered", "entered"])
def test_a_split_that_fails_half_way_and_is_tried_again_loses_no_document(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    enter = Partitions._enter

    def fail(*arguments: Any, **named: Any) -> None:
        if applied:
            enter(*arguments, **named)
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(Partitions, "_enter", fail)
        with pytest.raises(AutoReconnect):
            partitions.split(lease, an_id(5))
    partitions.split(lease, an_id(5))
    assert lease.upto == an_id(5)
    ranges = [partitions.lease("two"), partitions.lease("three")]
    got = {(one.partition.after, one.partition.upto) for one in ranges if one is not None}
    assert got == {(an_id(10), an_id(20)), (an_id(5), an_id(10))}
    assert partitions.lease("four") is None


def test_what_is_set_aside_waits_in_a_lane_of_its_own(partitions: Partitions, ledger: Ledger) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    lease.watermark, lease.batch = an_id(3), 1
    partitions.split(lease, an_id(4))
    partitions.set_aside(lease)
    ordinary = [partitions.lease("two"), partitions.lease("two"), partitions.lease("three")]
    ledger.partitions.update_many({"lane": "ordinary"}, {"$unset": {"lane": 1}})  # as they were entered once
    got = {(one.partition.after, one.partition.upto, one.lane) for one in ordinary if one is not None}
    assert got == {(an_id(10), an_id(20), "ordinary"), (an_id(4), an_id(10), "ordinary")}
    assert partitions.states("ordinary") == {"open": 0, "leased": 2, "done": 0, "withdrawn": 0}
    assert partitions.states("oversize") == {"open": 1, "leased": 0, "done": 0, "withdrawn": 0}
    assert partitions.states() == {"open": 1, "leased": 2, "done": 0, "withdrawn": 0}
    assert partitions.left() == 3
    apart = partitions.lease("four", "oversize")
    assert apart is not None
    assert (apart.partition.after, apart.partition.upto, apart.lane) == (an_id(3), an_id(4), "oversize")
    assert (apart.batch, apart.crashes) == (1, 0)
    assert partitions.lease("five", "oversize") is None


def test_of_two_who_cut_at_once_one_stops(partitions: Partitions) -> None:
    """A coordinator that was taken for dead cuts elsewhere than the one that goes on with its run."""
    assert len(list(partitions.add([Partition(0, an_id(20), an_id(30), 10)], 2))) == 1
    with pytest.raises(SafeStop):
        list(partitions.add([Partition(0, an_id(20), an_id(25), 5)], 2))
    assert partitions.last() == (2, an_id(30))


def test_a_holder_that_loses_the_partition_while_it_finishes_a_split_learns_of_it_at_its_first_write(
    partitions: Partitions, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.partitions.update_one(
        {"_id.number": 0}, {"$set": {"split": {"number": 1_000_000_001, "after": None, "upto": None}}}
    )
    monkeypatch.setattr(
        Partitions,
        "_enter",
        lambda *_, **__: ledger.partitions.update_one({"_id.number": 0}, {"$inc": {"fence": 1}}),
    )
    lease = partitions.lease("one")
    assert lease is not None
    with pytest.raises(LeaseLost):
        partitions.renew(lease)


def test_one_that_died_and_was_replaced_under_its_name_died(partitions: Partitions) -> None:
    first = partitions.lease("one")
    assert first is not None
    partitions.suspect(first, an_id(3))
    partitions.abandon("one")
    second = partitions.lease("one")
    assert second is not None
    assert (second.number, second.crashes, second.struck) == (0, 1, an_id(3))


def test_one_that_asks_again_since_the_answer_was_lost_did_not_die(partitions: Partitions) -> None:
    partitions.lease("one")
    again = partitions.lease("one")
    assert again is not None
    assert (again.number, again.crashes) == (0, 0)


def test_cutting_goes_on_behind_the_last_range_whatever_was_split_off(partitions: Partitions) -> None:
    partitions.lease("one")
    lease = partitions.lease("two")
    assert lease is not None
    partitions.split(lease, an_id(15))
    assert partitions.last() == (1, an_id(20))


def test_entering_a_range_again_changes_nothing(partitions: Partitions) -> None:
    lease = partitions.lease("one")
    assert lease is not None
    lease.watermark = an_id(4)
    partitions.advance(lease, None)
    list(partitions.add([Partition(0, None, an_id(10), 10)]))
    partitions.abandon("one")
    again = partitions.lease("two")
    assert again is not None
    assert again.watermark == an_id(4)


def test_tallies_add_up() -> None:
    one = Tally(read=3, masked=2, unchanged=1, batches=1, bytes=10, rules=[[1, 0, 0]])
    one.unmapped = PathCounts.of([["a.b", "string", 2]])
    two = Tally(read=4, masked=4, batches=1, bytes=20, rules=[[1, 1, 0], [0, 0, 5]])
    two.checked = Counter({"count": 4})
    two.findings = Counter({("count", "odd", None): 1})
    both = one.plus(two)
    assert (both.read, both.masked, both.unchanged, both.batches, both.bytes) == (7, 6, 1, 2, 30)
    assert both.rules == [[2, 1, 0], [0, 0, 5]]
    assert Tally.of(bson.decode(bson.encode(both.document()))) == both
    assert one.read == 3
