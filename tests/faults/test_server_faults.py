"""Servers that err, fall silent, elect another, fall behind or cannot be reached."""

from __future__ import annotations

import contextlib
import json
import random
import time

import pytest
from fail_points import FAULTS, Fault, failing
from proxy import Proxy
from test_killed import BATCH, GUARDS, WRITTEN
from trials import Trial

from replica_set import ReplicaSet, wait_until

DOCUMENTS = 600
PACE = 0.002
COMMANDS = {
    "changed": ["find", "update", "insert", "findAndModify", "commitTransaction"],
    "none": ["find", "update", "findAndModify"],
}


@GUARDS
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fail_point(fault: Fault, guard: str, trial: Trial, chance: random.Random) -> None:
    """Each of a batch's commands fails a few times in a row, one kind after the other."""
    trial.project.settings.update(write__guard=guard, executor="inline")
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    client = trial.people.database.client
    commands = [one for one in COMMANDS[guard] if one != "find" or fault.write_concern is None]
    run.until(lambda: trial.masked() > 0, "something is masked")
    for command in chance.sample(commands, len(commands)):
        enough = trial.masked() + 2 * BATCH
        with failing(client, [command], fault, times=chance.randint(1, 4)):
            wait_until(lambda: trial.masked() >= enough or run.code is not None, run.err)  # noqa: B023
    run.wait()
    trial.judge(run)
    assert any(reason.startswith("retry") for reason in run.report["collections"][0]["throttled"])


@GUARDS
def test_terminal_error(guard: str, trial: Trial, chance: random.Random) -> None:
    """An error that does not pass ends the run at once; when it is gone, a resume goes on."""
    trial.project.settings.update(write__guard=guard, executor="inline")
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    with failing(trial.people.database.client, ["update"], Fault(13), namespace=trial.people.full_name):
        assert run.wait() == 1
    assert "code 13 (Unauthorized)" in run.err
    trial.judge(trial.resume())


@GUARDS
def test_reply_lost(guard: str, trial: Trial, chance: random.Random) -> None:
    """The server has applied it; its reply, and the server for a while, are gone."""
    trial.project.settings.update(write__guard=guard, executor="inline")
    trial.fill(chance, DOCUMENTS)
    step = WRITTEN[guard]
    run = trial.project.run(pace=PACE)
    for _ in range(3):
        trap = trial.proxy.trap(step.command, step.collection, chance.randint(1, 4), at="reply", cut=True)
        run.until(trap.sprung.is_set, str(trap))
        with trial.proxy.refusing():
            time.sleep(chance.random() / 4)
    run.wait()
    trial.judge(run)
    assert trial.project.masked_by_workers() == 0  # all of it is the coordinator's own work


@GUARDS
def test_connections_cut(guard: str, trial: Trial, chance: random.Random) -> None:
    """All connections, again and again, in the middle of whatever is said."""
    trial.project.settings.update(write__guard=guard)
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    for _ in range(10):
        trial.proxy.cut()
        time.sleep(0.1 + chance.random() / 2)
    run.wait()
    trial.judge(run)


@GUARDS
def test_ledger_out_of_reach(guard: str, trial: Trial, chance: random.Random) -> None:
    """Nothing is written without an intent; when the ledger is back, the run goes on."""
    client = trial.people.database.client
    assert client.address is not None
    trial.project.settings.update(write__guard=guard, retry__attempts="100")
    trial.fill(chance, DOCUMENTS)
    with Proxy(client.address[1]) as ledger:
        trial.project.environment["PHIMASK_LEDGER_URI"] = ledger.uri
        run = trial.project.run(pace=PACE)
        run.until(lambda: trial.masked() > 0, "something is masked")
        with ledger.refusing():
            time.sleep(0.5)  # what was announced before is written still
            before = trial.masked()
            time.sleep(1 + chance.random())
            assert trial.masked() == before < DOCUMENTS
        run.wait()
    trial.judge(run)


def test_elections(set_trial: Trial, replica_set: ReplicaSet, chance: random.Random) -> None:
    """The primary is killed, or steps down, every few seconds."""
    trial = set_trial
    trial.project.settings.update(throttle__replica_lag="null", retry__attempts="12", retry__longest="1s")
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=0.02)
    run.until(lambda: trial.masked() > 0, "something is masked")
    elections = 0
    while run.code is None:
        if elections % 2 == 0:
            killed = replica_set.kill_primary()
            replica_set.wait_for_primary()
            replica_set.restart(killed)
        else:
            replica_set.step_down()
        elections += 1
        over = time.monotonic() + 3 + 3 * chance.random()
        while run.code is None and time.monotonic() < over:
            time.sleep(0.05)
        with contextlib.suppress(AssertionError):
            replica_set.mend()
    assert elections > 1
    replica_set.mend()
    trial.judge(run)


def test_secondary_behind(set_trial: Trial, replica_set: ReplicaSet, chance: random.Random) -> None:
    """The run stands still, says why to whoever asks, and goes on once the secondary has caught up."""
    trial = set_trial
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=0.01)
    run.until(lambda: trial.masked() > 0, "something is masked")
    with replica_set.delayed_secondary(10):
        reasons: list[str] = []

        def held() -> bool:
            status = trial.project.start("status", "--json")
            status.wait()
            reasons[:] = json.loads(status.out)["holding"]
            return any("lag" in reason for reason in reasons)

        run.until(held, "it says that it stands still for the lag")
        before = trial.masked()
        time.sleep(1)
        assert trial.masked() <= before + 2 * BATCH
    run.wait()
    trial.judge(run)
    assert any("lag" in reason for reason in run.report["collections"][0]["throttled"])
