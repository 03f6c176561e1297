"""A shadow whose original others write to, by the command line on a real server, with a process that writes all the
while: nothing of what was acknowledged is lost, nothing comes back, all is masked once; killed at each step, too."""

from __future__ import annotations

import time
from typing import Any

import pytest
from counters import Counters
from pymongo.errors import WriteError
from shadows import Phimask, Start, at_moments, definition, ended_at, others, target
from writing import Writer, swapped_at

from phimask.ledger.swaps import Swaps
from phimask.store.definition import differences
from shipped import conforms

_COUNT = 200
_VALIDATOR = {"$jsonSchema": {"required": ["Count"], "properties": {"Ward": {"maximum": 2}}}}


@pytest.fixture
def live(counters: Counters) -> Counters:
    """Two hundred documents, indexed and validated, to be masked through a shadow while others write."""
    target(counters, "{catch_up: true, keep_original: false}")
    counters.collection.drop()
    counters.database.create_collection("counters", validator=_VALIDATOR, validationLevel="moderate")
    counters.collection.create_index([("Ward", 1), ("_id", 1)], name="ward", unique=True)
    counters.collection.create_index("Seen", expireAfterSeconds=3600)
    counters.fill("counters", _COUNT)
    return counters


def swapped(counters: Counters) -> Any:
    return swapped_at(counters.database.client, counters.collection.full_name)


def test_others_write_all_the_while(live: Counters, phimask: Phimask) -> None:
    before = definition(live)
    with Writer(live, _COUNT) as writer:
        answer = phimask("run", "--yes", "--json")
        assert answer.code == 0, answer.err
        writer.went_on()
    writer.judge(swapped(live))
    conforms(answer.json, "report")
    (one,) = answer.json["collections"]
    assert one["shadow"]["state"] == "swapped"
    assert one["shadow"]["original"] is None
    assert one["shadow"]["caught_up"] > 0
    assert one["shadow"]["closed_seconds"] > 0
    assert {"shadow", "count", "untouched", "structure"} <= {
        check["validator"] for check in one["verification"] if check["phase"] == "after" and check["ok"]
    }
    assert one["rules"][0]["values"] > one["documents"]["masked"]
    assert others(live) == []
    assert differences(before, definition(live)) == []
    assert live.ledger["masking_coordination.changes"].count_documents({}) == 0
    assert phimask("run", "--yes").code == 2
    assert phimask("rollback", answer.json["run_id"], "--yes").code == 2
    assert phimask("finalize", answer.json["run_id"], "--yes").code == 0
    writer.judge(swapped(live))


