"""Masking through a shadow, by the command line on a real server: swapped in, kept, put back, dropped; refused; and
killed at each step and taken up again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from counters import COUNTING, Counters, wait_for
from listening import LISTENING

from phimask.config.data import shipped_schema
from phimask.store.definition import differences, read_definition

Phimask = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def shadowed(counters: Counters) -> Counters:
    """Six hundred documents, indexed and validated, to be masked through a shadow."""
    target(counters, "true")
    name = counters.collection.name
    counters.collection.drop()
    counters.database.create_collection(
        name,
        collation={"locale": "de"},
        validator={"$jsonSchema": {"required": ["Count"], "properties": {"Ward": {"maximum": 2}}}},
        changeStreamPreAndPostImages={"enabled": True},
    )
    simple = {"locale": "simple"}
    made = counters.collection
    made.create_index([("Ward", 1), ("Count", -1)], name="ward", sparse=True)
    made.create_index("Ward", name="plain", collation=simple, hidden=True)
    made.create_index([("_id", 1), ("Ward", 1)], name="again", unique=True, partialFilterExpression={"Ward": {"$gt": 0}}, collation=simple)
    made.create_index([("Note", "text"), ("Ward", 1)], weights={"Note": 3}, default_language="german", collation=simple)
    made.create_index("Seen", expireAfterSeconds=3600)
    made.create_index([("$**", 1)], wildcardProjection={"Other": 1})
    counters.fill(name)
    return counters


def target(counters: Counters, shadow: str) -> None:
    counters.settings("counters")
    (counters.folder / "counting.py").write_text(COUNTING + LISTENING, encoding="utf-8")
    with (counters.folder / "phimask.yaml").open("a", encoding="utf-8") as file:
        file.write(f"target: {{shadow: {shadow}}}\n")


def definition(counters: Counters, name: str = "counters") -> Any:
    found = read_definition(counters.database.client, counters.database.name, name)
    assert found is not None
    return found


def others(counters: Counters) -> list[str]:
    return sorted(set(counters.database.list_collection_names()) - {"counters"})


def test_there_and_back(shadowed: Counters, phimask: Phimask) -> None:
    before = definition(shadowed)
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 0, answer.err
    run = answer.json["run_id"]
    kept = f"counters.phimask_original_{run}"
    jsonschema.validate(answer.json, shipped_schema("report"))
    (one,) = answer.json["collections"]
    assert one["shadow"] == {"state": "swapped", "original": f"{shadowed.database.name}.{kept}"}
    assert shadowed.masked() == 600
    assert shadowed.counts(kept) == {0: 600}
    assert others(shadowed) == [kept]
    assert differences(before, definition(shadowed)) == []
    assert definition(shadowed, kept) == before
    assert f"{kept} holds PHI still: `phimask finalize {run}`" in answer.err.replace("\n    ", " ")
    assert f"{kept} is there still, of run {run}" in phimask("plan").err
    answer = phimask("rollback", run, "--json", "--yes")
    assert answer.code == 0, answer.err
    assert definition(shadowed) == before
    assert others(shadowed) == []
    assert shadowed.counts() == {0: 600}
    assert phimask("report", run, "--json").json["collections"][0]["shadow"]["state"] == "undone"
    assert phimask("run", "--yes").code == 0
    assert shadowed.masked() == 600


BEFORE_IT_IS_FILLED = (
    "update/swaps/1/started",
    "update/swaps/1/succeeded",
    "create/phimask_shadow/1/succeeded",
    "createIndexes/phimask_shadow/1/succeeded",
    "drop/phimask_shadow/1/started",
    "create/phimask_shadow/2/started",
    "create/phimask_shadow/2/succeeded",
    "update/swaps/2/succeeded",
)
WHILE_IT_IS_FILLED = ("insert/phimask_shadow/1/started", "insert/phimask_shadow/7/succeeded")
BEFORE_IT_IS_SWAPPED_IN = (
    "createIndexes/phimask_shadow/2/started",
    "createIndexes/phimask_shadow/2/succeeded",
    "collMod/phimask_shadow/2/started",
    "collMod/phimask_shadow/2/succeeded",
    "aggregate/phimask_shadow/2/succeeded",
    "createIndexes/phimask_shadow/3/succeeded",
    "update/swaps/3/started",
    "update/swaps/3/succeeded",
    "renameCollection/counters/1/started",
)
BETWEEN_THE_RENAMES = ("renameCollection/counters/1/succeeded", "renameCollection/counters/2/started")
ONCE_IT_IS_SWAPPED_IN = (
    "renameCollection/counters/2/succeeded",
    "update/swaps/4/started",
    "update/swaps/4/succeeded",
)
ALL = (
    *BEFORE_IT_IS_FILLED,
    *WHILE_IT_IS_FILLED,
    *BEFORE_IT_IS_SWAPPED_IN,
    *BETWEEN_THE_RENAMES,
    *ONCE_IT_IS_SWAPPED_IN,
)


def ended_at(shadowed: Counters, started: Start, moment: str, *arguments: str) -> str:
    """A run that was killed at this moment, by its id."""
    process = started(*(arguments or ("run", "--yes")), AT=moment)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, 1, 2, 3), err
    return str(shadowed.latest()["_id"])


@pytest.mark.parametrize("moment", ALL)
def test_killed_and_taken_up_again(
    moment: str, shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    before = definition(shadowed)
    run = ended_at(shadowed, started, moment)
    kept = f"counters.phimask_original_{run}"
    if moment in BETWEEN_THE_RENAMES:
        assert "counters" not in shadowed.database.list_collection_names()
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    jsonschema.validate(answer.json, shipped_schema("report"))
    (one,) = answer.json["collections"]
    assert one["documents"]["masked"] == 600
    assert one["shadow"]["state"] == "swapped"
    assert {"shadow", "count", "untouched", "structure"} <= {
        check["validator"] for check in one["verification"] if check["phase"] == "after" and check["ok"]
    }
    assert shadowed.masked() == 600
    assert shadowed.counts(kept) == {0: 600}
    assert others(shadowed) == [kept]
    assert differences(before, definition(shadowed)) == []
    assert definition(shadowed, kept) == before
    assert phimask("finalize", run, "--yes").code == 0
    assert others(shadowed) == []
    again = phimask("run", "--yes")
    assert again.code == 2
    assert f"run {run} has masked it already" in again.err


@pytest.mark.parametrize("moment", ALL)
@pytest.mark.parametrize("command", ["finalize", "rollback"])
def test_killed_and_given_up(
    moment: str, command: str, shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    before = definition(shadowed)
    run = ended_at(shadowed, started, moment)
    answer = phimask(command, run, "--yes")
    assert answer.code == 0, answer.err
    assert others(shadowed) == []
    # What has the name keeps it when a run is made final; else it is the original.
    swapped = command == "finalize" and moment in ONCE_IT_IS_SWAPPED_IN
    assert shadowed.counts() == {int(swapped): 600}
    assert differences(before, definition(shadowed)) == []
    again = phimask("run", "--yes")
    assert again.code == (2 if swapped else 0), again.err
    assert shadowed.masked() == 600
