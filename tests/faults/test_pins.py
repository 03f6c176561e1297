"""What a run is bound to: a collection that becomes another, rules and keys that become others before a resume."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import people
import pytest
from people import compare, frozen
from trials import Trial

from phimask.masking.keys import MaskingKey

DOCUMENTS = 600
PACE = 0.01
CHANGES: dict[str, tuple[Callable[[Trial], Any], str]] = {
    "rules": (
        lambda trial: trial.project.write(
            "collections/people.yaml",
            people.COLLECTION_FILE.replace("Count, masker: add_one", "Count, masker: keep"),
        ),
        "rules",
    ),
    "key": (
        lambda trial: trial.project.environment.update(PHIMASK_KEY=MaskingKey.generate().text()),
        "key",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_before_a_resume(change: str, trial: Trial, chance: random.Random) -> None:
    """Refused, with what changed; as it was, it goes on."""
    act, told = CHANGES[change]
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    run.kill_everything()
    before, key = frozen(trial.people), trial.project.environment["PHIMASK_KEY"]
    act(trial)
    refused = trial.resume()
    assert refused.code == 2, refused.err
    assert told in refused.err
    assert frozen(trial.people) == before
    trial.project.environment["PHIMASK_KEY"] = key
    trial.project.write("collections/people.yaml", people.COLLECTION_FILE)
    trial.judge(trial.resume())


@pytest.mark.parametrize("change", ["drop", "rename", "recreate"])
def test_collection_changed_while_running(change: str, trial: Trial, chance: random.Random) -> None:
    """The run stops, and masks nothing of another collection under the same name."""
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(pace=PACE)
    run.until(lambda: trial.masked() > 0, "something is masked")
    moved = trial.people.database["moved"]
    if change == "rename":
        trial.people.rename("moved")
    else:
        trial.people.drop()
    if change == "recreate":
        trial.fill(chance, DOCUMENTS)
    assert run.wait() == 1, run.err
    if change == "recreate":
        assert frozen(trial.people) == trial.before
    else:
        assert "people" not in trial.people.database.list_collection_names()
    if change == "rename":
        assert compare(trial.before, frozen(moved)).faults.keys() == {"unmasked"}
