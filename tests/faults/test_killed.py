"""Processes that are killed: one worker at each step of a batch, the coordinator, everything at once."""

from __future__ import annotations

import random
import time
from typing import NamedTuple

import pytest
from project import Command, kill
from proxy import Moment, Trap
from trials import Trial

DOCUMENTS = 1800
BATCH = 20
PACE = 0.01
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


@GUARDS
def test_worker_killed_at_each_step(guard: str, trial: Trial, chance: random.Random) -> None:
    """All steps in one run, in any order; some batches are closed in between, since who dies is not to blame."""
    uri = trial.proxy.uri.replace("/?", f"/{trial.project.vault}?")
    trial.project.environment["FAULTS_VAULT"] = uri
    trial.project.settings["write__guard"] = guard
    trial.fill(chance, DOCUMENTS)
    steps = list({**STEPS, "written": WRITTEN[guard]}.values())
    chance.shuffle(steps)
    run = trial.project.run(pace=PACE)
    for step in steps:
        before = trial.masked()
        run.until(lambda: trial.masked() >= before + 4 * BATCH, "batches are closed")  # noqa: B023
        trap = set_trap(trial, run, step, 1 if step in RARE else chance.randint(1, 3))
        run.until(trap.sprung.is_set, str(trap))
    run.wait()
    trial.judge(run)
    assert run.report["restarts"] == len(steps)
    # Of one worker there is a batch that is being written, and one that is masked already.
    assert trial.project.masked_by_workers() <= DOCUMENTS + len(steps) * 2 * BATCH


@GUARDS
def test_coordinator_killed(guard: str, trial: Trial, chance: random.Random) -> None:
    trial.project.settings["write__guard"] = guard
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    time.sleep(chance.random() / 2)
    run.kill_coordinator()
    trial.judge(trial.resume())


@GUARDS
def test_everything_killed(guard: str, trial: Trial, chance: random.Random) -> None:
    """Twice, the resumed run too."""
    trial.project.settings["write__guard"] = guard
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    time.sleep(chance.random() / 2)
    run.kill_everything()
    assert trial.project.processes() == []
    seen = trial.masked()
    run = trial.project.start("resume", "--json", *trial.project.set, pace=PACE)
    run.until(lambda: trial.masked() > seen, "something more is masked")
    time.sleep(chance.random() / 2)
    run.kill_everything()
    trial.judge(trial.resume())
