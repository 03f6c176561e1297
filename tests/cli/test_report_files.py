"""What a run leaves behind for an audit: the page."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

CANARY = "Zebulon Quagmire-Canary"
RULES = """\
version: 1
collection: people
subject: PatientId
on_error: quarantine
rules:
  - {path: Name, hipaa: A, masker: {name: fake, options: {kind: full_name}}}
  - {path: Born, hipaa: C, masker: {name: date_shift, options: {max_days: 30}}}
  - {path: Visits.Note, hipaa: text, masker: redact}
"""


@pytest.fixture
def people(deployed: Path, database: Database[dict[str, Any]]) -> Any:
    """Three hundred people who never were; the `_id` of one, who is left out, is a name."""
    (deployed / "collections" / "people.yaml").write_text(RULES, encoding="utf-8")
    collection = database["people"]
    collection.insert_many(
        {
            "_id": CANARY if number == 7 else number,
            "PatientId": f"P{number}",
            "Name": CANARY,
            "Born": CANARY if number == 7 else datetime.datetime(1951, 2, 3),  # noqa: DTZ001
            "Visits": [{"Note": f"{CANARY} came"}],
        }
        for number in range(300)
    )
    return collection


def written(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def test_the_page_of_a_run_holds_no_value_and_no_id(people: Any, phimask: Callable[..., Any]) -> None:
    where = ("-d", people.database.name)
    answer = phimask(*where, "-c", "people", "--yes", "--json", "--report", "r.json", "--html", "r.html")
    assert answer.code == 3, answer.err
    assert "page: r.html" in answer.err
    assert CANARY in written("r.json")  # in the quarantine list, and nowhere else
    run = answer.json["run_id"]
    kept = phimask("report", run, *where, "--html", "kept.html")
    assert kept.code == 0, kept.err
    again = phimask("report", "r.json", "--html", "again.html")
    assert again.code == 0, again.err
    for name in ("r.html", "kept.html", "again.html"):
        page = written(name)
        assert run in page
        assert "HIPAA Safe Harbor" in page
        assert "299" in page
        for secret in ("Zebulon", "Quagmire", "Canary", os.environ["PHIMASK_KEY"]):
            assert secret not in page
    assert "Throughput" in written("r.html")
    assert written("r.html") == written("kept.html")  # the ledger keeps the run over time
    assert "Throughput" not in written("again.html")
    (one,) = answer.json["collections"]
    assert [rule["hipaa"] for rule in one["rules"]] == [["A"], ["C"], ["text"]]
    assert [rule["sampled"] for rule in one["rules"]] == [300, 300, 300]
    assert one["seconds"] > 0
    assert answer.json["software"]["mongodb"].count(".") == 2


def test_a_page_that_cannot_be_written_is_refused_before_anything_is(
    people: Any, phimask: Callable[..., Any]
) -> None:
    before = list(people.find())
    flags = ("-d", people.database.name, "-c", "people", "--yes")
    for given, said in (
        (("--html", "nowhere/r.html"), "--html nowhere/r.html: there is no such directory; make it first"),
        (("--html", "r.x", "--report", "./r.x"), "--report and --html name the same file"),
    ):
        answer = phimask(*flags, *given)
        assert answer.code == 2
        assert said in answer.err.replace(os.sep, "/")
    assert phimask("report", "anything", "--html", "nowhere/r.html").code == 2
    assert list(people.find()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_at_the_end_is_told_and_the_rest_is_written(
    people: Any, phimask: Callable[..., Any]
) -> None:
    people.delete_one({"_id": CANARY})
    flags = ("-d", people.database.name, "-c", "people", "--yes", "--report", "r.json")
    answer = phimask(*flags, "--html", "/dev/full")
    assert answer.code == 1
    assert (
        "the run is over (completed), but its page cannot be written to /dev/full: No space left"
        in answer.err
    )
    run = json.loads(written("r.json"))["run_id"]
    assert people.count_documents({"Name": CANARY}) == 0
    answer = phimask("report", run, "-d", people.database.name, "--html", "/dev/full")
    assert answer.code == 1
    assert "the page cannot be written to /dev/full: No space left" in answer.err
    assert phimask("report", run, "-d", people.database.name, "--html", "late.html").code == 0


def test_a_run_that_nobody_knows_is_guessed_at(people: Any, phimask: Callable[..., Any]) -> None:
    answer = phimask("-d", people.database.name, "-c", "people", "--yes", "--json", "--limit", "5")
    run = answer.json["run_id"]
    wrong = phimask("report", f"{run[:-1]}{'0' if run[-1] != '0' else '1'}", "--html", "r.html")
    assert wrong.code == 2
    assert f"did you mean '{run}'?" in wrong.err
    assert not Path("r.html").exists()
    missing = phimask("report", "r.json", "--html", "r.html")
    assert missing.code == 2
    assert "does not exist" in missing.err
