from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from shipped import conforms

BORN = datetime.datetime(1951, 2, 3)  # noqa: DTZ001
CANARY = "Zebulon Quagmire-Canary"


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    """Five hundred people who never were, one of them with a name to look for."""
    collection = database["people"]
    collection.insert_many(
        {
            "_id": number,
            "PatientId": f"P{number}",
            "Name": CANARY if number == 7 else f"Person Number{number}",
            "Born": BORN,
            "Visits": [{"Note": f"{CANARY} came", "Room": number}, {"Note": None}, 7],
            "Ward": "W1",
        }
        for number in range(500)
    )
    return collection


@pytest.mark.parametrize("profile", ["emergency", "parallel", "advanced", "production"])
def test_masks_in_place_and_reports_under_every_profile(
    profile: str, deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    before = {one["_id"]: one for one in people.find()}
    answer = phimask("--profile", profile, "-d", people.database.name, "-c", "people", "--yes", "--json")
    assert answer.code == 0, answer.err
    report = answer.json
    conforms(report, "report")
    (one,) = report["collections"]
    assert one["documents"] == {"total": 500, "masked": 500, "unchanged": 0, "quarantined": 0, "missing": 0}
    assert [rule["masked"] for rule in one["rules"]] == [500, 500, 500]
    assert all(result["ok"] for result in one["verification"])
    assert report["status"] == "completed"
    for after in people.find():
        original = before[after["_id"]]
        assert list(after) == list(original)
        assert after["Name"] != original["Name"]
        assert 1 <= abs((after["Born"] - BORN).days) <= 30
        assert after["Visits"] == [{"Note": "[REDACTED]", "Room": after["_id"]}, {"Note": None}, 7]
        assert after["Ward"] == "W1"
    series = list(
        people.database.client["phimask"]["masking_coordination.series"].find({"run": report["run_id"]})
    )
    points = [entry for entry in series if entry["kind"] == "point"]
    assert sum(point["documents"] for point in points) == 500
    assert sum(point["batches"] for point in points) == one["batches"]["count"]
    assert [entry["what"] for entry in series if entry.get("level") == "alert"] == ["AlertRaised"]  # finished
    assert CANARY not in answer.out + answer.err + str(series)


@pytest.mark.parametrize(
    "profile",
    [
        "emergency",
        "parallel",
        *(pytest.param(one, marks=pytest.mark.soak) for one in ("advanced", "production")),
    ],
)
def test_masks_into_a_target_and_leaves_the_source(
    profile: str, deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    before = list(people.find().sort("_id"))
    target = people.database.client[f"{people.database.name}_masked"]
    try:
        answer = phimask(
            "--profile",
            profile,
            "-d",
            people.database.name,
            "-c",
            "people",
            "--target-db",
            target.name,
            "--json",
        )
        assert answer.code == 0, answer.err
        (one,) = answer.json["collections"]
        assert one["target"] == f"{target.name}.people"
        after_phase = {r["validator"]: r["checked"] for r in one["verification"] if r["phase"] == "after"}
        assert after_phase["untouched"] == after_phase["structure"] == after_phase["no_original"] == 500
        assert list(people.find().sort("_id")) == before
        assert target["people"].count_documents({}) == 500
        assert target["people"].count_documents({"Name": {"$in": [one["Name"] for one in before]}}) == 0

        again = phimask(
            "--profile",
            profile,
            "-d",
            people.database.name,
            "-c",
            "people",
            "--target-db",
            target.name,
            "--json",
        )
        assert again.code == 0, again.err
        assert target["people"].count_documents({}) == 500

        verified = phimask(
            "verify", "-d", people.database.name, "-c", "people", "--target-db", target.name, "--json"
        )
        assert verified.code == 0, verified.err
    finally:
        people.database.client.drop_database(target.name)


def test_verify_catches_what_a_run_left_unmasked(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    target = people.database.client[f"{people.database.name}_masked"]
    where = ("-d", people.database.name, "-c", "people")
    try:
        assert phimask(*where, "--target-db", target.name).code == 0
        original = people.find_one({"_id": 7})
        target["people"].replace_one({"_id": 7}, original)
        target["people"].update_one({"_id": 8}, {"$set": {"Ward": "W2"}})
        target["people"].delete_one({"_id": 9})
        answer = phimask("verify", *where, "--target-db", target.name, "--json")
        assert answer.code == 3
        (results,) = answer.json.values()
        found = {one["validator"]: not one["ok"] for one in results}
        assert found["no_original"]
        assert found["untouched"]
        assert found["count"]
        assert CANARY not in answer.out + answer.err
    finally:
        people.database.client.drop_database(target.name)


def test_verify_in_place_finds_a_note_that_is_not_redacted(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    where = ("-d", people.database.name, "-c", "people")
    assert phimask(*where, "--yes").code == 0
    assert phimask("verify", *where).code == 0
    people.update_one({"_id": 3}, {"$set": {"Visits.0.Note": CANARY}})
    answer = phimask("verify", *where)
    assert answer.code == 3
    assert "redact would still change at Visits.Note" in answer.err
    assert CANARY not in answer.err


def test_query_and_limit_bound_what_is_masked(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    where = ("-d", people.database.name, "-c", "people", "--yes", "--json")
    answer = phimask(*where, "--query", '{"_id": {"$gte": 400}}', "--limit", "30")
    assert answer.code == 0, answer.err
    assert answer.json["collections"][0]["documents"]["masked"] == 30
    masked = people.count_documents({"Visits.Note": "[REDACTED]"})
    assert masked == people.count_documents({"Visits.Note": "[REDACTED]", "_id": {"$gte": 400}}) == 30


def test_asks_before_it_changes_documents_in_place(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    answer = phimask("-d", people.database.name, "-c", "people")
    assert answer.code == 2
    assert f"{people.database.name}.people (about 500 documents)" in answer.err
    assert "--yes" in answer.err
    assert people.count_documents({"Visits.Note": "[REDACTED]"}) == 0


def test_dry_run_and_plan_write_nothing(deployed: Path, people: Any, phimask: Callable[..., Any]) -> None:
    before = list(people.find())
    for command in (("run", "--dry-run"), ("plan",)):
        answer = phimask(*command, "-d", people.database.name, "-c", "people", "--json")
        assert answer.code == 0, answer.err
        (plan,) = answer.json["collections"]
        assert plan["documents"] == 500
        assert [rule["values"] for rule in plan["rules"]] == [500, 500, 500]
        assert plan["reads"] == "only Born, Name, PatientId, Visits"
    assert list(people.find()) == before


def test_log_and_report_files_hold_no_value_and_no_key(
    deployed: Path, people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.environ["PHIMASK_KEY"]
    answer = phimask(
        "-d", people.database.name, "-c", "people", "--yes", "--report", "report.json", "--log-dir", "logs"
    )
    assert answer.code == 0, answer.err
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    conforms(report, "report")
    (log,) = Path("logs").iterdir()
    text = log.read_text(encoding="utf-8") + json.dumps(report) + answer.err
    assert "batch" in text
    assert report["run_id"] in log.name
    for secret in (CANARY, "Quagmire", "Person Number", key, key.rpartition(":")[2]):
        assert secret not in text
    shown = phimask("report", "report.json")
    assert shown.code == 0
    assert report["run_id"] in shown.err


def test_safe_mode_checks_every_document(deployed: Path, people: Any, phimask: Callable[..., Any]) -> None:
    answer = phimask("-d", people.database.name, "-c", "people", "--yes", "--json", "--safe-mode")
    assert answer.code == 0, answer.err
    (one,) = answer.json["collections"]
    assert {r["validator"]: r["checked"] for r in one["verification"] if r["phase"] == "during"}[
        "untouched"
    ] == 500
    assert one["batches"]["count"] >= 5


def test_canary_stops_safely_with_what_to_change(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    answer = phimask(
        "--profile", "emergency", "-d", people.database.name, "-c", "people", "--yes", "--json",
        "--set", "canary.batches=1", "--set", "canary.min_documents_per_second=1000000000",
    )  # fmt: skip
    assert answer.code == 4
    assert answer.json["status"] == "stopped"
    assert "canary" in answer.json["stopped_because"]
    assert "canary.min_documents_per_second" in answer.err


def test_quarantined_documents_are_a_finding(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    Path("collections/people.yaml").write_text(
        "version: 1\ncollection: people\nsubject: PatientId\non_error: quarantine\n"
        "rules:\n  - {path: Born, masker: date_shift}\n",
        encoding="utf-8",
    )
    people.update_one({"_id": 11}, {"$set": {"Born": "once upon a time"}})
    answer = phimask("-d", people.database.name, "-c", "people", "--yes", "--json")
    assert answer.code == 3
    (one,) = answer.json["collections"]
    assert one["documents"]["quarantined"] == 1
    assert [json.loads(identity) for identity in one["quarantined_ids"]] == [{"$numberInt": "11"}]
    assert people.find_one({"_id": 11})["Born"] == "once upon a time"
    assert "once upon" not in answer.out + answer.err


def test_on_error_halt_ends_the_run_without_the_value(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    Path("collections/people.yaml").write_text(
        "version: 1\ncollection: people\nsubject: PatientId\non_error: halt\n"
        "rules:\n  - {path: Born, masker: date_shift}\n",
        encoding="utf-8",
    )
    people.update_one({"_id": 11}, {"$set": {"Born": "once upon a time"}})
    answer = phimask("-d", people.database.name, "-c", "people", "--yes", "--json")
    assert answer.code == 1
    assert "a string at Born could not be masked" in answer.err
    assert answer.json["status"] == "failed"
    assert "once upon" not in answer.out + answer.err
