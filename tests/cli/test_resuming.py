"""What a run that is taken up again, shared by several workers, or beside other writers, may not do: too much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import pytest
from bson.binary import Binary
from pymongo.database import Database

from phimask.config.model import Configuration
from phimask.engine.beginning import take_up
from phimask.errors import UsageError
from phimask.ledger.opening import open_ledger
from phimask.ledger.run_record import RunRecord
from phimask.ledger.runs import Runs

RUN = RunRecord(
    id="r", state="running", command="run", profile="emergency", version="0", key_fingerprint=None, pins=(),
    query=None, limit=None, guard=True, journal=True, vault=None,
)  # fmt: skip


def test_a_limit_holds_for_all_workers_together(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    filler = Binary(b"\0" * 2000)
    database.people.insert_many(
        {"_id": number, "PatientId": str(number), "Name": "Ann Lee", "Filler": filler}
        for number in range(3000)
    )
    answer = phimask(
        *("run", "--yes", "--json", "--profile", "parallel", "-c", "people", "--db", database.name),
        *("--limit", "500", "--set", "executor.options.workers=2"),
        *("--set", "partitioner.options.target_size=1MB"),
    )
    assert answer.code == 0, answer.err
    assert answer.json["collections"][0]["documents"]["masked"] == 500
    assert database.people.count_documents({"Name": {"$ne": "Ann Lee"}}) > 490  # a fake may be the same
    assert database.people.count_documents({"Name": "Ann Lee"}) >= 2500


@pytest.mark.parametrize("state", ["completed", "finalized", "rolling_back"])
def test_a_run_that_ended_while_its_resume_was_planned_stays_so(
    state: Any, database: Database[dict[str, Any]]
) -> None:
    runs = Runs(open_ledger(database.client, database.name, "ledger"))
    runs.end("r", runs.begin(RUN), "stopped")
    record = runs.find("r")
    assert record is not None
    runs.mark("r", state)
    with pytest.raises(UsageError, match=r"run r"):
        take_up(runs, record, [], cast("Configuration", None), None)
    assert (found := runs.find("r")) is not None
    assert found.state == state


def test_status_names_who_holds_what(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.people.insert_one({"_id": 1, "PatientId": "1", "Name": "Ann Lee"})
    assert phimask("run", "--yes", "--profile", "emergency", "-c", "people", "--db", database.name).code == 0
    said = phimask("status").err
    assert f"{database.name}.people: 1 of 1 documents read, 1 masked, 0 unchanged, 0 quarantined\n" in said
    assert "    partitions: 1 of 1 done, 0 leased\n" in said


@pytest.mark.parametrize(("profile", "code"), [("production", 2), ("emergency", 0)])
def test_a_plan_says_that_there_are_no_transactions(
    profile: str, code: int, deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    database.people.insert_one(
        {
            "_id": 1,
            "PatientId": "1",
            "Name": "Ann Lee",
            "Born": datetime(1990, 1, 1, tzinfo=timezone.utc),
            "Visits": [{"Note": "-"}],
        }
    )
    flags = ("--json", "--profile", profile, "-c", "people", "--db", database.name)
    assert phimask("plan", *flags).code == 0
    monkeypatch.setattr("phimask.engine.beginning.has_transactions", lambda client: False)
    answer = phimask("plan", *flags)
    assert answer.code == code, answer.err
    said = answer.json["collections"][0]
    assert [one["id"] for one in said["hazards"]] == ["no-transactions" if code == 2 else "standalone"]
    assert phimask("plan", *flags, "--target-db", f"{database.name}_copy").code == 0


def test_what_was_given_up_half_way_is_masked_again_only_where_that_is_asked_for(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.people.insert_many(
        {"_id": number, "PatientId": str(number), "Name": "Ann Lee"} for number in range(2000)
    )
    run = ("run", "--yes", "--profile", "emergency", "-c", "people", "--db", database.name)
    # The first batch is 50 documents, after which there is nothing slow enough for a person.
    stopped = phimask(*run, "--json", "--set", "canary={batches: 1, min_documents_per_second: 1000000}")
    assert stopped.code == 4
    assert 0 < stopped.json["collections"][0]["documents"]["masked"] < 2000
    assert phimask("finalize", stopped.json["run_id"], "--yes").code == 0
    again = phimask(*run)
    assert again.code == 2
    assert f"run {stopped.json['run_id']} has masked it already" in again.err
    assert phimask(*run, "--again").code == 0


def test_one_command_for_every_night(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.people.insert_many(
        {"_id": number, "PatientId": str(number), "Name": "Ann Lee"} for number in range(2000)
    )
    # A ledger of its own, since it goes on with whatever is unfinished there.
    text = f"version: 1\ncoordination: {{database: {database.name}, prefix: nights}}\n"
    (deployed / "phimask.yaml").write_text(text, encoding="utf-8")
    database.people.create_index([("Visits.Note", "text")])
    night = (
        "resume",
        "--or-begin",
        "--json",
        "--profile",
        "emergency",
        "-c",
        "people",
        "--db",
        database.name,
    )
    canary = ("--set", "canary={batches: 1, min_documents_per_second: 1000000}")
    asked = phimask(*night, *canary)
    assert asked.code == 2
    assert "--accept text-index" in asked.err
    first = phimask(*night, *canary, "--accept", "text-index")
    assert first.code == 4, first.err
    (accepted,) = first.json["accepted"]
    assert (accepted["id"], accepted["path"]) == ("text-index", "Visits.Note")
    second = phimask(*night)
    assert second.code == 0, second.err
    assert second.json["run_id"] == first.json["run_id"]
    assert second.json["resumed"] == 1
    assert second.json["accepted"] == first.json["accepted"], "what was accepted is the run's"
    assert database.people.count_documents({"Name": "Ann Lee"}) < 10
    third = phimask(*night, "--accept", "text-index")
    assert third.code == 2
    assert "has masked it already" in third.err
    assert phimask("resume", first.json["run_id"], "--or-begin").code == 2


def test_what_is_accepted_in_the_collection_file(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.people.create_index([("Visits.Note", "text")])
    file = deployed / "collections" / "people.yaml"
    text = file.read_text(encoding="utf-8")
    planned = ("plan", "--json", "-c", "people", "--db", database.name)

    def accepted() -> bool:
        (one,) = phimask(*planned).json["collections"]
        return bool(next(found["accepted"] for found in one["hazards"] if found["id"] == "text-index"))

    assert not accepted()
    file.write_text(f"{text}accept: [text-index]\n", encoding="utf-8")
    assert accepted()
    file.write_text(f"{text}accept: [text-indx]\n", encoding="utf-8")
    wrong = phimask(*planned)
    assert wrong.code == 2
    assert "text-index" in wrong.err
