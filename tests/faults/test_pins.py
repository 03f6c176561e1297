"""What a run is bound to: a collection that becomes another, and rules, key and version that do so before a resume."""

from __future__ import annotations

import random
from collections.abc import Callable

import people
import pytest
from people import Outcome, compare, frozen
from test_documents import stop
from trials import Trial

from phimask.masking.keys import MaskingKey

DOCUMENTS = 300
PACE = 0.002
NEWER = "99.1"


def changed_rules(trial: Trial, patch: pytest.MonkeyPatch) -> None:
    rules = people.COLLECTION_FILE.replace("Count, masker: add_one", "Count, masker: keep")
    trial.project.write("collections/people.yaml", rules)


def changed_key(trial: Trial, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(trial.project.environment, "PHIMASK_KEY", MaskingKey.generate().text())


def changed_version(trial: Trial, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("phimask.__version__", NEWER)


CHANGES: dict[str, tuple[Callable[[Trial, pytest.MonkeyPatch], None], str]] = {
    "rules": (changed_rules, "the rules of "),
    "key": (changed_key, "it began under the key "),
    "version": (changed_version, f"began it, and this is {NEWER}"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_before_a_resume(change: str, inside: Trial, chance: random.Random) -> None:
    """Refused, with what changed; as it was, it goes on."""
    act, told = CHANGES[change]
    inside.fill(chance, DOCUMENTS)
    run = inside.project.run(pace=PACE)
    run.until(lambda: inside.masked() > 0, "something is masked")
    stop(inside)
    assert run.wait() == 4, run.err
    before = frozen(inside.people)
    with pytest.MonkeyPatch.context() as patch:
        act(inside, patch)
        refused = inside.resume()
    assert refused.code == 2, refused.err
    assert "cannot be resumed" in refused.err
    assert told in refused.err
    assert frozen(inside.people) == before
    inside.strike(change)
    inside.project.write("collections/people.yaml", people.COLLECTION_FILE)
    inside.project.hurry()
    inside.judge(inside.resume())


@pytest.mark.parametrize("executor", ["inline", "local"])
@pytest.mark.parametrize("change", ["drop", "rename", "recreate"])
def test_collection_changed_while_running(
    change: str, executor: str, inside: Trial, chance: random.Random
) -> None:
    """The run stops, and masks nothing of another collection under the same name."""
    if executor == "local":
        del inside.project.settings["executor"]
    inside.fill(chance, DOCUMENTS)
    run = inside.project.run(pace=PACE)
    run.until(lambda: inside.masked() > 0, "something is masked")
    moved = inside.people.database["moved"]
    if change == "rename":
        inside.people.rename("moved")
    else:
        inside.people.drop()
    if change == "recreate":
        inside.fill(chance, DOCUMENTS)
    assert run.wait() == 1, run.err
    now = frozen(inside.people)
    outcome = compare(inside.before, frozen(moved)) if change == "rename" else Outcome(len(inside.before))
    if change == "rename":
        # What it had masked by then stays masked, and the rest is as it was.
        assert outcome.unmasked
        outcome.unmasked = 0
    outcome.strange = len(now) if change != "recreate" else len(now.keys() ^ inside.before.keys())
    outcome.wrong += sum(now.get(one) != raw for one, raw in inside.before.items()) * (change == "recreate")
    inside.strike(change)
    inside.conclude(outcome, run)
