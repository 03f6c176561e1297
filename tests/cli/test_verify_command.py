"""`phimask verify` in several processes, on a sample, and interrupted."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pymongo.database import Database

from phimask.config.data import shipped_schema
from phimask.ledger.opening import SCHEMA
from shipped import conforms

Phimask = Callable[..., Any]
DOCUMENTS = 400


@pytest.fixture
def copied(
    deployed: Path, database: Database[dict[str, Any]], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, ...]]:
    """A masked copy, and what to call `verify` with. Several processes are worth their while for few documents."""
    monkeypatch.setattr("phimask.engine.pieces._PIECE", (40, 50))
    monkeypatch.setattr("phimask.engine.verification._LEAST_EACH", 40)
    database["people"].insert_many(
        {
            "_id": number,
            "PatientId": f"P{number}",
            "Name": f"Ann Number{number}",
            "Born": datetime(1950, 1, 2),  # noqa: DTZ001
            "Ward": "W",
        }
        for number in range(DOCUMENTS)
    )
    where = (
        "-d",
        database.name,
        "--target-db",
        f"{database.name}_masked",
        "-c",
        "people",
        "--profile",
        "emergency",
    )
    assert phimask("run", *where).code == 0
    yield where
    database.client.drop_database(f"{database.name}_masked")


def entries(answer: Any) -> dict[str, Any]:
    (found,) = answer.json.values()
    of_report = shipped_schema("report")["$defs"]["collection"]["properties"]["verification"]
    jsonschema.validate(found, of_report)
    return {one["validator"]: one for one in found}


def test_several_processes_see_every_document_once(
    copied: tuple[str, ...], database: Database[dict[str, Any]], phimask: Phimask
) -> None:
    target = database.client[f"{database.name}_masked"]["people"]
    target.update_one({"_id": 399}, {"$set": {"Ward": "seen by Ann Number7 today"}})
    target.delete_one({"_id": 3})
    answer = phimask("verify", *copied, "--workers", "2", "--json")
    assert answer.code == 3
    found = entries(answer)
    assert {one["checked"] for name, one in found.items() if name != "indexes"} == {DOCUMENTS}
    assert all(one["sample"] is None for one in found.values())
    assert all(found[name]["ok"] for name in ("no_original", "referential", "indexes"))
    assert [one["count"] for one in found["untouched"]["findings"]] == [1, 1]
    assert [(one["path"], one["count"]) for one in found["leak"]["findings"]] == [("Ward", 1)]
    assert found["count"]["findings"]


def test_a_sample_states_its_bound(
    copied: tuple[str, ...], database: Database[dict[str, Any]], phimask: Phimask
) -> None:
    answer = phimask("verify", *copied, "--sample", "100", "--json")
    assert answer.code == 0, answer.err
    found = entries(answer)
    assert found["untouched"]["checked"] == 100
    assert found["untouched"]["sample"]["share_at_most"] == pytest.approx(0.0295, rel=0.01)
    assert found["untouched"]["sample"]["of"] == DOCUMENTS
    assert found["indexes"]["sample"] is None
    target = database.client[f"{database.name}_masked"]["people"]
    target.update_many({}, {"$set": {"Ward": "X"}})
    answer = phimask("verify", *copied, "--sample", "100", "--json")
    assert answer.code == 3
    sample = entries(answer)["untouched"]["sample"]
    assert (sample["affected"], sample["share_at_most"]) == (100, 1.0)
    assert phimask("verify", *copied, "--sample", "100", "--limit", "3").code == 2


def test_the_profile_may_ask_for_a_sample(copied: tuple[str, ...], phimask: Phimask) -> None:
    answer = phimask("run", *copied, "--set", "check.after=50", "--json")
    assert answer.code == 0, answer.err
    conforms(answer.json, "report")
    (one,) = answer.json["collections"]
    (after,) = (
        each for each in one["verification"] if (each["validator"], each["phase"]) == ("untouched", "after")
    )
    assert (after["checked"], after["sample"]["of"]) == (50, DOCUMENTS)
    assert "with 95% confidence at most" in answer.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_it(
    workers: str, copied: tuple[str, ...], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.cli.verify._nothing", lambda _: signal.raise_signal(signal.SIGINT))
    answer = phimask("verify", *copied, "--workers", workers)
    assert answer.code == 130, answer.err
    assert "stopped during verification" in answer.err
    assert not [one for one in multiprocessing.active_children() if one.name.startswith("phimask-verify")]


def test_a_process_that_dies_fails_the_verification(
    copied: tuple[str, ...], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(_: object) -> None:
        for one in multiprocessing.active_children():
            if one.name.startswith("phimask-verify"):
                one.kill()

    monkeypatch.setattr("phimask.cli.verify._nothing", kill)
    answer = phimask("verify", *copied, "--workers", "2")
    assert answer.code == 1
    assert "ended before its work did" in answer.err


def test_without_originals_nothing_passes_for_an_all_clear(
    deployed: Path, database: Database[dict[str, Any]], phimask: Phimask
) -> None:
    database["people"].insert_many(
        {"_id": number, "PatientId": "P", "Name": "Ann Lee"} for number in range(5)
    )
    where = ("-d", database.name, "-c", "people", "--profile", "emergency")
    assert phimask("run", *where, "--yes").code == 0
    answer = phimask("verify", *where, "--json")
    assert answer.code == 0, answer.err
    found = entries(answer)
    for name in ("structure", "untouched", "leak", "referential"):
        assert not found[name]["ok"]
        assert not found[name]["checked"]
        assert found[name]["unjudged"]
    assert found["no_original"]["unjudged"][0]["path"] == "Name"
    assert "cannot judge" in answer.err


def test_a_run_that_is_not_finished_is_told(
    deployed: Path, database: Database[dict[str, Any]], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    database["people"].insert_one({"_id": 1, "PatientId": "P", "Name": "Ann Lee"})
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ncoordination: {{database: {database.name}, prefix: ledger}}\n",
        "utf-8",
    )
    where = ("-d", database.name, "-c", "people", "--profile", "emergency")
    (deployed / "hold").touch()
    assert (
        phimask("run", *where, "--yes", "--set", "throttle.flag_file=hold", "--max-duration", "1s").code == 4
    )
    (run,) = (one["_id"] for one in database["ledger.runs"].find())
    # As of one that has masked something: a run that has not gives its collections back.
    database["ledger.claims"].update_many({}, {"$set": {"run": run}})
    answer = phimask("verify", *where)
    assert f"warning: {database.name}.people: run {run} is not finished (stopped)" in answer.err


def test_a_ledger_that_cannot_be_read_is_told(
    deployed: Path, database: Database[dict[str, Any]], phimask: Phimask
) -> None:
    database["people"].insert_one({"_id": 1, "Name": "Ann Number1"})
    database["ledger.meta"].insert_one({"_id": "schema", "version": SCHEMA + 1})
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ncoordination: {{database: {database.name}, prefix: ledger}}\n",
        "utf-8",
    )
    answer = phimask("verify", "-d", database.name, "-c", "people", "--profile", "emergency")
    warnings = [line for line in answer.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert f"is of schema {SCHEMA + 1}" in warnings[0]
    assert warnings[0].endswith("without it, nothing is known of originals to compare with")
