"""Bugs planted in what writes, each in a real run: the run's own verification finds it, and so does `verify`.

The table of them in docs/explanation/verification.md is checked here: a line for each, naming the validators that
notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

import phimask.engine.commit as committing
from phimask.plugins.values import DocumentId

Phimask = Callable[..., Any]
Documents = dict[DocumentId, dict[str, Any]]
Bug = Callable[[Documents, Documents], None]
"""Is given what is to be written, and what it was made from, and spoils the first."""

RULES = """\
version: 1
collection: stays
subject: Patient.Number
rules:
  - {path: Patient.Number, masker: {name: hash, options: {length: 24}}}
  - {path: Patient.FirstName, masker: {name: fake, options: {kind: first_name}}}
  - {path: Patient.LastName, masker: {name: fake, options: {kind: last_name}}}
  - {path: Patient.Born, masker: {name: date_shift, options: {max_days: 30}}}
  - {path: Letter, masker: {name: free_text, options: {style: tag}}}
"""
PROFILE = """\
version: 1
extends: parallel
description: the writer's own checks are off, so that only verification can notice
executor: inline
partitioner: single
observers: []
check: {sample: 0}
write: {guard: none}
validators: [count, structure, no_original, untouched, residual, leak, referential, indexes]
"""
TABLE = Path(__file__).parents[2] / "docs/explanation/verification.md"

PEOPLE = (
    ("Mirabel", "Okonkwo-Ferris"), ("Thaddeus", "Brightwater"), ("Saoirse", "Vandermolen"),
    ("Leopold", "Achterberg"), ("Xanthe", "Quillfeather"), ("Barnabas", "Ossington"),
)  # fmt: skip


def stay(number: int) -> dict[str, Any]:
    first, last = PEOPLE[number % len(PEOPLE)]
    return {
        "_id": number,
        "Patient": {
            "Number": f"PN-{70000000 + number % 6}",
            "FirstName": first,
            "LastName": last,
            "Born": datetime(1950 + number % 6, 3, 4),  # noqa: DTZ001
        },
        "Ward": f"W{number % 4}",
        "Beds": number % 9,
        "Remark": "was calm and slept well",
        "Letter": f"{first} {last} slept well and took the tablets; call back at 415-555-0132 on Monday.",
    }


@pytest.fixture
def stays(deployed: Path, database: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    (deployed / "collections" / "stays.yaml").write_text(RULES, encoding="utf-8")
    (deployed / "strict.yaml").write_text(PROFILE, encoding="utf-8")
    database["stays"].insert_many([stay(number) for number in range(60)])
    yield database
    for name in (f"{database.name}_masked", "phimask"):
        database.client.drop_database(name)


def skip_a_path(masked: Documents, originals: Documents) -> None:
    for one, document in masked.items():
        document["Patient"]["LastName"] = originals[one]["Patient"]["LastName"]


def mix_documents_up(masked: Documents, originals: Documents) -> None:
    first, second = list(masked)[:2]
    masked[first], masked[second] = (
        {**masked[second], "_id": masked[first]["_id"]},
        {**masked[first], "_id": masked[second]["_id"]},
    )


def change_a_type(masked: Documents, originals: Documents) -> None:
    for document in masked.values():
        document["Beds"] = str(document["Beds"])


def lose_a_document(masked: Documents, originals: Documents) -> None:
    del masked[next(iter(masked))]


def put_a_name_into_a_note(masked: Documents, originals: Documents) -> None:
    for one, document in list(masked.items())[:3]:
        document["Remark"] = f"{originals[one]['Patient']['LastName']} was calm and slept well"


def put_another_ones_name_into_a_note(masked: Documents, originals: Documents) -> None:
    first, second = list(masked)[:2]
    patient = originals[second]["Patient"]
    masked[first]["Remark"] = f"beside {patient['FirstName']} {patient['LastName']} the patient slept well"


def keep_a_number_elsewhere(masked: Documents, originals: Documents) -> None:
    first, second = list(masked)[:2]
    masked[first]["Ward"] = originals[second]["Patient"]["Number"]


def leave_a_letter(masked: Documents, originals: Documents) -> None:
    for one, document in list(masked.items())[:3]:
        document["Letter"] = originals[one]["Letter"]


def forget_the_pseudonym(masked: Documents, originals: Documents) -> None:
    last = list(masked)[-1]
    masked[last]["Patient"]["LastName"] = "Somebodyelse"


BUGS: Mapping[str, tuple[Bug, set[str]]] = {
    "a masked path is skipped": (skip_a_path, {"no_original"}),
    "two documents are mixed up": (mix_documents_up, {"untouched"}),
    "a type is changed": (change_a_type, {"structure", "untouched"}),
    "a document is lost": (lose_a_document, {"count", "untouched"}),
    "the patient's own name is in a note": (put_a_name_into_a_note, {"leak"}),
    "another patient's name is in a note": (put_another_ones_name_into_a_note, {"leak"}),
    "another patient's number is in a field that no rule names": (keep_a_number_elsewhere, {"leak"}),
    "a letter is written as it was": (leave_a_letter, {"no_original", "residual", "leak"}),
    "a pseudonym is not the one that the name has elsewhere": (forget_the_pseudonym, {"referential"}),
}


def planted(bug: Bug, source: Any) -> Callable[..., Any]:
    """An insertion with a bug."""

    def insert(collection: Any, documents: Mapping[DocumentId, bytes]) -> Any:
        masked = {one: bson.decode(raw) for one, raw in documents.items()}
        originals = {one: source.find_one({"_id": document["_id"]}) for one, document in masked.items()}
        bug(masked, originals)
        return real(collection, {one: bson.encode(document) for one, document in masked.items()})

    real = committing.insert
    return insert


def failing(answer: Any, phase: str | None = None) -> set[str]:
    results = answer.json
    if "collections" in results:
        (collection,) = results["collections"]
        entries = [one for one in collection["verification"] if one["phase"] == phase]
    else:
        (entries,) = results.values()
    return {one["validator"] for one in entries if one["findings"]}


IN_PLACE = {
    "an index is lost": {"indexes"},
    "a patient's name is in a note, in place and without a vault": {"leak"},
}
"""The bugs that are planted in runs in place."""


def test_the_table_of_planted_bugs_is_this_one() -> None:
    _, _, table = TABLE.read_text(encoding="utf-8").partition("| the bug | noticed by |")
    rows = re.findall(r"^\| (\w.*?) \| (`.*?) \|$", table, re.MULTILINE)
    told = {bug: set(re.findall(r"`(\w+)`", validators)) for bug, validators in rows}
    assert told == {name: validators for name, (_, validators) in BUGS.items()} | IN_PLACE


ALL = ("--profile", "strict.yaml", "-c", "stays", "--json")


def test_nothing_is_found_without_a_bug(stays: Database[dict[str, Any]], phimask: Phimask) -> None:
    where = (*ALL, "-d", stays.name, "--target-db", f"{stays.name}_masked")
    answer = phimask("run", *where)
    assert answer.code == 0, answer.err
    assert failing(answer, "after") == set()
    verified = phimask("verify", *where)
    assert verified.code == 0, verified.err
    (entries,) = verified.json.values()
    assert {one["validator"] for one in entries} == {
        "count", "structure", "no_original", "untouched", "residual", "leak", "referential", "indexes",
    }  # fmt: skip


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_the_writer_is_found(
    name: str, stays: Database[dict[str, Any]], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug, validators = BUGS[name]
    monkeypatch.setattr(committing, "insert", planted(bug, stays["stays"]))
    where = (*ALL, "-d", stays.name, "--target-db", f"{stays.name}_masked")
    answer = phimask("run", *where)
    assert answer.code == 3, answer.err
    assert validators <= failing(answer, "after")
    verified = phimask("verify", *where)
    assert verified.code == 3, verified.err
    assert validators <= failing(verified)
    for said in (answer.out, answer.err, verified.out, verified.err):
        assert not re.search("|".join(last for _, last in PEOPLE) + "|PN-7", said)


def test_a_lost_index_is_found(
    stays: Database[dict[str, Any]], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays["stays"].create_index("Ward")
    stays["stays"].create_index([("Beds", -1)], name="beds")

    def update(collection: Any, documents: Any, session: Any = None) -> Any:
        stays["stays"].drop_indexes()
        return real(collection, documents, session)

    real = committing.update
    monkeypatch.setattr(committing, "update", update)
    where = (*ALL, "-d", stays.name)
    answer = phimask("run", *where, "--yes")
    assert answer.code == 3, answer.err
    assert failing(answer, "after") == IN_PLACE["an index is lost"]
    verified = phimask("verify", *where)
    assert verified.code == 3, verified.err
    assert failing(verified) == IN_PLACE["an index is lost"]
    stays["stays"].create_index("Ward")
    stays["stays"].create_index([("Beds", -1)], name="beds")
    assert phimask("verify", *where).code == 0


def test_bugs_in_place_are_found_beside_the_vault(
    stays: Database[dict[str, Any]], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that was left out, and a name in a note, are known from what the vault holds of the others."""

    def update(collection: Any, documents: Any, session: Any = None) -> Any:
        first, *rest = documents
        written = real(collection, rest, session)
        stays["stays"].update_one(
            {"_id": 9}, {"$set": {"Remark": "Leopold Achterberg was calm and slept well"}}
        )
        skipped.append(first[0])
        return written

    skipped: list[Any] = []
    real = committing.update
    monkeypatch.setattr(committing, "update", update)
    where = (*ALL, "-d", stays.name, "--set", "undo.vault=vault")
    answer = phimask("run", *where, "--yes")
    assert skipped
    assert answer.code == 3, answer.err
    assert {"no_original", "leak"} <= failing(answer, "after")
    verified = phimask("verify", *where)
    assert verified.code == 3, verified.err
    assert {"no_original", "leak"} <= failing(verified)
    assert not re.search("Achterberg", answer.out + answer.err + verified.out + verified.err)


