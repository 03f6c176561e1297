"""Workers that are held still past their lease and go on afterwards, and clocks that disagree."""

from __future__ import annotations

import datetime
import random

import psutil
import pytest
from test_killed import BATCH, GUARDS, PARTITIONS, STEPS, WRITTEN
from trials import Trial

DOCUMENTS = 900
PACE = 0.01
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


@GUARDS
def test_worker_held_past_its_lease(guard: str, trial: Trial, chance: random.Random) -> None:
    """Held at some step, its partition done by another to the end, then let go on: it changes nothing."""
    trial.project.settings["write__guard"] = guard
    trial.fill(chance, DOCUMENTS)
    step = chance.choice([STEPS["lease"], STEPS["read"], STEPS["intent"], WRITTEN[guard]])
    held: list[psutil.Process] = []
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() >= 2 * BATCH, "batches are closed")

    def hold(port: int) -> bool:
        worker = run.owner(port)
        if worker is None:
            return False
        worker.suspend()
        held.append(worker)
        return True

    trap = trial.proxy.trap(step.command, step.collection, at=step.at, act=hold, holding=step.holding)
    run.until(trap.sprung.is_set, str(trap))
    (worker,) = held
    try:
        (name,) = [
            one["_id"]["worker"]
            for one in trial.ledger["masking_coordination.workers"].find({"pid": worker.pid})
        ]
        partitions = trial.ledger[PARTITIONS]
        overdue = [one["_id"] for one in partitions.find({"state": "leased", "worker": name})]
        partitions.update_many({"_id": {"$in": overdue}}, {"$set": {"renewed": LONG_AGO}})
        run.until(
            lambda: partitions.count_documents({"_id": {"$in": overdue}, "state": "done"}) == len(overdue),
            "somebody else does its partition",
        )
    finally:
        worker.resume()
    run.wait()
    trial.judge(run)
    assert run.report["restarts"] == 0


@pytest.mark.parametrize("guard", ["changed"])
def test_clocks_ten_minutes_apart(guard: str, trial: Trial, chance: random.Random) -> None:
    """Two workers, one ten minutes before the server and one ten behind; one is killed, and the other takes over."""
    trial.project.settings["write__guard"] = guard
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE, FAULTS_SKEW="600")
    run.until(lambda: trial.masked() >= 2 * BATCH, "batches are closed")
    chance.choice(run.workers()).kill()
    run.wait()
    trial.judge(run)
    found = list(trial.ledger[PARTITIONS].find())
    assert len(found) >= DOCUMENTS // 60
    # Every lease but the dead worker's was the first of its partition: nobody took what was not free.
    assert sum(one["fence"] - 1 for one in found) == 1
