"""By which way masked values get into documents: chosen, forced, and the same outcome by all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Int64, MinKey
from pymongo.database import Database

from phimask.rawbson import wrap
from phimask.store.connect import raw_collection
from phimask.store.raw import Unopened, split

RULES = """\
version: 1
collection: people
rules:
  - {path: Name, masker: redact}
  - {path: Age, masker: age_cap}
  - {path: Visits.Note, masker: {name: replace, options: {value: none}}}
  - {path: Visits.Code, masker: remove}
  - {path: Account, masker: {name: replace, options: {value: 1}}}
"""
TWICE = b"\x10Account\0\5\0\0\0"
ODD = (
    bson.encode({"_id": 1001, "Name": ["Ann", ["Lee"]], "Age": 93}),
    bson.encode({"_id": 1002, "Name": MinKey(), "Visits": [[{"Note": "x"}]]}),
    bson.encode({"_id": 1003, "Name": {"Given": "Ann", "Family": ["Lee"]}, "Age": "93"}),
    wrap(bson.encode({"_id": 1004, "Name": "Ann"})[4:-1] + TWICE + TWICE),
)


@pytest.fixture
def served(deployed: Path, database: Database[dict[str, Any]]) -> Database[dict[str, Any]]:
    """2,000 people, of whom four hold what the server cannot mask exactly."""
    (deployed / "collections" / "people.yaml").write_text(RULES, encoding="utf-8")
    database.people.insert_many(
        {
            "_id": number,
            "Name": f"Ann Lee {number}",
            "Age": 60 + number % 40,
            "Visits": [{"Note": "ill", "Code": number, "Ward": 5}, {"Ward": 6}],
            "Account": Int64(number),
        }
        for number in range(2000)
        if number // 10 != 100
    )
    database.people.insert_one({"_id": 2001, "Other": 1})
    raw = raw_collection(database.client, database.name, "people")
    raw.insert_many([Unopened(one) for one in ODD])
    return database


def contents(database: Database[dict[str, Any]]) -> dict[Any, bytes]:
    raw = raw_collection(database.client, database.name, "people")
    found = [one for reply in raw.find_raw_batches({}, sort=[("_id", 1)]) for one in split(reply)]
    return dict(enumerate(found))


def run(database: Database[dict[str, Any]], *settings: str) -> tuple[str, ...]:
    flags = ("run", "--yes", "--json", "--profile", "emergency", "-c", "people", "--db", database.name)
    return (*flags, *(part for one in settings for part in ("--set", one)))


@pytest.mark.parametrize(
    ("path", "guard"),
    [
        ("server", "changed"),
        ("replace", "none"),
        pytest.param("server", "none", marks=pytest.mark.soak),
        pytest.param("replace", "changed", marks=pytest.mark.soak),
    ],
)
def test_every_way_comes_to_the_same(
    path: str, guard: str, served: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    before = contents(served)
    usual = phimask(*run(served, "write.path=set", f"write.guard={guard}"))
    assert usual.code == 0, usual.err
    expected = contents(served)
    raw = raw_collection(served.client, served.name, "people")
    raw.delete_many({})
    raw.insert_many([Unopened(one) for one in before.values()])
    sizes = "batch_sizer={name: fixed, options: {documents: 300}}"
    answer = phimask(*run(served, f"write.path={path}", f"write.guard={guard}", sizes), "--again")
    assert answer.code == 0, answer.err
    assert contents(served) == expected
    (entry,), (other,) = answer.json["collections"], usual.json["collections"]
    if (path, guard) == ("server", "none"):  # of four ranges of 300 nobody knows how far the server came
        assert entry["documents"]["masked"] + entry["documents"]["unchanged"] == 1995
        assert any("once more" in said for said in answer.json["warnings"])
    else:
        assert entry["documents"] == other["documents"]
    assert (entry["write_path"], other["write_path"]) == (path, "set")
    values = [rule["values"] for rule in entry["rules"]]
    if path == "server":
        assert values == [None] * 5
    else:  # of a document that no update can change, `set` counts no values
        assert [0 <= count - rule["values"] <= 2 for count, rule in zip(values, other["rules"], strict=True)]


def test_of_documents_that_were_not_read_the_sample_says_the_classes(
    served: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    answer = phimask(*run(served, "write.path=server"))
    assert answer.code == 0, answer.err
    mix = answer.json["collections"][0]["complexity"]
    assert mix["simple"] > 0
    assert (mix["medium"], mix["complex"]) == (0, 0)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('{path: "**.Name", masker: redact}', "wildcard"),
        ("{path: Name, masker: redact, when: {Age: 5}}", "`when`"),
        ("{path: Name.First, masker: redact}", "below the path"),
        ("{path: Name, masker: {name: hash}}", "no exact expression for the masker hash"),
        ("{path: Text, masker: {name: redact, options: {keep_length: true}}, decode: json}", "`decode`"),
    ],
)
def test_what_the_server_cannot_compute_is_refused_with_the_rule(
    rule: str, said: str, deployed: Path, served: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    before = contents(served)
    with (deployed / "collections" / "people.yaml").open("a") as rules:
        rules.write(f"  - {rule}\n")
    answer = phimask(*run(served, "write.path=server"))
    assert answer.code == 2
    assert said in answer.err
    assert contents(served) == before


def test_the_vault_and_a_target_are_refused_by_the_servers_own_way(
    served: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    answer = phimask(*run(served, "write.path=server", "undo.vault=vault"))
    assert (answer.code, "undo.vault" in answer.err) == (2, True)
    answer = phimask(*run(served, "write.path=server"), "--target-db", f"{served.name}_copy")
    assert (answer.code, "masks in place" in answer.err) == (2, True)


def test_a_killed_run_goes_on_and_says_what_nobody_knows(
    served: Database[dict[str, Any]],
    phimask: Callable[..., Any],
    started: Callable[..., Any],
) -> None:
    admin = served.client.admin
    admin.command("configureFailPoint", "hangDuringBatchUpdate", mode={"skip": 700})
    try:
        process = started(
            *run(
                served,
                "write.path=server",
                "write.guard=none",
                "batch_sizer={name: fixed, options: {documents: 500}}",
            )
        )
        deadline = time.monotonic() + 60
        while not served.people.count_documents({"_id": {"$gte": 600}, "Name": "[REDACTED]"}):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
    finally:
        admin.command("configureFailPoint", "hangDuringBatchUpdate", mode="off")
    done = served.people.count_documents({"Name": "[REDACTED]"})
    assert 600 < done < 2000
    runs = served.client.phimask["masking_coordination.runs"]
    (one,) = runs.find({"pins.namespace": f"{served.name}.people"})
    assert one["pins"][0]["path"] == "server"
    answer = phimask("resume", one["_id"], "--json", "--db", served.name)
    assert answer.code == 0, answer.err
    assert served.people.count_documents({"Name": {"$regex": "^Ann"}}) == 0
    (entry,) = answer.json["collections"]
    counts = entry["documents"]
    assert counts["masked"] + counts["unchanged"] == 1995
    assert any("once more" in said for said in answer.json["warnings"])


def test_a_plan_says_which_way_and_why(served: Database[dict[str, Any]], phimask: Callable[..., Any]) -> None:
    plan = ("plan", "--profile", "emergency", "-c", "people", "--db", served.name)
    chosen = phimask(*plan, "--json").json["collections"][0]["write_path"]
    assert chosen["path"] == "set"
    assert chosen["server_possible"] is True
    assert chosen["changed_percent"] > 90
    assert 0 < chosen["bytes_per_document"]["set"] < 10_000
    said = phimask(*plan).err
    assert "write path  set: " in said
    assert "write.path=server would let MongoDB mask by itself" in said


def test_documents_of_which_almost_all_is_masked_are_replaced(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.people.insert_many(
        {"_id": number, "Name": "Ann", "Visits": [{"Note": "ill"}] * 200} for number in range(100)
    )
    answer = phimask(*run(database))
    assert answer.code == 0, answer.err
    assert answer.json["collections"][0]["write_path"] == "replace"
    assert database.people.count_documents({"Visits.Note": "[REDACTED]"}) == 100
