"""Masking through a shadow, by the command line on a real server: swapped in, kept, put back, dropped; refused; and
killed at each step and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from counters import Counters, wait_for
from shadows import Phimask, Start, at_moments, definition, ended_at, others, target

from phimask.store.definition import differences
from shipped import conforms


@pytest.fixture
def shadowed(counters: Counters) -> Counters:
    """Two hundred documents, indexed and validated, to be masked through a shadow."""
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
    made.create_index(
        [("_id", 1), ("Ward", 1)],
        name="again",
        unique=True,
        partialFilterExpression={"Ward": {"$gt": 0}},
        collation=simple,
    )
    made.create_index(
        [("Note", "text"), ("Ward", 1)], weights={"Note": 3}, default_language="german", collation=simple
    )
    made.create_index("Seen", expireAfterSeconds=3600)
    made.create_index([("$**", 1)], wildcardProjection={"Other": 1})
    counters.fill(name, 200)
    return counters


def test_there_and_back(shadowed: Counters, phimask: Phimask) -> None:
    before = definition(shadowed)
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 0, answer.err
    run = answer.json["run_id"]
    kept = f"counters.phimask_original_{run}"
    conforms(answer.json, "report")
    (one,) = answer.json["collections"]
    assert one["shadow"] == {"state": "swapped", "original": f"{shadowed.database.name}.{kept}"}
    assert shadowed.masked() == 200
    assert shadowed.counts(kept) == {0: 200}
    assert others(shadowed) == [kept]
    assert differences(before, definition(shadowed)) == []
    assert definition(shadowed, kept) == before
    assert f"shadow: swapped in; {shadowed.database.name}.{kept} is the original" in phimask("status").err
    assert f"{kept} holds PHI still: `phimask finalize {run}`" in answer.err.replace("\n    ", " ")
    assert f"{kept} is there still, of run {run}" in phimask("plan").err
    answer = phimask("rollback", run, "--json", "--yes")
    assert answer.code == 0, answer.err
    assert definition(shadowed) == before
    assert others(shadowed) == []
    assert shadowed.counts() == {0: 200}
    assert phimask("report", run, "--json").json["collections"][0]["shadow"]["state"] == "undone"
    assert phimask("run", "--yes").code == 0
    assert shadowed.masked() == 200


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


SOME = (
    "create/phimask_shadow/2/succeeded",
    "insert/phimask_shadow/7/succeeded",
    "createIndexes/phimask_shadow/2/started",
    BETWEEN_THE_RENAMES[0],
    ONCE_IT_IS_SWAPPED_IN[-1],
)
"""Of each kind; with --trials, all are tried."""

GIVEN_UP = (BETWEEN_THE_RENAMES[0], ONCE_IT_IS_SWAPPED_IN[-1])
"""The same for a run that nobody goes on with."""

TOLD = {
    "insert/phimask_shadow/7/succeeded": ("filling", "is being filled"),
    "createIndexes/phimask_shadow/2/started": ("filling", "is filled; its indexes and its verification"),
    "update/swaps/3/succeeded": ("swapping", "is being swapped in"),
    **dict.fromkeys(BETWEEN_THE_RENAMES, ("swapping", "is being swapped in")),
    "update/swaps/4/succeeded": ("swapped", "swapped in; "),
}
"""What `status` says after a kill then."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function.__name__.startswith("test_killed_and_"):
        some = GIVEN_UP if metafunc.function is test_killed_and_given_up else SOME
        at_moments(metafunc, ALL, some)


def test_killed_and_taken_up_again(moment: str, shadowed: Counters, phimask: Phimask, started: Start) -> None:
    before = definition(shadowed)
    run = ended_at(shadowed, started, moment)
    kept = f"counters.phimask_original_{run}"
    if moment in BETWEEN_THE_RENAMES:
        assert "counters" not in shadowed.database.list_collection_names()
    if moment in TOLD:
        step, words = TOLD[moment]
        assert words in phimask("status").err
        assert phimask("status", "--json").json["collections"][0]["shadow"]["step"] == step
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    conforms(answer.json, "report")
    (one,) = answer.json["collections"]
    assert one["documents"]["masked"] == 200
    assert one["shadow"]["state"] == "swapped"
    assert {"shadow", "count", "untouched", "structure"} <= {
        check["validator"] for check in one["verification"] if check["phase"] == "after" and check["ok"]
    }
    assert shadowed.masked() == 200
    assert shadowed.counts(kept) == {0: 200}
    assert others(shadowed) == [kept]
    assert differences(before, definition(shadowed)) == []
    assert definition(shadowed, kept) == before
    assert phimask("finalize", run, "--yes").code == 0
    assert others(shadowed) == []
    again = phimask("run", "--yes")
    assert again.code == 2
    assert f"run {run} has masked it already" in again.err


