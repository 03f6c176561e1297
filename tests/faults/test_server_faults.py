"""Servers that err, fall silent, elect another, fall behind or cannot be reached."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from fail_points import FAULTS, Fault, failing
from proxy import Proxy
from test_killed import GUARDS, PARTITIONS, WRITTEN
from trials import Trial

from phimask.ledger.opening import Ledger
from phimask.ledger.runs import Runs
from replica_set import ReplicaSet, wait_until

DOCUMENTS = 600
PACE = 0.002
BATCH = 20
COMMANDS = {
    "changed": ["find", "update", "insert", "findAndModify", "commitTransaction"],
    "none": ["find", "update", "findAndModify"],
}


@pytest.mark.strikes(5)
@GUARDS
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fail_point(fault: Fault, guard: str, inside: Trial, chance: random.Random) -> None:
    """Each of a batch's commands fails a few times in a row, one kind after the other."""
    inside.project.settings.update(write__guard=guard)
    inside.fill(chance, DOCUMENTS)
    run = inside.project.run(pace=PACE)
    client = inside.people.database.client
    commands = [one for one in COMMANDS[guard] if one != "find" or fault.write_concern is None]
    run.until(lambda: inside.masked() > 0, "something is masked")
    for command in chance.sample(commands, len(commands)):
        enough = inside.masked() + 2 * BATCH
        with failing(client, [command], fault, times=chance.randint(1, 4)):
            run.until(lambda: inside.masked() >= enough, f"it goes on in spite of {command}")  # noqa: B023
        inside.strike(command)
    inside.project.hurry()
    run.wait()
    inside.judge(run)
    assert any(reason.startswith("retry") for reason in run.report["collections"][0]["throttled"])


@pytest.mark.parametrize("command", ["insert", "find"])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fail_point_while_cutting(fault: Fault, command: str, inside: Trial, chance: random.Random) -> None:
    """Partitions are cut and entered while others are masked already, and go through it too."""
    if command == "find" and fault.write_concern is not None:
        pytest.skip("what is read has no write concern")
    inside.fill(chance, DOCUMENTS)
    where = inside.ledger[PARTITIONS] if command == "insert" else inside.people
    client = inside.people.database.client
    with contextlib.ExitStack() as stack:

        def fail(_: int) -> None:
            times = chance.randint(2, 5)
            stack.enter_context(failing(client, [command], fault, times=times, namespace=where.full_name))

        trap = inside.proxy.trap("insert", PARTITIONS, chance.randint(1, 3), act=fail)
        run = inside.project.run()
        run.wait()
        trap.wait(0)
    inside.judge(run)


@GUARDS
def test_terminal_error(guard: str, inside: Trial, chance: random.Random) -> None:
    """An error that does not pass ends the run at once; when it is gone, a resume goes on."""
    inside.project.settings.update(write__guard=guard)
    inside.fill(chance, DOCUMENTS)
    run = inside.project.run(pace=PACE)
    run.until(lambda: inside.masked() > 0, "something is masked")
    with failing(inside.people.database.client, ["update"], Fault(13), namespace=inside.people.full_name):
        assert run.wait() == 1
    assert "code 13 (Unauthorized)" in run.err
    inside.project.hurry()
    inside.judge(inside.resume())


@pytest.mark.strikes(4)
@GUARDS
def test_reply_lost(guard: str, inside: Trial, chance: random.Random) -> None:
    """The server has applied it; its reply, and the server for a while, are gone."""
    inside.project.settings.update(write__guard=guard)
    inside.fill(chance, DOCUMENTS)
    step = WRITTEN[guard]
    run = inside.project.run(pace=PACE)
    for _ in range(4):
        trap = inside.proxy.trap(step.command, step.collection, chance.randint(1, 4), at="reply", cut=True)
        run.until(trap.sprung.is_set, str(trap))
        with inside.proxy.refusing():
            time.sleep(chance.random() / 4)
        inside.strike("reply lost")
    inside.project.hurry()
    run.wait()
    inside.judge(run)


@pytest.mark.strikes(10)
@GUARDS
def test_connections_cut(guard: str, trial: Trial, chance: random.Random) -> None:
    """All connections, again and again, in the middle of whatever is said."""
    trial.project.settings.update(write__guard=guard)
    trial.fill(chance, 2 * DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    for _ in range(10):
        before = trial.masked()
        trial.proxy.cut()
        run.until(lambda: trial.masked() > before, "it goes on")  # noqa: B023
        trial.strike("cut")
        time.sleep(chance.random() / 10)
    trial.project.hurry()
    run.wait()
    trial.judge(run)


@pytest.mark.strikes(3)
@GUARDS
def test_ledger_out_of_reach(guard: str, inside: Trial, chance: random.Random) -> None:
    """Nothing is written without an intent; when the ledger is back, the run goes on."""
    client = inside.people.database.client
    assert client.address is not None
    inside.project.settings.update(write__guard=guard, retry__attempts="100")
    inside.fill(chance, DOCUMENTS)
    with Proxy(client.address[1]) as ledger:
        inside.project.environment["PHIMASK_LEDGER_URI"] = ledger.uri
        run = inside.project.run(pace=PACE)
        for _ in range(3):
            seen = inside.masked()
            run.until(lambda: inside.masked() > seen, "something is masked")  # noqa: B023
            with ledger.refusing():
                settled(inside, 4 * BATCH * PACE)  # what was announced before is written still
                before = inside.masked()
                time.sleep(0.3 + chance.random() / 4)
                assert inside.masked() == before < DOCUMENTS
            inside.strike("out of reach")
        inside.project.hurry()
        run.wait()
    inside.judge(run)


def settled(trial: Trial, seconds: float) -> None:
    """Until nothing was masked for so long."""
    last, since = trial.masked(), time.monotonic()
    while time.monotonic() < since + seconds:
        if trial.masked() != last:
            last, since = trial.masked(), time.monotonic()
        time.sleep(0.01)


@pytest.mark.soak
@pytest.mark.strikes(2)
def test_elections(set_trial: Trial, replica_set: ReplicaSet, chance: random.Random) -> None:
    """The primary is killed, or steps down, again and again, as soon as the run has gone on for a moment."""
    trial = set_trial
    trial.project.settings.update(throttle__replica_lag="null", retry__attempts="12", retry__longest="1s")
    trial.fill(chance, 2 * DOCUMENTS)
    run = trial.project.run(pace=0.02)
    run.until(lambda: trial.masked() > 0, "something is masked")
    elections = 0
    while run.code is None and elections < 2:
        if elections % 2 == 0:
            killed = replica_set.kill_primary()
            replica_set.wait_for_primary()
            replica_set.restart(killed)
        else:
            replica_set.step_down()
        elections += 1
        trial.strike("killed" if elections % 2 else "stepped down")
        with contextlib.suppress(AssertionError):
            replica_set.mend()
        masked = trial.masked()
        wait_until(
            lambda before=masked: run.code is not None or trial.masked() > before,  # type: ignore[misc]
            "the run does not go on after an election",
            300,
        )
        time.sleep(2 * chance.random())
    trial.project.hurry()
    run.wait()
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
        runs = Runs(Ledger(trial.ledger.client, trial.ledger.name, "masking_coordination"))

        def held() -> bool:
            reasons[:] = runs.latest()[0].reasons  # as `phimask status` does
            return any("lag" in reason for reason in reasons)

        run.until(held, "it says that it stands still for the lag")
        before = trial.masked()
        time.sleep(1)
        assert trial.masked() <= before + 2 * BATCH
    run.wait()
    trial.judge(run)
    assert any("lag" in reason for reason in run.report["collections"][0]["throttled"])
