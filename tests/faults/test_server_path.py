"""Batches that MongoDB masks by itself (`write.path: server`): workers killed at each step, answers lost at each step.

What the server computes changes nothing a second time, so that none of these documents can be masked twice; all have
to be masked, nothing else of them may change, and none may be counted twice.
"""

from __future__ import annotations

import random
import time

import pytest
from commands import Command
from people import CANARY, Rules, compare, frozen, person
from test_killed import GUARDS, RARE, STEPS, WRITTEN, Step, begin, set_trap
from trials import Trial

from oracle import nullify, redacted, remove

DOCUMENTS = 1200
DELAY = 0.01
RULES: Rules = [
    (("Name",), redacted),
    (("Visits", "Note"), redacted),
    (("Visits", "Date"), remove),
    (("Born",), nullify),
]
COLLECTION_FILE = """\
version: 1
collection: people
rules:
  - {path: Name, masker: redact}
  - {path: Visits.Note, masker: redact}
  - {path: Visits.Date, masker: remove}
  - {path: Born, masker: nullify}
"""
KILLED = {
    **{name: step for name, step in STEPS.items() if name != "vault"},
    "the server is asked to": Step("update", "people", "request"),
}
LOST = {"read": STEPS["read"], "intent": STEPS["intent"], "lease": STEPS["lease"]}


def prepare(trial: Trial, chance: random.Random, guard: str) -> None:
    """A few hold what the server cannot mask exactly, so that their ranges go the ordinary way."""
    begin(trial, guard)
    trial.project.settings.update(write__path="server", undo__vault="null")
    trial.project.write("collections/people.yaml", COLLECTION_FILE)
    for number in range(DOCUMENTS):
        one = person(chance, number)
        if number % 45 == 7:
            one["Name"] = [one["Name"], [f"{CANARY} {number}"]]
        trial.people.insert_one(one)
    trial.freeze()


def progress(trial: Trial) -> int:
    return int(trial.people.count_documents({"Name": "[REDACTED]"}))


def judge(trial: Trial, run: Command) -> None:
    outcome = compare(trial.before, frozen(trial.people), rules=RULES)
    trial.conclude(outcome, run)
    assert run.code == 0, run.err
    (entry,) = run.report["collections"]
    assert entry["write_path"] == "server"
    counts = entry["documents"]
    assert counts["masked"] + counts["unchanged"] == counts["total"] == DOCUMENTS, counts
    assert counts["quarantined"] == 0


@pytest.mark.strikes(len(KILLED) + 1)
@GUARDS
def test_worker_killed_while_the_server_masks(guard: str, trial: Trial, chance: random.Random) -> None:
    prepare(trial, chance, guard)
    steps = list({**KILLED, "bulk": WRITTEN[guard]}.items())
    chance.shuffle(steps)
    trial.proxy.delay = DELAY
    run = trial.project.run()
    for name, step in steps:
        trap = set_trap(trial, run, step, 1 if step in RARE else chance.randint(1, 3))
        run.until(trap.sprung.is_set, f"{name}: {trap}")
        trial.strike(name)
    trial.proxy.delay = 0.0
    run.wait()
    judge(trial, run)
    assert run.report["restarts"] == len(steps)


@pytest.mark.strikes(4)
@GUARDS
def test_reply_lost_while_the_server_masks(guard: str, inside: Trial, chance: random.Random) -> None:
    prepare(inside, chance, guard)
    steps = list({**LOST, "bulk": WRITTEN[guard]}.items())
    chance.shuffle(steps)
    run = inside.project.run()
    run.until(lambda: progress(inside) > 0, "something is masked")
    for name, step in steps:
        trap = inside.proxy.trap(step.command, step.collection, 1, at="reply", cut=True, holding=step.holding)
        run.until(trap.sprung.is_set, f"{name}: {trap}")
        with inside.proxy.refusing():
            time.sleep(chance.random() / 4)
        inside.strike(name)
    run.wait()
    judge(inside, run)