def test_the_follower_notes_while_the_shadow_gets_its_name(
    live: Counters, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Swaps.note

    def slow(swaps: Swaps, namespace: str, shadow: str | None = None, /, **fields: Any) -> Any:
        noted = note(swaps, namespace, shadow, **fields)
        if "shadow" in fields:
            time.sleep(0.5)
        return noted

    monkeypatch.setattr(Swaps, "note", slow)
    monkeypatch.setattr("phimask.engine.following._NOTE_SECONDS", 0)
    answer = phimask("run", "--yes")
    assert answer.code == 0, answer.err
    assert live.counts() == {1: _COUNT}


IN_HAND = ("renameCollection/phimask_shadow/1/started", "renameCollection/phimask_shadow/1/succeeded")
CAUGHT_UP = (
    "update/changes/1/started",
    "update/changes/4/succeeded",
    "insert/.1/1/started",
    "insert/.1/1/succeeded",
    "delete/.1/1/succeeded",
    "createIndexes/.1/1/started",
    "collMod/.1/1/succeeded",
)
CLOSED = (
    "collMod/=counters/1/started",
    "collMod/=counters/1/succeeded",
    "aggregate/.1/2/started",
    "collMod/.1/2/succeeded",
    "renameCollection/.1/1/started",
)
SWAPPED = (
    "renameCollection/.1/1/succeeded",
    "update/runs/3/started",
    "update/runs/3/succeeded",
    "delete/changes/1/started",
    "delete/changes/1/succeeded",
)
ALL = (*IN_HAND, *CAUGHT_UP, *CLOSED, *SWAPPED)
SOME = (CLOSED[1], SWAPPED[0])
"""The two in which most could go wrong; with --trials, all are tried."""
GIVEN_UP = (CLOSED[1],)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "moment" in metafunc.fixturenames:
        some = GIVEN_UP if metafunc.function is test_killed_and_given_up else SOME
        at_moments(metafunc, ALL, some)


def refuses(live: Counters) -> bool:
    """Whether the collection takes no write."""
    with pytest.raises(WriteError, match="validation") as refused:
        live.collection.update_one({"_id": {"$gte": 0}}, {"$set": {"Other": 1}})
    return refused.value.code == 121


def test_killed_and_taken_up_again(moment: str, live: Counters, phimask: Phimask, started: Start) -> None:
    before = definition(live)
    with Writer(live, _COUNT) as writer:
        run = ended_at(live, started, moment)
        if moment in CLOSED[1:]:
            assert refuses(live)
            assert "refuses writes" in phimask("status").err
        answer = phimask("resume", run, "--json")
        assert answer.code == 0, answer.err
        writer.went_on()
    writer.judge(swapped(live))
    assert answer.json["collections"][0]["shadow"]["state"] == "swapped"
    assert others(live) == []
    assert differences(before, definition(live)) == []


@pytest.mark.parametrize("command", ["finalize", "rollback"])
def test_killed_and_given_up(
    moment: str, command: str, live: Counters, phimask: Phimask, started: Start
) -> None:
    before = definition(live)
    with Writer(live, _COUNT) as writer:
        run = ended_at(live, started, moment)
        answer = phimask(command, run, "--yes")
        writer.went_on()
    if moment in SWAPPED:
        assert answer.code == (2 if command == "rollback" else 0), answer.err
        phimask("finalize", run, "--yes")
        writer.judge(swapped(live))
    else:
        assert answer.code == 0, answer.err
        writer.judge(None)
    assert others(live) == []
    assert differences(before, definition(live)) == []


@pytest.mark.soak
def test_killed_again_and_again(live: Counters, phimask: Phimask, started: Start) -> None:
    with Writer(live, _COUNT) as writer:
        run = ended_at(live, started, "insert/.1/1/started")
        for moment in (
            "insert/.2/1/succeeded",
            "collMod/=counters/1/succeeded",
            "renameCollection/.4/1/started",
        ):
            assert ended_at(live, started, moment, "resume") == run
        assert phimask("resume").code == 0
    writer.judge(swapped(live))


LAST = "renameCollection/.1/1/started"


def test_a_delete_at_the_last_moment_is_done_after_it(live: Counters, started: Start) -> None:
    process = started("run", "--yes", AT=LAST, WRITE=live.collection.full_name, DO="delete")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert live.counts() == {1: _COUNT - 1}
    assert live.collection.find_one({"_id": 7}) is None


@pytest.mark.soak
def test_a_write_past_the_validator_at_the_last_moment_is_told(
    live: Counters, phimask: Phimask, started: Start
) -> None:
    process = started("run", "--yes", AT=LAST, WRITE=live.collection.full_name, DO="bypass")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    run = live.latest()["_id"]
    told = "not all that was written in the moment of the swap is in it"
    assert told in " ".join(err.split())
    again = phimask("resume", run, "--json")
    assert again.code == 1
    check = next(one for one in again.json["collections"][0]["verification"] if one["validator"] == "shadow")
    assert "past the validator, that are lost (insert)" in str(check["findings"])
    assert live.counts() == {1: _COUNT}
    assert phimask("finalize", run, "--yes").code == 0


@pytest.mark.soak
def test_a_write_past_the_validator_before_that_is_masked(live: Counters, started: Start) -> None:
    process = started(
        "run", "--yes", AT="collMod/=counters/1/succeeded", WRITE=live.collection.full_name, DO="bypass"
    )
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    assert live.counts() == {1: _COUNT + 1}


@pytest.mark.soak
def test_what_cannot_be_masked_keeps_the_original_in_its_place(
    live: Counters, phimask: Phimask, started: Start
) -> None:
    name = live.folder / "collections" / "counters.yaml"
    name.write_text(name.read_text("utf-8").replace("rules:", "on_error: quarantine\nrules:"), "utf-8")
    run = ended_at(live, started, "insert/phimask_shadow/10/succeeded")
    before = definition(live)
    live.collection.update_one({"_id": 5}, {"$set": {"Count": "many"}})
    answer = phimask("resume", run, "--json")
    assert answer.code == 1, answer.err
    (one,) = answer.json["collections"]
    assert one["shadow"]["state"] == "left"
    assert "documents that others wrote, left out (quarantined)" in str(one["verification"])
    assert one["quarantined_ids"] == ["5"] or len(one["quarantined_ids"]) == 1
    assert definition(live) == before
    live.collection.update_one({"_id": 5}, {"$set": {"Count": 0}})
    answer = phimask("resume", run)
    assert answer.code == 0, answer.err
    assert live.counts() == {1: _COUNT}


@pytest.mark.soak
def test_two_documents_that_exchange_a_unique_value(live: Counters, phimask: Phimask, started: Start) -> None:
    live.collection.update_many({}, [{"$set": {"Bed": "$_id"}}])
    live.collection.create_index("Bed", unique=True)
    run = ended_at(live, started, "createIndexes/.1/1/succeeded")
    for one, bed in ((3, -1), (4, 3), (3, 4)):
        live.collection.update_one({"_id": one}, {"$set": {"Bed": bed}})
    answer = phimask("resume", run)
    assert answer.code == 0, answer.err
    assert live.counts() == {1: _COUNT}
    assert [one["Bed"] for one in live.collection.find({"_id": {"$in": [3, 4]}}).sort("_id")] == [4, 3]


@pytest.mark.soak
def test_what_a_worker_has_still_under_way_does_not_reach_it(
    live: Counters, phimask: Phimask, started: Start
) -> None:
    with Writer(live, _COUNT) as writer:
        run = ended_at(live, started, "insert/phimask_shadow/9/succeeded")
        answer = phimask("resume", run)
        assert answer.code == 0, answer.err
        live.database[f"counters.phimask_shadow_{run}"].insert_one({"_id": 0, "Count": 77})
        assert phimask("finalize", run, "--yes").code == 0
    writer.judge(swapped(live))
    assert others(live) == []


def test_a_standalone_server_is_refused(
    live: Counters, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = " ".join(phimask("plan").err.split())
    assert "writers are let write" in said
    assert "refuses writes for a moment" in said
    monkeypatch.setattr("phimask.planning.shadow.has_transactions", lambda client: False)
    answer = phimask("run", "--yes")
    assert answer.code == 2
    assert "cannot be followed (target.shadow.catch_up)" in " ".join(answer.err.split())
    assert live.counts() == {0: _COUNT}