def test_a_name_in_a_note_is_found_where_nobody_has_the_originals(
    stays: Database[dict[str, Any]], phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(collection: Any, documents: Any, session: Any = None) -> Any:
        written = real(collection, documents, session)
        note = {"$set": {"Remark": "Leopold Achterberg was calm and slept well"}}
        stays["stays"].update_one({"_id": 9}, note)
        return written

    real = committing.update
    monkeypatch.setattr(committing, "update", update)
    where = (*ALL, "-d", stays.name, "--set", "write.path=set")
    answer = phimask("run", *where, "--yes")
    assert answer.code == 3, answer.err
    assert failing(answer, "after") == {"leak"}
    verified = phimask("verify", *where)
    assert verified.code == 3, verified.err
    assert "leak" in failing(verified)
    assert not re.search("Achterberg", answer.out + answer.err + verified.out + verified.err)


def test_of_a_run_with_a_limit_only_its_own_documents_are_judged(
    stays: Database[dict[str, Any]], phimask: Phimask
) -> None:
    where = (*ALL, "-d", stays.name, "--set", "undo.vault=vault")
    answer = phimask("run", *where, "--yes", "--limit", "20")
    assert answer.code == 0, answer.err
    verified = phimask("verify", *where)
    assert verified.code == 0, verified.err
    (entries,) = verified.json.values()
    assert {one["checked"] for one in entries if one["validator"] == "untouched"} == {20}


def test_a_vault_that_was_damaged_meanwhile_is_a_finding(
    stays: Database[dict[str, Any]], deployed: Path, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(collection: Any, documents: Any, session: Any = None) -> Any:
        written = real(collection, documents, session)
        for part in (
            one for one in (deployed / "vault").rglob("*") if one.is_file() and one.stat().st_size > 500
        ):
            part.write_bytes(part.read_bytes()[:-9] + b"not sealed")
        return written

    real = committing.update
    monkeypatch.setattr(committing, "update", update)
    answer = phimask("run", *ALL, "-d", stays.name, "--set", "undo.vault=vault", "--yes")
    assert answer.code == 3, answer.err
    assert failing(answer, "after") == {"vault"}
