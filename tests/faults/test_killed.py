"""Processes that are killed: one worker at each step of a batch, the coordinator, everything at once."""

from __future__ import annotations

import random
import time
from typing import NamedTuple

import pytest
from commands import Command, Outside, kill
from people import identities, person
from proxy import Moment, Trap
from trials import Trial

DOCUMENTS = 1500
BATCH = 10
PACE = 0.01
LANE_DOCUMENTS = 60
LANE_PACE = 0.2
PARTITIONS = "masking_coordination.partitions"
GUARDS = pytest.mark.parametrize("guard", ["changed", "none"])


class Step(NamedTuple):
    """A message by which a step of a worker's is known on the wire."""

    command: str
    collection: str
    at: Moment
    holding: bytes = b""


STEPS = {
    "lease": Step("findAndModify", PARTITIONS, "reply", b"\x04$add\0"),
    "read": Step("find", "people", "reply"),
    "intent": Step("findAndModify", PARTITIONS, "reply", b"\x03intent\0"),
    "vault": Step("insert", "vault_segments", "reply"),
    "before the watermark": Step("findAndModify", PARTITIONS, "request", b"\x03intent\0"),
    "the end of a partition": Step("findAndModify", PARTITIONS, "request", b"\x05\0\0\0done\0"),
}
RARE = (STEPS["lease"], STEPS["the end of a partition"])
WRITTEN = {
    "changed": Step("commitTransaction", "", "reply"),
    "none": Step("update", "people", "reply"),
}
"""After the bulk and before its acknowledgement."""


def set_trap(trial: Trial, run: Command, step: Step, number: int) -> Trap:
    """Have the worker killed that sends the n-th such request, or is sent the answer to it."""

    def act(port: int) -> bool:
        worker = run.owner(port)
        if worker is None:
            return False  # the coordinator's
        kill(worker)
        return True

    return trial.proxy.trap(step.command, step.collection, number, at=step.at, act=act, holding=step.holding)


@pytest.mark.strikes(len(STEPS) + 1)
@GUARDS
def test_worker_killed_at_each_step(guard: str, trial: Trial, chance: random.Random) -> None:
    """In any order; some batches are closed in between, since who dies is not to blame."""
    uri = trial.proxy.uri.replace("/?", f"/{trial.project.vault}?")
    trial.project.environment["FAULTS_VAULT"] = uri
    begin(trial, guard)
    trial.fill(chance, DOCUMENTS)
    steps = list({**STEPS, "bulk": WRITTEN[guard]}.items())
    chance.shuffle(steps)
    run = trial.project.run(pace=PACE)
    for name, step in steps:
        before = trial.masked()
        run.until(lambda: trial.masked() >= before + 4 * BATCH, "batches are closed")  # noqa: B023
        trap = set_trap(trial, run, step, 1 if step in RARE else chance.randint(1, 3))
        run.until(trap.sprung.is_set, str(trap))
        trial.strike(name)
    trial.project.hurry()
    run.wait()
    trial.judge(run)
    assert run.report["restarts"] == len(steps)
    # Of one worker there is a batch that is being written, and one that is masked already.
    assert trial.project.masked_by_workers() <= DOCUMENTS + len(steps) * 2 * BATCH


def begin(trial: Trial, guard: str) -> None:
    """Small batches, so that there are many of them."""
    trial.project.settings.update(
        write__guard=guard,
        batch_sizer=f"{{name: fixed, options: {{documents: {BATCH}}}}}",
        partitioner=f"{{name: paginate, options: {{documents: {3 * BATCH}}}}}",
    )


@pytest.mark.strikes(4)
@GUARDS
@pytest.mark.parametrize("who", ["coordinator", "everything"])
def test_killed(who: str, guard: str, trial: Trial, chance: random.Random) -> None:
    """Again and again, the resumed run too. Of a coordinator that was killed there are workers left for a while."""
    begin(trial, guard)
    trial.people.insert_many(person(chance, one) for one in identities(chance, DOCUMENTS))
    trial.freeze()
    run = trial.project.run(pace=PACE)
    for _ in range(4):
        seen = trial.masked()
        run.until(lambda: trial.masked() > seen, "something more is masked")  # noqa: B023
        time.sleep(chance.random() / 2)
        assert isinstance(run, Outside)
        if who == "coordinator":
            run.kill()
        else:
            trial.project.kill_everything()
            assert trial.project.processes() == []
        trial.strike(who)
        run = trial.project.start("resume", "--json", *trial.project.set, pace=PACE)
    trial.project.hurry()
    run.wait()
    trial.judge(run)


