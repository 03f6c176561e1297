"""A partition's last batch is written while the next partition's first is masked: whatever becomes of either."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from own_errors import own
from phimask.engine.batches import Batch
from phimask.engine.commit import Committed, PlainCommitter
from phimask.engine.journal import Journal
from phimask.engine.transactions import TransactionCommitter
from phimask.errors import MaskingError, StoreError
from phimask.ledger.leases import LeaseLost
from phimask.ledger.partitions import Partitions

SETTINGS = (
    "partitioner={name: paginate, options: {documents: 50}}",
    "observers=[watching]",
    "check.sample=0",
)
PATIENCE = 60
GUARDS = {"changed": TransactionCommitter, "none": PlainCommitter}

Commit = Callable[[Callable[[], Committed], Batch, Journal], Committed]


@pytest.fixture(params=sorted(GUARDS))
def guard(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def last_of_first(monkeypatch: pytest.MonkeyPatch, guard: str) -> Callable[[Commit], None]:
    """Has something happen where the last batch of partition 0 is committed, of which there are three."""

    def have(happen: Commit) -> None:
        committer: Any = GUARDS[guard]
        commit = committer.commit

        def committed(self: Any, batch: Batch, journal: Journal) -> Committed:
            if journal.lease.number == 0 and journal.lease.batch == 2:
                return happen(lambda: commit(self, batch, journal), batch, journal)
            done: Committed = commit(self, batch, journal)
            return done

        monkeypatch.setattr(committer, "commit", committed)

    return have


def end(batch: Batch) -> None:
    """As a commit does that fails: the transaction would hold its documents for a minute."""
    if batch.session is not None:
        batch.session.end_session()
        batch.session = None


def told(bench: Any) -> list[tuple[str, int]]:
    """What was told of partitions, in order."""
    return [
        (type(event).__name__, event.partition)
        for event in bench.component("observer", "watching").events
        if hasattr(event, "partition")
    ]


def in_order(partitions: int) -> list[tuple[str, int]]:
    return [
        one
        for number in range(partitions)
        for one in (
            ("PartitionStarted", number),
            *[("BatchFinished", number)] * 3,
            ("PartitionFinished", number),
        )
    ]


@pytest.fixture(autouse=True)
def _nothing_seen(bench: Any) -> None:
    bench.component("observer", "watching").events = []
    bench.component("masker", "add_one").hooks = []


def test_it_is_masked_meanwhile_and_told_in_order(
    bench: Any, at_batch: Any, guard: str, last_of_first: Callable[[Commit], None]
) -> None:
    bench.fill()
    held: list[bool] = []
    masked = threading.Event()
    at_batch(4, masked.set)

    def wait(commit: Callable[[], Committed], _: Batch, journal: Journal) -> Committed:
        held.append(masked.wait(PATIENCE))
        assert journal.lease.valid
        return commit()

    last_of_first(wait)
    outcome = bench.mask(f"write.guard={guard}", *SETTINGS)
    assert outcome.error is None
    assert held == [True]
    assert bench.counts() == {1: 200}
    assert told(bench) == in_order(4)


def test_both_leases_are_renewed(
    bench: Any, guard: str, last_of_first: Callable[[Commit], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fill()
    renewed: set[int] = set()
    both = threading.Event()
    renew = Partitions.renew

    def note(self: Partitions, lease: Any) -> None:
        renew(self, lease)
        renewed.add(lease.number)
        if renewed >= {0, 1}:
            both.set()

    monkeypatch.setattr(Partitions, "renew", note)
    monkeypatch.setattr("phimask.engine.worker.RENEWAL_SECONDS", 0.05)
    held: list[bool] = []

    def wait(commit: Callable[[], Committed], _: Batch, __: Journal) -> Committed:
        renewed.clear()
        held.append(both.wait(PATIENCE))
        return commit()

    last_of_first(wait)
    assert bench.mask(f"write.guard={guard}", *SETTINGS).error is None
    assert held == [True]
    assert bench.counts() == {1: 200}


def test_a_lease_that_is_lost_meanwhile_does_not_end_the_next_one(
    bench: Any, guard: str, last_of_first: Callable[[Commit], None]
) -> None:
    bench.fill()
    lost: list[int] = []

    def lose(commit: Callable[[], Committed], batch: Batch, journal: Journal) -> Committed:
        if not lost:
            lost.append(journal.lease.number)
            end(batch)
            raise LeaseLost
        return commit()

    last_of_first(lose)
    outcome = bench.mask(f"write.guard={guard}", *SETTINGS)
    assert outcome.error is None
    assert lost == [0]
    assert bench.counts() == {1: 200}
    events = told(bench)
    # What is left of it is masked by whoever leases it next: here the same worker.
    assert sorted(events) == sorted([*in_order(4), ("PartitionStarted", 0)])
    assert events.index(("PartitionFinished", 1)) < events.index(("PartitionFinished", 0))


@pytest.mark.parametrize("error", [own(StoreError, "the vault is full"), own(MaskingError, "Count", "int")])
def test_what_ends_the_run_there_leaves_both_for_others(
    bench: Any, guard: str, last_of_first: Callable[[Commit], None], error: Exception
) -> None:
    bench.fill()

    def fail(_: Callable[[], Committed], batch: Batch, __: Journal) -> Committed:
        end(batch)
        raise error

    last_of_first(fail)
    outcome = bench.mask(f"write.guard={guard}", *SETTINGS)
    assert outcome.error is error
    assert bench.counts() == {0: 160, 1: 40}
    left = bench.client[bench.database]["ledger.partitions"].find({}, sort=[("_id.number", 1)])
    assert [(one["state"], one["worker"]) for one in left][:2] == [("open", None)] * 2


def test_an_error_that_passes_there_is_outlasted(
    bench: Any, guard: str, last_of_first: Callable[[Commit], None]
) -> None:
    bench.fill()
    failed: list[int] = []

    def fail(commit: Callable[[], Committed], batch: Batch, _: Journal) -> Committed:
        failed.append(len(batch.identities))
        if len(failed) <= 3:
            raise AutoReconnect("connection closed")
        return commit()

    last_of_first(fail)
    outcome = bench.mask(f"write.guard={guard}", *SETTINGS)
    assert outcome.error is None
    assert failed == [10] * 4
    assert bench.counts() == {1: 200}
    assert told(bench) == in_order(4)


def test_a_stop_in_the_next_one_leaves_the_first_done(bench: Any, at_batch: Any, guard: str) -> None:
    bench.fill()
    at_batch(4, bench.stop.stop)
    bench.mask(f"write.guard={guard}", *SETTINGS)
    states = [
        one["state"]
        for one in bench.client[bench.database]["ledger.partitions"].find({}, sort=[("_id.number", 1)])
    ]
    assert states[0] == "done"
    assert "leased" not in states
    counts = bench.counts()
    assert set(counts) == {0, 1}
    assert counts[1] in (50, 70)  # what was masked when it was asked for may still be written
