"""Documents that a run left out are no finding of those who compare, whoever verifies and wherever the ledger is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask.engine.left_out import LeftOut
from phimask.ledger.quarantine import Quarantine
from phimask.store.embedded import EmbeddedMongod, find_mongod

Phimask = Callable[..., Any]
DOCUMENTS = 300
BAD = range(0, DOCUMENTS, 7)
RULES = """\
version: 1
collection: people
subject: PatientId
on_error: quarantine
rules: [{path: Born, masker: date_shift}]
"""
WHERE = """\
version: 1
uri: ${PHIMASK_URI}
database: %s
coordination: {uri: '${PHIMASK_LEDGER_URI}', database: elsewhere}
profile: emergency
collections: [people]
"""


@pytest.fixture(scope="module")
def ledgers() -> Iterator[EmbeddedMongod]:
    """A deployment of the ledger's own."""
    with EmbeddedMongod(find_mongod(os.environ)) as server:
        yield server


@pytest.fixture
def people(
    deployed: Path,
    database: Database[dict[str, Any]],
    ledgers: EmbeddedMongod,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """Some of whom have no date where one belongs; several processes are worth their while for so few."""
    monkeypatch.setattr("phimask.engine.pieces._PIECE", (40, 50))
    monkeypatch.setattr("phimask.engine.verification._LEAST_EACH", 40)
    monkeypatch.setenv("PHIMASK_LEDGER_URI", ledgers.uri)
    (deployed / "collections" / "people.yaml").write_text(RULES, "utf-8")
    (deployed / "phimask.yaml").write_text(WHERE % database.name, "utf-8")
    database["people"].insert_many(
        {"_id": number, "PatientId": f"P{number}", "Born": "1950" if number in BAD else f"1950-02-0{number % 9 + 1}"}
        for number in range(DOCUMENTS)
    )  # fmt: skip
    yield database["people"]
    database.client.drop_database(f"{database.name}_masked")
    with MongoClient[dict[str, Any]](ledgers.uri) as client:
        client.drop_database("elsewhere")


def findings(verification: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    return {
        one["validator"]: [each["count"] for each in one["findings"]]
        for one in verification
        if one["findings"]
    }


def test_a_copy_without_them_is_whole_in_several_processes(
    people: Any, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.engine.run.processes_for", lambda _: 2)
    run = ("run", "--target-db", f"{people.database.name}_masked", "--set", "executor=inline", "--json")
    answer = phimask(*run)
    assert answer.code == 3, answer.err
    (one,) = answer.json["collections"]
    assert one["documents"]["quarantined"] == len(one["quarantined_ids"]) == len(BAD)
    assert findings(one["verification"]) == {"quarantine": [len(BAD)]}
    compared = {
        each["validator"]: each["checked"] for each in one["verification"] if each["phase"] == "after"
    }
    assert compared["untouched"] == DOCUMENTS - len(BAD)
    verify = ("verify", "--target-db", f"{people.database.name}_masked", "--json")
    again = phimask(*verify)
    assert again.code == 0, again.err
    monkeypatch.setattr(
        LeftOut, "of", lambda *_: None
    )  # with nobody to say which were left out, they are missing
    unknown = phimask(*verify)
    assert unknown.code == 3
    (found,) = unknown.json.values()
    assert [len(BAD)] in findings(found).values()


def test_in_place_they_are_not_held_against_the_vault(
    people: Any, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = ("--set", "undo.vault=vault")
    answer = phimask("run", "--yes", *vault, "--set", "executor=inline", "--json")
    assert answer.code == 3, answer.err
    assert findings(answer.json["collections"][0]["verification"]) == {"quarantine": [len(BAD)]}
    again = phimask("verify", *vault, "--json")
    assert again.code == 0, again.err
    # With nobody to say which ones were left out, they are what the rules left unmasked.
    monkeypatch.setattr(LeftOut, "of", lambda *_: None)
    unknown = phimask("verify", *vault, "--json")
    assert unknown.code == 3
    (found,) = unknown.json.values()
    assert [len(BAD)] in findings(found).values()


def test_they_are_asked_for_by_the_batch_and_only_where_there_are(
    people: Any, phimask: Phimask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    among = Quarantine.among

    def listen(self: Quarantine, wanted: Any) -> Any:
        asked.append(len(wanted))
        return among(self, wanted)

    monkeypatch.setattr(Quarantine, "among", listen)
    run = ("run", "--target-db", f"{people.database.name}_masked", "--set", "executor=inline")
    monkeypatch.setattr("phimask.engine.run.processes_for", lambda _: 1)
    assert phimask(*run).code == 3
    assert sum(asked) == DOCUMENTS
    assert len(asked) > 1
    asked.clear()
    people.update_many({"Born": "1950"}, {"$set": {"Born": "1950-02-01"}})
    people.database.client.drop_database(f"{people.database.name}_masked")
    assert phimask(*run).code == 0
    assert asked == []
