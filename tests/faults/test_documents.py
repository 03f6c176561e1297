"""Documents that end or hang whoever masks them, and `_id`s of every type that has an order."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Timestamp
from people import person
from trials import Trial

DOCUMENTS = 300


@pytest.mark.parametrize("poison", ["crash", "hang"])
def test_poisoned_document(poison: str, trial: Trial, chance: random.Random) -> None:
    """It is left out, by its `_id`; the rest is masked."""
    patience = "8s" if poison == "hang" else "5m"
    options = f"{{workers: 2, backoff: 50ms, restarts: 100, patience: {patience}}}"
    trial.project.settings["executor"] = f"{{name: local, options: {options}}}"
    bad = chance.randrange(DOCUMENTS)
    trial.people.insert_many(
        person(chance, number, f"poison-{poison}" if number == bad else "") for number in range(DOCUMENTS)
    )
    trial.freeze()
    run = trial.project.run()
    run.wait()
    trial.judge(run, left_out=(bad,))
    assert run.report["restarts"] > 0


def identities(chance: random.Random) -> list[Any]:
    """Some of each type, none equal to another by MongoDB's order."""
    found: list[Any] = [None, True, False]
    for number in range(40):
        one = chance.randrange(10**6) * 100 + number
        found += [
            one,
            Int64(2**40 + one),
            one + 0.25,
            Decimal128(f"{one}.5"),
            f"text {one}",
            ObjectId(),
            datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=one),
            bytes([number, one % 256]),
            Timestamp(one, number),
            {"ward": one, "deep": {"number": number}},
        ]
    return found


def test_identities_of_every_type(trial: Trial, chance: random.Random) -> None:
    """In ranges that begin and end with any of them; and everything is killed once in between."""
    everyone = identities(chance)
    chance.shuffle(everyone)
    trial.people.insert_many(person(chance, one) for one in everyone)
    trial.freeze()
    run = trial.project.run(pace=0.01)
    run.until(lambda: trial.masked() > 0, "something is masked")
    run.kill_everything()
    trial.judge(trial.resume())
