"""Originals in places that no rule masks, in collections that were masked in place and have no vault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from counters import Counters
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database

from phimask.engine import commit, transactions

Phimask = Callable[..., Any]
Client = MongoClient[dict[str, Any]]
Wards = Database[dict[str, Any]]

RULES = """\
version: 1
collection: wards
subject: Patient.Number
rules:
  - {path: Patient.Number, masker: {name: hash, options: {length: 24}}}
  - {path: Patient.FirstName, masker: {name: fake, options: {kind: first_name}}}
  - {path: Patient.LastName, masker: {name: fake, options: {kind: last_name}}}
  - {path: Patient.Phone, masker: redact}
  - {path: Form, decode: json}
  - {path: Form.Insured, masker: redact}
"""
PROFILE = """\
version: 1
extends: parallel
description: in place, without a vault
executor: inline
partitioner: single
observers: []
check: {sample: 0}
write: {guard: none}
batch_sizer: {name: fixed, options: {documents: 10}}
validators: [count, leak]
"""
PEOPLE = (("Mirabel", "Ferrisworth"), ("Thaddeus", "Brightwater"), ("Saoirse", "Vandermolen"))
ORIGINALS = "|".join([*(last for _, last in PEOPLE), "PN-7", "41555500", "Hollingbery"])
DOCUMENTS = 60


def ward(number: int) -> dict[str, Any]:
    first, last = PEOPLE[number % 3]
    return {
        "_id": number,
        "Patient": {
            "Number": f"PN-{70000000 + number}",
            "FirstName": first,
            "LastName": last,
            "Phone": 4155550000 + number,
        },
        "Form": f'{{"Insured": "Prudence{number:02} Hollingbery", "Plan": "B"}}',
        "Remark": "was calm and slept well",
        "Beds": number % 9,
    }


@pytest.fixture
def wards(deployed: Path, database: Wards) -> Iterator[Wards]:
    (deployed / "collections" / "wards.yaml").write_text(RULES, encoding="utf-8")
    (deployed / "bare.yaml").write_text(PROFILE, encoding="utf-8")
    database["wards"].insert_many([ward(number) for number in range(DOCUMENTS)])
    yield database
    database.client.drop_database("phimask")


def where(wards: Wards, *more: str) -> tuple[str, ...]:
    return ("--profile", "bare.yaml", "-c", "wards", "--json", "-d", wards.name, *more)


def leak_of(answer: Any) -> dict[str, Any]:
    results = answer.json
    entries = (
        results["collections"][0]["verification"]
        if "collections" in results
        else next(iter(results.values()))
    )
    (found,) = [one for one in entries if one["validator"] == "leak"]
    return dict(found)


def all_bytes(client: Client, database: str) -> bytes:
    return b"".join(
        bson.encode(one)
        for name in client[database].list_collection_names()
        for one in client[database][name].find()
    )


PLANTED = {
    "Remark": "beside Thaddeus Brightwater the patient slept",
    "Order": "see PN 70000033",
    "Beds": 4155550041,
    "Contact": "(415) 555-0041",
    "Kin.Note": "Prudence07 Hollingbery called",
}
"""Somebody's name in a note; a number in another form; a number as a number, and as a text; what a form had in JSON."""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way documents are written, the fifth gets what it had not."""

    def with_bug(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(collection: Any, *given: Any) -> Any:
            written = real(collection, *given)
            session = next((one for one in given if isinstance(one, ClientSession)), None)
            collection.update_one({"_id": 5}, {"$set": PLANTED}, session=session)
            return written

        return write

    for name in ("update", "replace", "replace_unchanged"):
        monkeypatch.setattr(commit, name, with_bug(getattr(commit, name)))
    for name in ("update", "replace"):
        monkeypatch.setattr(transactions, name, with_bug(getattr(transactions, name)))


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("guard", ["none", "changed"])
@pytest.mark.parametrize("path", ["set", "replace"])
def test_originals_elsewhere_are_found(
    guard: str, path: str, wards: Wards, phimask: Phimask, client: Client
) -> None:
    answer = phimask("run", *where(wards, "--yes", f"--set=write.guard={guard}", f"--set=write.path={path}"))
    assert answer.code == 3, answer.err
    assert {one["path"] for one in leak_of(answer)["findings"]} == set(PLANTED)
    assert {one["count"] for one in leak_of(answer)["findings"]} == {1}
    assert leak_of(answer)["checked"] == DOCUMENTS
    verified = phimask("verify", *where(wards))
    assert verified.code == 3, verified.err
    assert {one["path"] for one in leak_of(verified)["findings"]} == set(PLANTED)
    for said in (answer.out, answer.err, verified.out, verified.err):
        assert not re.search(ORIGINALS, said)
    assert not re.search(ORIGINALS.encode(), all_bytes(client, "phimask"))


def test_nothing_is_found_without_a_bug(wards: Wards, phimask: Phimask, client: Client) -> None:
    answer = phimask("run", *where(wards, "--yes"))
    assert answer.code == 0, answer.err
    found = leak_of(answer)
    assert (found["ok"], found["checked"]) == (True, DOCUMENTS)
    assert "fingerprints" in found["unjudged"][0]["what"]
    kept = client["phimask"]["masking_coordination.remembered"]
    assert kept.count_documents({"learnt": {"$exists": True}})
    assert phimask("verify", *where(wards)).code == 0

    assert phimask("finalize", answer.json["run_id"], "--yes").code == 0
    assert kept.count_documents({}) == 0
    verified = phimask("verify", *where(wards))
    assert verified.code == 0
    assert not leak_of(verified)["ok"]


def test_it_is_said_of_how_many_documents_nothing_is_kept(
    wards: Wards, deployed: Path, phimask: Phimask, client: Client
) -> None:
    bounded = PROFILE.replace("leak]", "{name: leak, options: {kept: 600B}}]")
    (deployed / "bare.yaml").write_text(bounded, encoding="utf-8")
    answer = phimask("run", *where(wards, "--yes"))
    assert answer.code == 0, answer.err
    (said,) = [one for one in leak_of(answer)["unjudged"] if "bound" in one["what"]]
    # What the second batch holds is told with the first where it was masked before the first was written.
    assert said["count"] in (DOCUMENTS - 20, DOCUMENTS - 10)
    kept = client["phimask"]["masking_coordination.remembered"].find({"learnt": {"$exists": True}})
    assert 600 <= sum(len(one["learnt"]) for one in kept) < 1500


def test_an_original_of_another_collection_is_found(wards: Wards, deployed: Path, phimask: Phimask) -> None:
    rules = "version: 1\ncollection: beds\nrules:\n  - {path: Code, masker: redact}\n"
    (deployed / "collections" / "beds.yaml").write_text(rules, encoding="utf-8")
    wards["beds"].insert_one({"_id": 1, "Code": "B-12345678", "Label": "for Thaddeus Brightwater"})
    wards["wards"].update_one({"_id": 7}, {"$set": {"Remark": "lies in B-12345678"}})
    answer = phimask("run", *where(wards, "-c", "beds", "--yes"))
    assert answer.code == 3, answer.err
    leaks = [
        next(one for one in collection["verification"] if one["validator"] == "leak")
        for collection in answer.json["collections"]
    ]
    assert [[one["path"] for one in leak["findings"]] for leak in leaks] == [[], ["Label"]]
    assert [any("after this one" in one["what"] for one in leak["unjudged"]) for leak in leaks] == [
        True,
        False,
    ]
    verified = phimask("verify", *where(wards, "-c", "beds"))
    assert verified.code == 3, verified.err
    found = [
        [finding["path"] for finding in one["findings"]]
        for checked in verified.json.values()
        for one in checked
        if one["validator"] == "leak"
    ]
    assert found == [["Remark"], ["Label"]]


def test_without_a_key_it_is_said_that_nothing_can_be_judged(
    wards: Wards, deployed: Path, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = "version: 1\ncollection: wards\nrules:\n  - {path: Patient.Phone, masker: redact}\n"
    (deployed / "collections" / "wards.yaml").write_text(rules, encoding="utf-8")
    monkeypatch.delenv("PHIMASK_KEY")
    answer = phimask("run", *where(wards, "--yes"))
    assert answer.code == 0, answer.err
    assert not leak_of(answer)["ok"]
    assert "masking key" in leak_of(answer)["unjudged"][0]["what"]


def test_after_a_kill_what_was_masked_before_it_is_still_known(counters: Counters, phimask: Phimask) -> None:
    more = "  - {path: Name, masker: redact}\n"
    counters.file("counters", more)
    for number in range(600):
        counters.collection.update_one({"_id": number}, {"$set": {"Name": f"Zebulon Quagmire {number:04}"}})
    run = counters.killed("--yes", "--set=validators=[leak]")
    counters.collection.update_one({"_id": 1}, {"$set": {"Ward": "beside Zebulon Quagmire 0002"}})
    answer = phimask("resume", "--json", "--set=validators=[leak]")
    assert answer.code == 3, answer.err
    assert answer.json["run_id"] == run
    assert [(one["path"], one["count"]) for one in leak_of(answer)["findings"]] == [("Ward", 1)]
    assert not [one for one in leak_of(answer)["unjudged"] if "profile" in one["what"]]


@pytest.mark.soak
def test_a_resume_without_it_is_not_passed_over(counters: Counters, phimask: Phimask) -> None:
    counters.file("counters", "  - {path: Name, masker: redact}\n")
    run = counters.killed("--yes", "--set=validators=[leak]")
    answer = phimask("resume", run, "--json", "--set=validators=[count]")
    assert answer.code == 0, answer.err
    verified = phimask("verify", "--json")
    assert [one for one in leak_of(verified)["unjudged"] if "profile" in one["what"]]
