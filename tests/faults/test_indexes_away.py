"""Indexes that a run drops and builds again: whenever it is killed, they are there in the end, exactly as they were."""

from __future__ import annotations

import random

import bson
import pytest
from anywhere import ANY, GIVING_UP, Messages, brought_to_its_end, killed, latest
from people import compare, frozen
from trials import Trial

from phimask.store.indexes import read_indexes

DOCUMENTS = 300
KINDS = (
    Messages("dropIndexes|createIndexes", "people", 5),
    Messages("update|delete", ".*indexes", 8),
    Messages("findAndModify|commitTransaction|update", ".*partitions|people|", 40),
    ANY,
)


def prepare(trial: Trial, chance: random.Random) -> dict[str, bytes]:
    trial.project.settings.update(write__indexes="rebuild")
    if chance.random() < 0.8:  # indexes are the coordinator's
        trial.project.settings["executor"] = "inline"
    trial.fill(chance, DOCUMENTS)
    trial.people.create_index([("Name", 1), ("Born", -1)], name="person", sparse=True)
    trial.people.create_index("Visits.Date", collation={"locale": "de"}, hidden=True)
    trial.people.create_index([("$**", 1)], name="all")
    trial.people.create_index("Count", partialFilterExpression={"Ward": "north"})
    trial.people.create_index("Ward", unique=False)
    return indexes(trial)


def indexes(trial: Trial) -> dict[str, bytes]:
    database = trial.people.database
    return read_indexes(database.client, database.name, "people")


@pytest.mark.strikes(3)
def test_killed_while_indexes_are_away(trial: Trial, chance: random.Random) -> None:
    before = prepare(trial, chance)
    arguments: tuple[str, ...] = ("run", "--yes")
    for _ in range(3):
        if not killed(trial, chance, KINDS, *arguments, *trial.project.set)[0]:
            break
        arguments = ("resume", "--or-begin")
    last = brought_to_its_end(trial)
    trial.judge(last)
    assert indexes(trial) == before


@pytest.mark.strikes(2)
@pytest.mark.parametrize("command", ["finalize", "rollback"])
def test_given_up_while_indexes_are_away(command: str, trial: Trial, chance: random.Random) -> None:
    """The command that gives the run up is killed, too, and given again."""
    before = prepare(trial, chance)
    killed(trial, chance, KINDS, "run", "--yes", *trial.project.set)
    run = latest(trial)
    settings = [one for one in trial.project.set if one.startswith("--set")]
    last = None
    if run is not None:
        killed(trial, chance, GIVING_UP, command, run["_id"], "--yes", *settings)
        last = trial.project.start(command, run["_id"], "--yes", *settings)
        last.wait()
    as_before = [bson.decode(one)[""] for one in trial.before]
    outcome = compare(trial.before, frozen(trial.people), as_before if command == "rollback" else ())
    if command == "finalize":  # what was masked by then is, and the rest is not
        outcome.unmasked = 0
    trial.conclude(outcome, last)
    if last is not None:
        assert last.code == 0, last.err
    assert indexes(trial) == before