SETTING_ASIDE = {
    "the rest is given away": Step("findAndModify", PARTITIONS, "reply", b"\x03split\0"),
    "before the rest is a partition": Step("insert", PARTITIONS, "request", b"split_off\0\x01"),
    "the rest is a partition": Step("insert", PARTITIONS, "reply", b"split_off\0\x01"),
    "before it waits in its lane": Step("findAndModify", PARTITIONS, "request", b"oversize\0"),
    "it waits in its lane": Step("findAndModify", PARTITIONS, "reply", b"oversize\0"),
}


@pytest.mark.strikes(len(SETTING_ASIDE))
@GUARDS
def test_worker_killed_while_it_sets_documents_aside(guard: str, trial: Trial, chance: random.Random) -> None:
    begin(trial, guard)
    trial.project.settings["memory__oversize"] = "1MB"
    for number in range(DOCUMENTS // 5):
        one = person(chance, number)
        large = {"Name": one["Name"] + "x" * 1_100_000} if number % 12 == 5 else {}
        trial.people.insert_one({**one, **large})
    trial.freeze()
    run = trial.project.run(pace=PACE)
    for name, step in SETTING_ASIDE.items():
        trap = set_trap(trial, run, step, 1)
        run.until(trap.sprung.is_set, str(trap))
        trial.strike(name)
    trial.project.hurry()
    run.wait()
    trial.judge(run)


SET_ASIDE = b"\x02lane\0\x09\0\0\0oversize\0"
IN_ITS_LANE = {
    "lease": Step("findAndModify", PARTITIONS, "reply", SET_ASIDE),
    "read": STEPS["read"],
    "the document in hand": Step("findAndModify", PARTITIONS, "reply", b"\x05suspect\0"),
    "intent": STEPS["intent"],
    "vault": STEPS["vault"],
    "before it is done": STEPS["the end of a partition"],
    "it is done": STEPS["the end of a partition"]._replace(at="reply"),
}


@pytest.mark.strikes(len(IN_ITS_LANE) + 1)
@GUARDS
def test_worker_killed_in_the_lane_of_oversize_documents(
    guard: str, trial: Trial, chance: random.Random
) -> None:
    """Each document ends its process at most once, so that none is to blame; all are masked."""
    uri = trial.proxy.uri.replace("/?", f"/{trial.project.vault}?")
    trial.project.environment["FAULTS_VAULT"] = uri
    begin(trial, guard)
    trial.project.settings["memory__oversize"] = "1MB"
    steps = list({**IN_ITS_LANE, "bulk": WRITTEN[guard]}.items())
    chance.shuffle(steps)
    large = set(chance.sample(range(LANE_DOCUMENTS), 3 * len(steps)))
    for number in range(LANE_DOCUMENTS):
        one = person(chance, number)
        trial.people.insert_one({**one, "Name": one["Name"] + "x" * 1_100_000} if number in large else one)
    trial.freeze()
    run = trial.project.run(pace=LANE_PACE)
    trial.project.hurry()
    partitions = trial.ledger[PARTITIONS]
    aside = {"lane": "oversize"}
    run.until(
        lambda: (
            partitions.count_documents(aside) == len(large)
            and partitions.count_documents({"lane": "ordinary", "state": {"$ne": "done"}}) == 0
        ),
        "all others are done",
    )
    trial.project.linger()
    for name, step in steps:
        trap = set_trap(trial, run, step, 1)
        run.until(trap.sprung.is_set, f"{name}: {trap}")
        trial.strike(name)
        done = partitions.count_documents({**aside, "state": "done"})
        run.until(
            lambda: partitions.count_documents({**aside, "state": "done"}) > done,  # noqa: B023
            "the document is done by another",
        )
    trial.project.hurry()
    run.wait()
    trial.judge(run)
    assert run.report["restarts"] == len(steps)
