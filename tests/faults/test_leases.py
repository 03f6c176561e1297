"""Lease, fence, intent and zombie: in whatever order commands come, whoever dies, each document is masked once.

Workers are the engine's own parts, on a real server, one command at a time. Hypothesis decides who goes on, who is
killed, whose command fails, whose lease expires while it lives on, and, where batches are transactions, what others
write meanwhile.
"""

from __future__ import annotations

import datetime
import random
import uuid
from itertools import pairwise
from typing import Any

import bson
import pytest
from fail_points import Fault, failing
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from people import Outcome
from pymongo import DeleteOne, UpdateOne
from pymongo.errors import OperationFailure
from stepping import DOCUMENTS, PREFIX, RUN, SteppedWorker
from trials import Note

from phimask import Partition
from phimask.engine import preparing
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.remembered import Remembered
from phimask.store.raw import identity
from replica_set import Client

CUTS = (0, 7, 12, 20)
"""Partitions are what lies between; the documents' `_id`s are 1 to the last."""
GIANTS = (1, 5, 6, 12, 13, 20)
"""Documents that are set aside: first and last of all and of a partition, alone and one behind the other."""
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


class Leases(RuleBasedStateMachine):
    """At most four workers at a time; the invariant is looked at after each step."""

    def __init__(
        self, uri: str, client: Client, *, guard: bool, remembers: bool = False, cuts: bool = False
    ) -> None:
        super().__init__()
        self.uri = uri
        self.client = client
        self.guard = guard
        self.remembers = remembers
        self.cuts = cuts
        self.database = f"test_{uuid.uuid4().hex[:16]}"
        self.documents = client[self.database][DOCUMENTS]
        self.ledger = Ledger(client, self.database, PREFIX)
        self.workers: list[SteppedWorker] = []
        self.all: list[SteppedWorker] = []
        self.expected: dict[int, dict[str, Any]] = {}

    @initialize()
    def fill(self) -> None:
        self.expected = {
            number: {"Count": 0, "Name": f"n{number}", "Ward": 0} for number in range(1, CUTS[-1] + 1)
        }
        for number in GIANTS:
            self.expected[number]["Pad"] = "x" * 100
        self.documents.insert_many({"_id": number, **fields} for number, fields in self.expected.items())
        ends = [identity(bson.encode({"_id": cut})) for cut in CUTS]
        cut = [
            Partition(number, None if number == 0 else after, upto, None)
            for number, (after, upto) in enumerate(pairwise(ends))
        ]
        self.partitions = Partitions(self.ledger, RUN, f"{self.database}.{DOCUMENTS}")
        list(self.partitions.add(cut))
        self.ledger.runs.insert_one({"_id": RUN, "splits": 0})
        self.ledger.named("applied").insert_one({"_id": "there"})  # a transaction makes no collection
        self.remembered = Remembered(self.ledger, RUN, f"{self.database}.{DOCUMENTS}")
        self.remembered.begin(wanted=self.remembers, begun=False)

    @precondition(lambda self: len(self.workers) < 4)
    @rule()
    def start(self) -> None:
        self.start_one()

    def start_one(self) -> SteppedWorker:
        name = f"worker {len(self.all)}"
        worker = SteppedWorker(
            self.uri, self.database, name, guard=self.guard, remembers=self.remembers, cuts=self.cuts
        )
        self.workers.append(worker)
        self.all.append(worker)
        return worker

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 3), steps=st.integers(1, 25))
    def go_on(self, which: int, steps: int) -> None:
        worker = self.workers[which % len(self.workers)]
        worker.step(steps)
        if worker.over:
            self.workers.remove(worker)

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 3))
    def kill(self, which: int) -> None:
        self.workers.pop(which % len(self.workers)).kill()

    @precondition(lambda self: self.workers)
    @rule(
        which=st.integers(0, 3),
        steps=st.integers(10, 50),
        command=st.sampled_from(["find", "update", "findAndModify", "commitTransaction"]),
        fault=st.sampled_from([Fault(112), Fault(closes=True), Fault(write_concern=64)]),
        times=st.integers(1, 4),
    )
    def fail(self, which: int, steps: int, command: str, fault: Fault, times: int) -> None:
        """The worker's next such commands fail, or are done and their answer is an error."""
        name = self.workers[which % len(self.workers)].name
        if command != "find" or fault.write_concern is None:
            with failing(self.client, [command], fault, times=times, application=name):
                self.go_on(which, steps)

    @rule(number=st.integers(0, len(CUTS) - 2))
    def expire(self, number: int) -> None:
        """The lease is over by the server's clock, whether or not its holder lives."""
        self._expire({"_id.number": number})

    def expire_all(self) -> None:
        """All leases are over, whether or not their holders live."""
        self._expire({})

    def _expire(self, which: dict[str, Any]) -> None:
        self.ledger.partitions.update_many({"state": "leased", **which}, {"$set": {"renewed": LONG_AGO}})

    @precondition(lambda self: self.guard)
    @rule(number=st.integers(1, CUTS[-1]))
    def others_update(self, number: int) -> None:
        """Somebody else's change beside what is masked."""
        if self._write(UpdateOne({"_id": number}, {"$inc": {"Ward": 1}})) and number in self.expected:
            self.expected[number]["Ward"] += 1

    @precondition(lambda self: self.guard)
    @rule(number=st.integers(1, CUTS[-1]))
    def others_delete(self, number: int) -> None:
        if self._write(DeleteOne({"_id": number})):
            self.expected.pop(number, None)

    def _write(self, request: Any) -> bool:
        """False where an open transaction holds the document: outside of one, the write would wait for its end."""
        try:
            with self.client.start_session() as session, session.start_transaction():
                self.documents.bulk_write([request], session=session)
        except OperationFailure as error:
            if error.has_error_label("TransientTransactionError"):
                return False
            raise
        return True

    @invariant()
    def none_is_masked_twice(self) -> None:
        assert self.documents.count_documents({"Count": {"$gt": 1}}) == 0

    @precondition(lambda self: self.remembers)
    @invariant()
    def what_is_masked_is_remembered(self) -> None:
        names = {one["Name"].removesuffix("~") for one in self.documents.find({"Count": 1})}
        kept = {name for part in self.remembered.parts("names") for name in part.decode().split()}
        assert names <= kept

    def teardown(self) -> None:
        try:
            if self.expected:
                self.finish()
        finally:
            for worker in self.all:
                if not worker.over:
                    worker.kill()
            self.client.admin.command("killAllSessions", [])
            for worker in self.all:
                worker.client.close()
            self.client.drop_database(self.database)

    def finish(self) -> None:
        """Somebody takes up what is left, and then those who were overtaken go on."""
        self.expire_all()
        last = self.start_one()
        last.step(10_000)
        assert last.over
        found = {one.pop("_id"): one for one in self.documents.find()}
        once = {
            number: {**fields, "Count": 1, "Name": f"{fields['Name']}~"}
            for number, fields in self.expected.items()
        }
        assert found == once
        for zombie in self.workers:
            zombie.step(10_000)
            assert zombie.over
        self.workers.clear()
        assert {one.pop("_id"): one for one in self.documents.find()} == once
        states = self.partitions.states()
        assert (states["open"], states["leased"]) == (0, 0)
        tally = self.partitions.tally()
        assert tally.masked + tally.missing >= len(once)
        if self.remembers:
            self.what_is_masked_is_remembered()
        if not self.guard:
            assert tally.masked == len(once)


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice is a document."""
    monkeypatch.setattr(preparing, "_SLICE_BYTES", 1)


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize(
    ("guard", "cuts"),
    [pytest.param(True, False, marks=pytest.mark.soak), (True, True), (False, False)],
    ids=["transactions", "cut transactions", "fingerprints"],
)
def test_whatever_order_commands_come_in(
    guard: bool, cuts: bool, mongo_uri: str, client: Client, request: pytest.FixtureRequest
) -> None:
    run_state_machine_as_test(
        lambda: Leases(mongo_uri, client, guard=guard, cuts=cuts),
        settings=settings(
            max_examples=request.config.getoption("--trials") or 3,
            stateful_step_count=40,
            deadline=None,
            database=None,
            # A failure shows its steps; to shrink them takes longer than it is worth.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.strikes(6)
@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize(("guard", "cuts"), [("changed", False), ("changed", True), ("none", False)])
@pytest.mark.parametrize("fate", ["killed", "held past its lease"])
def test_worker_at_any_command(
    fate: str, guard: str, cuts: bool, chance: random.Random, note: Note, mongo_uri: str, client: Client
) -> None:
    """Before a command is sent, or when it is answered and the worker does not know it; the next one takes over."""
    machine = Leases(mongo_uri, client, guard=guard == "changed", remembers=True, cuts=cuts)
    machine.fill()
    outcome = Outcome(documents=CUTS[-1], wrong=1)
    try:
        for _ in range(6):
            worker = machine.start_one()
            worker.step(chance.randint(1, 45))
            if fate == "killed":
                machine.workers.remove(worker)
                worker.kill()
            machine.expire_all()
            machine.none_is_masked_twice()
            machine.what_is_masked_is_remembered()
            outcome.struck[fate] += 1
        machine.finish()
        outcome.wrong = 0
    finally:
        note(outcome)
        machine.teardown()


@pytest.mark.parametrize("guard", [True, False], ids=["transactions", "fingerprints"])
@pytest.mark.parametrize("command", ["update", "findAndModify", "commitTransaction"])
def test_answers_are_lost_for_a_while(command: str, guard: bool, mongo_uri: str, client: Client) -> None:
    machine = Leases(mongo_uri, client, guard=guard)
    machine.fill()
    worker = machine.start_one()
    for times in (1, 2, 3, 4):
        with failing(client, [command], Fault(write_concern=64), times=times, application=worker.name):
            worker.step(30)
            machine.none_is_masked_twice()
    machine.teardown()


def test_a_transaction_whose_commits_are_cut_is_ended_by_its_own_worker(
    mongo_uri: str, client: Client
) -> None:
    """The server, which would end it after an hour, never learns that it was to be committed."""
    limit = "transactionLifetimeLimitSeconds"
    before = client.admin.command("getParameter", 1, **{limit: 1})[limit]
    machine = Leases(mongo_uri, client, guard=True)
    machine.fill()
    client.admin.command("setParameter", 1, **{limit: 3600})
    try:
        worker = machine.start_one()
        with failing(client, ["commitTransaction"], Fault(closes=True), times=4, application=worker.name):
            worker.step(10_000)
        assert worker.over
        machine.workers.clear()
        machine.finish()
    finally:
        client.admin.command("setParameter", 1, **{limit: before})
        machine.teardown()
