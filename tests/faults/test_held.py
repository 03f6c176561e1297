"""Processes that are held still and go on when another has taken their place, and clocks that disagree."""

from __future__ import annotations

import datetime
import random

import psutil
import pytest
from commands import kill
from test_killed import BATCH, DOCUMENTS, GUARDS, PACE, PARTITIONS, STEPS, WRITTEN, begin
from trials import Trial

RUNS = "masking_coordination.runs"
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


@pytest.mark.strikes(4)
@GUARDS
def test_worker_held_past_its_lease(guard: str, trial: Trial, chance: random.Random) -> None:
    """Held at some step, its partition done by another to the end, then let go on: it changes nothing."""
    begin(trial, guard)
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    steps = {name: STEPS[name] for name in ("lease", "read", "intent")} | {"bulk": WRITTEN[guard]}
    for name, step in chance.sample(list(steps.items()), len(steps)):
        seen = trial.masked()
        run.until(lambda: trial.masked() >= seen + 2 * BATCH, "batches are closed")  # noqa: B023
        held: list[psutil.Process] = []

        def hold(port: int) -> bool:
            worker = run.owner(port)
            if worker is None:
                return False
            worker.suspend()
            held.append(worker)  # noqa: B023
            return True

        trap = trial.proxy.trap(step.command, step.collection, at=step.at, act=hold, holding=step.holding)
        run.until(trap.sprung.is_set, str(trap))
        (worker,) = held
        try:
            (holder,) = [
                one["_id"]["worker"]
                for one in trial.ledger["masking_coordination.workers"].find({"pid": worker.pid})
            ]
            partitions = trial.ledger[PARTITIONS]
            overdue = [one["_id"] for one in partitions.find({"state": "leased", "worker": holder})]
            partitions.update_many({"_id": {"$in": overdue}}, {"$set": {"renewed": LONG_AGO}})
            done = {"_id": {"$in": overdue}, "state": "done"}
            run.until(
                lambda: partitions.count_documents(done) == len(overdue),  # noqa: B023
                "somebody else does its partition",
            )
        finally:
            worker.resume()
        trial.strike(name)
    trial.project.hurry()
    run.wait()
    trial.judge(run)
    assert run.report["restarts"] == 0


@GUARDS
def test_two_coordinators(guard: str, trial: Trial, chance: random.Random) -> None:
    """One is held, and taken for dead while its workers go on; the run is taken up; the first goes on and lets go."""
    begin(trial, guard)
    trial.fill(chance, DOCUMENTS)
    first = trial.project.run(pace=2 * PACE)
    some = chance.randrange(10 * BATCH)
    first.until(lambda: trial.masked() > some, "something is masked")
    refused = trial.resume()
    assert refused.code == 2, refused.err
    assert " is live on " in refused.err
    first.coordinator.suspend()
    try:
        trial.ledger[RUNS].update_one({}, {"$set": {"coordinator.seen": LONG_AGO}})
        second = trial.project.start("resume", "--json", *trial.project.set, pace=PACE)
        second.until(lambda: trial.ledger[RUNS].count_documents({"epoch": 2}) == 1, "the run is taken up")
    finally:
        first.coordinator.resume()
    assert first.wait() == 4, first.err
    assert "was taken up by another coordinator; this one has let go of it" in first.err
    trial.strike("two coordinators")
    trial.project.hurry()
    second.wait()
    trial.judge(second)


@pytest.mark.strikes(4)
@pytest.mark.parametrize("guard", ["changed"])
def test_clocks_ten_minutes_apart(guard: str, trial: Trial, chance: random.Random) -> None:
    """Workers ten minutes before the server and ten behind; who holds a lease is killed, and others take over."""
    begin(trial, guard)
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE, FAULTS_SKEW="600")
    for _ in range(4):
        seen = trial.masked()
        run.until(lambda: trial.masked() >= seen + 2 * BATCH, "batches are closed")  # noqa: B023

        def end(port: int) -> bool:
            worker = run.owner(port)
            if worker is not None:
                kill(worker)
            return worker is not None

        step = STEPS["intent"]
        trap = trial.proxy.trap(step.command, step.collection, at=step.at, act=end, holding=step.holding)
        run.until(trap.sprung.is_set, str(trap))
        trial.strike("killed")
    trial.project.hurry()
    run.wait()
    trial.judge(run)
    found = list(trial.ledger[PARTITIONS].find())
    # Every lease but those after a dead worker's was the first of its partition: nobody took what was not free.
    assert sum(one["fence"] - 1 for one in found) == 4