@pytest.mark.parametrize("command", [pytest.param("finalize", marks=pytest.mark.soak), "rollback"])
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
    assert shadowed.counts() == {int(swapped): 200}
    assert differences(before, definition(shadowed)) == []
    again = phimask("run", "--yes")
    assert again.code == (2 if swapped else 0), again.err
    assert shadowed.masked() == 200


def test_killed_between_the_renames_and_again(shadowed: Counters, phimask: Phimask, started: Start) -> None:
    run = ended_at(shadowed, started, "renameCollection/counters/1/succeeded")
    assert ended_at(shadowed, started, "renameCollection/shadow/1/started", "resume") == run
    assert ended_at(shadowed, started, "renameCollection/shadow/1/succeeded", "resume") == run
    assert phimask("resume").code == 0
    assert shadowed.masked() == 200


def test_a_rollback_that_was_killed_goes_on(shadowed: Counters, phimask: Phimask, started: Start) -> None:
    before = definition(shadowed)
    assert phimask("run", "--yes").code == 0
    run = shadowed.latest()["_id"]
    for number, phase in ((1, "succeeded"), (1, "started")):
        name = "counters" if phase == "succeeded" else "phimask_original"
        ended_at(shadowed, started, f"renameCollection/{name}/{number}/{phase}", "rollback", run, "--yes")
        assert "counters" not in shadowed.database.list_collection_names()
        assert phimask("resume", run).code == 2
    assert phimask("rollback", run, "--yes").code == 0
    assert definition(shadowed) == before
    assert shadowed.counts() == {0: 200}
    assert others(shadowed) == []


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("drop/phimask_original/1/started", marks=pytest.mark.soak),
        "drop/phimask_original/1/succeeded",
    ],
)
def test_the_original_is_dropped_where_nobody_wants_it(
    moment: str, shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    target(shadowed, "{keep_original: false}")
    run = ended_at(shadowed, started, moment)
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["collections"][0]["shadow"] == {"state": "swapped", "original": None}
    assert shadowed.masked() == 200
    assert others(shadowed) == []
    back = phimask("rollback", run, "--yes")
    assert back.code == 2
    assert f"the original of {shadowed.collection.full_name} was dropped" in back.err
    assert shadowed.masked() == 200
    final = phimask("finalize", run, "--yes")
    assert final.code == 0
    assert f"run {run} is final: no original is kept" in final.err
    assert shadowed.masked() == 200


WRITES: dict[str, Callable[[Any], object]] = {
    "insert": lambda collection: collection.insert_one({"Count": 0}),
    "update": lambda collection: collection.update_one({"_id": 0}, {"$set": {"Other": 1}}),
    "replace": lambda collection: collection.replace_one({"_id": 0}, {"Count": 0}),
    "delete": lambda collection: collection.delete_one({"_id": 199}),
}


@pytest.mark.parametrize(
    "write",
    [one if one in ("insert", "delete") else pytest.param(one, marks=pytest.mark.soak) for one in WRITES],
)
def test_it_is_not_swapped_in_where_somebody_wrote(
    write: str, shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    process = started("run", "--yes", PACE="0.005")
    wait_for(lambda: any("phimask_shadow" in name for name in others(shadowed)), process)
    WRITES[write](shadowed.collection)
    now = list(shadowed.collection.find().sort("_id"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    run = shadowed.latest()["_id"]
    refused = f"somebody wrote to it ({write}); its shadow is not swapped in, and the original is as it was"
    assert refused in err
    again = phimask("resume", run)
    assert again.code == 1
    assert refused in again.err
    assert "(target.shadow.catch_up)" in again.err
    assert list(shadowed.collection.find().sort("_id")) == now
    final = phimask("finalize", run, "--yes")
    assert final.code == 0
    assert f"{shadowed.collection.full_name} as it was before the run, and its shadow is dropped" in final.err
    assert others(shadowed) == []
    assert list(shadowed.collection.find().sort("_id")) == now


def test_what_was_inserted_after_the_plan_is_masked_too(
    shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    place = shadowed.collection.full_name
    process = started("run", "--yes", AT="insert/runs/1/started", WRITE=place)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert shadowed.counts() == {1: 201}
    assert phimask("rollback", shadowed.latest()["_id"], "--yes").code == 0
    assert shadowed.counts() == {0: 201}


def test_a_write_at_the_last_moment_is_seen_and_the_swap_undone(
    shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    before = definition(shadowed)
    place = shadowed.collection.full_name
    process = started("run", "--yes", AT="renameCollection/counters/1/started", WRITE=place)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "somebody wrote to it (insert)" in err
    assert shadowed.counts() == {0: 201}
    assert definition(shadowed) == before
    again = phimask("resume")
    assert again.code == 1
    assert "somebody wrote to it (insert)" in again.err
    assert shadowed.counts() == {0: 201}
    assert phimask("rollback", shadowed.latest()["_id"], "--yes").code == 0
    assert others(shadowed) == []
    assert shadowed.counts() == {0: 201}


def test_a_collection_that_somebody_makes_between_the_renames(
    shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    place = shadowed.collection.full_name
    process = started("run", "--yes", AT="renameCollection/counters/1/succeeded", WRITE=place)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    for answer in (err, phimask("resume").err):
        assert "a collection that phimask does not know has it" in answer
    assert shadowed.collection.find_one() == {"_id": "late", "Count": 0}
    shadowed.collection.rename("late")
    assert phimask("resume").code == 0
    assert shadowed.masked() == 200
    assert shadowed.database["late"].count_documents({}) == 1


def test_masked_values_that_the_validator_refuses(shadowed: Counters, phimask: Phimask) -> None:
    shadowed.file("counters", "  - {path: Ward, masker: {name: replace, options: {value: 7}}}\n")
    shadowed.collection.drop_index("again")
    refused = phimask("run", "--yes")
    assert refused.code == 2
    assert "refuses 20 of 20 masked samples, and the shadow of such is not swapped in" in refused.err
    answer = phimask("run", "--yes", "--json", "--accept", "validator-refuses")
    assert answer.code == 1, answer.err
    (one,) = answer.json["collections"]
    assert one["shadow"] == {"state": "left", "original": shadowed.collection.full_name}
    check = next(check for check in one["verification"] if check["validator"] == "shadow")
    assert [(found["what"], found["count"]) for found in check["findings"]] == [
        ("documents that the validator refuses once they are masked", 200)
    ]
    assert shadowed.counts() == {0: 200}
    assert phimask("finalize", shadowed.latest()["_id"], "--yes").code == 0
    assert others(shadowed) == []


def test_masked_values_that_a_unique_index_refuses(
    shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    shadowed.file("counters", "  - {path: Seen, masker: {name: replace, options: {value: 7}}}\n")
    shadowed.collection.drop_index("Seen_1")
    shadowed.collection.update_many({}, [{"$set": {"Seen": "$_id"}}])
    process = started("run", "--yes", PACE="0.005")
    wait_for(lambda: any("phimask_shadow" in name for name in others(shadowed)), process)
    shadowed.collection.create_index("Seen", unique=True)  # the plan knew nothing of it
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "a unique index cannot be built over the masked values, of which some are the same" in err
    assert shadowed.counts() == {0: 200}
    assert phimask("finalize", shadowed.latest()["_id"], "--yes").code == 0
    assert others(shadowed) == []


def test_a_document_that_is_left_out_keeps_the_original_in_its_place(
    shadowed: Counters, phimask: Phimask
) -> None:
    name = shadowed.folder / "collections" / "counters.yaml"
    name.write_text(name.read_text("utf-8").replace("rules:", "on_error: quarantine\nrules:"), "utf-8")
    shadowed.collection.update_one({"_id": 5}, {"$set": {"Count": "many"}})
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 1, answer.err
    assert "verification found something" in answer.err
    assert "catch_up" not in answer.err
    assert answer.json["collections"][0]["documents"]["quarantined"] == 1
    assert shadowed.counts() == {0: 199, "many": 1}
    resumed = phimask("resume")
    assert resumed.code == 1
    assert phimask("finalize", shadowed.latest()["_id"], "--yes").code == 0
    assert others(shadowed) == []


def test_what_a_shadow_cannot_stand_for_is_refused_before_anything_is_written(
    shadowed: Counters, phimask: Phimask
) -> None:
    database = shadowed.database
    database.create_collection("capped", capped=True, size=4096)
    database["capped"].insert_one({"Count": 0})
    database.create_collection("view", viewOn="counters", pipeline=[])
    database.create_collection("times", timeseries={"timeField": "Born"})
    long = "c" * 200
    database[long].insert_one({"Count": 0})
    database["counters.phimask_original_x"].insert_one({"Count": 0})
    database["other"].insert_one({"Count": 0})
    database["other.phimask_shadow_y"].insert_one({"Count": 0})
    for name, told in (
        ("capped", "is a capped collection, which a shadow cannot stand for"),
        ("view", "is a view"),
        ("times", "is a time-series collection"),
        (long, "bytes, and MongoDB takes 255"),
        ("counters.phimask_original_x", "belongs to run x, which masked counters through a shadow"),
        (
            "other",
            "other.phimask_shadow_y is there still, of run y; end that run first with `phimask finalize y`",
        ),
    ):
        shadowed.file("one")
        file = shadowed.folder / "collections" / "one.yaml"
        file.write_text(file.read_text("utf-8").replace("collection: one", f"collection: {name}"), "utf-8")
        before = shadowed.told()
        for command in (("plan", "-c", "one"), ("run", "--yes", "-c", "one")):
            answer = phimask(*command)
            assert answer.code == 2, answer.err
            assert answer.err.count(told) == 1, answer.err
        assert shadowed.told() == before
    database.drop_collection("counters.phimask_original_x")
    for flags, told in (
        (("--query", '{"Ward": 1}'), "leave out --query and --limit"),
        (("--limit", "3"), "leave out --query and --limit"),
        (("--set", "write.journal=false"), "a shadow needs the journal"),
    ):
        answer = phimask("run", "--yes", *flags)
        assert answer.code == 2, answer.err
        assert told in answer.err
    assert shadowed.counts() == {0: 200}


def test_the_plan_says_what_it_comes_to(shadowed: Counters, phimask: Phimask) -> None:
    answer = phimask("plan")
    assert answer.code == 0, answer.err
    said = " ".join(answer.err.split())
    for told in (
        "which then takes its place",
        "write path shadow, as phimask.yaml says (target.shadow)",
        "then 6 index(es) built, all documents verified, and a swap by rename",
        "B beside the original",
        "with PHI in it, until `phimask finalize` or `phimask rollback`",
        "nobody may write to it while its shadow is filled",
    ):
        assert told in said, said
    said = phimask("plan", "--json").json["collections"][0]["shadow"]
    assert said["indexes"] == 6
    assert 0 < said["disk_bytes"] < said["free_bytes"]
    assert others(shadowed) == []


def test_nobody_is_asked_without_a_terminal(shadowed: Counters, phimask: Phimask) -> None:
    answer = phimask("run")
    assert answer.code == 2
    assert "this would put masked shadows in the place of" in answer.err
    assert phimask("run", "--yes").code == 0
    run = shadowed.latest()["_id"]
    for command, told in (
        ("finalize", f"counters.phimask_original_{run} will be dropped"),
        ("rollback", "what was masked is dropped, with all that was written to it since"),
    ):
        answer = phimask(command, run)
        assert answer.code == 2
        assert told in answer.err
    assert len(others(shadowed)) == 1


def test_what_was_swapped_in_is_verified_against_the_original(shadowed: Counters, phimask: Phimask) -> None:
    assert phimask("run", "--yes").code == 0
    answer = phimask("verify")
    assert answer.code == 0, answer.err
    assert "untouched: 200 checked, ok" in answer.err
    shadowed.collection.update_one({"_id": 3}, {"$set": {"Ward": 0.5}})
    assert phimask("verify").code == 3
    assert phimask("finalize", shadowed.latest()["_id"], "--yes").code == 0
    answer = phimask("verify")
    assert answer.code == 0, answer.err
    assert "there are no originals to compare with" in answer.err


def test_several_collections_of_which_one_is_swapped_in_already(
    shadowed: Counters, phimask: Phimask, started: Start
) -> None:
    shadowed.file("more")
    shadowed.fill("more", 60)
    file = shadowed.folder / "phimask.yaml"
    file.write_text(file.read_text("utf-8").replace("[counters]", "[counters, more]"), "utf-8")
    run = ended_at(shadowed, started, "insert/more.phimask_shadow/2/succeeded")
    assert shadowed.masked() == 200
    assert shadowed.masked("more") == 0
    answer = phimask("resume", "--json", "--set=executor=local")
    assert answer.code == 0, answer.err
    assert shadowed.masked() == 200
    assert shadowed.masked("more") == 60
    assert [one["shadow"]["state"] for one in answer.json["collections"]] == ["swapped", "swapped"]
    assert phimask("rollback", run, "--yes").code == 0
    assert shadowed.counts() == {0: 200}
    assert shadowed.counts("more") == {0: 60}
    assert sorted(shadowed.database.list_collection_names()) == ["counters", "more"]


def test_where_writes_are_only_counted(
    shadowed: Counters, phimask: Phimask, started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.engine.writers.has_transactions", lambda client: False)
    run = ended_at(shadowed, started, "insert/phimask_shadow/7/succeeded")
    found = shadowed.ledger["masking_coordination.swaps"].find_one()
    assert found is not None
    assert "token" in found["watch"]  # the process that was killed knew better; what follows only counts
    watch = {"server": "another", "writes": 0}
    shadowed.ledger["masking_coordination.swaps"].update_one({}, {"$set": {"watch": watch}})
    answer = phimask("resume")
    assert answer.code == 1
    assert "the standalone server was restarted" in answer.err
    assert phimask("finalize", run, "--yes").code == 0
    assert phimask("run", "--yes").code == 0
    assert shadowed.masked() == 200
