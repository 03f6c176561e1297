"""What can be undone is undone: by the key that masked, and after it has been replaced by another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bson.int64 import Int64
from pymongo.database import Database

from phimask.masking.keys import MaskingKey

FORWARD = """\
version: 1
collection: people
rules:
  - {path: SSN, masker: {name: fpe, options: {domain: person}}}
  - {path: Visits.Provider.NPI, masker: {name: fpe, options: {check: npi_valid}}}
  - {path: Name, masker: encrypt}
  - {path: Age, masker: {name: encrypt, options: {mode: gcm, output: binData}}}
  - {path: Visits.Card, masker: {name: tokenize, options: {uri: "${VAULT}", database: DATABASE, prefix: C-}}}
"""
BACK = """\
version: 1
collection: people
rules:
  - {path: SSN, masker: {name: fpe_decrypt, options: {domain: person}}}
  - {path: Visits.Provider.NPI, masker: {name: fpe_decrypt, options: {check: npi_valid}}}
  - {path: Name, masker: decrypt}
  - {path: Age, masker: decrypt}
  - {path: Visits.Card, masker: {name: detokenize, options: {uri: "${VAULT}", database: DATABASE}}}
"""
SEALED_ONLY = "\n".join(line for line in BACK.splitlines() if "fpe" not in line)


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    collection = database["people"]
    collection.insert_many(
        {
            "_id": number,
            "SSN": f"900-{number % 90 + 10}-{number:04}" if number % 2 else 900_000_000 + number,
            "Name": f"Person Number{number}" if number % 3 else "",
            "Age": Int64(number) if number % 4 else float(number),
            "Visits": [
                {"Provider": {"NPI": "1234567893"}, "Card": f"Card {number % 50}"},
                {"Provider": {}, "Card": [number, True]},
            ],
        }
        for number in range(300)
    )
    return collection


@pytest.fixture
def vault(project: Path, mongo_uri: str, people: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tokens' collection, with the rules and both keys in place for a run."""
    monkeypatch.setenv("PHIMASK_URI", mongo_uri)
    monkeypatch.setenv("VAULT", mongo_uri)
    for name in ("PHIMASK_KEY", "NEW_KEY"):
        monkeypatch.setenv(name, MaskingKey.generate().text())
    (project / "collections").mkdir()
    for name, text in (("forward", FORWARD), ("back", BACK), ("sealed", SEALED_ONLY)):
        file = project / "collections" / f"{name}.yaml"
        file.write_text(text.replace("DATABASE", people.database.name), encoding="utf-8")
    return people.database["tokens"]


def ran(phimask: Callable[..., Any], people: Any, rules: str) -> Any:
    answer = phimask(
        "--profile", "advanced", "-d", people.database.name, "-c", rules, "--yes", "--again", "--json"
    )
    assert answer.code == 0, answer.err
    (one,) = answer.json["collections"]
    assert one["documents"]["masked"] == 300
    assert [rule["redacted_on_error"] for rule in one["rules"]] == [0] * len(one["rules"])
    return answer


def test_every_original_comes_back(vault: Any, people: Any, phimask: Callable[..., Any]) -> None:
    before = list(people.find().sort("_id"))
    ran(phimask, people, "forward")
    masked = list(people.find().sort("_id"))
    for one, original in zip(masked, before, strict=True):
        assert type(one["SSN"]) is type(original["SSN"])
        assert one["SSN"] != original["SSN"]
        assert one["Name"].startswith("phimask:siv:1:")
        assert one["Age"].startswith(b"phimask:gcm:1:")
        assert all(card.startswith("C-") for card in [one["Visits"][0]["Card"], *one["Visits"][1]["Card"]])
    assert len({one["Visits"][0]["Card"] for one in masked}) == 50
    assert len({one["Visits"][0]["Provider"]["NPI"] for one in masked}) == 1
    assert vault.count_documents({}) == 50 + 300 + 1 + 1  # and the mark of the key
    ran(phimask, people, "back")
    after = list(people.find().sort("_id"))
    assert after == before
    assert all(type(one["Age"]) is type(other["Age"]) for one, other in zip(after, before, strict=True))


def test_what_an_older_key_sealed_comes_back_under_the_new_one(
    project: Path, vault: Any, people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(people.find().sort("_id"))
    ran(phimask, people, "forward")
    sealed = ("Name", "Age")
    (project / "phimask.yaml").write_text("version: 1\nkey: [{env: NEW_KEY}]\n", encoding="utf-8")
    masked = list(people.find().sort("_id"))
    answer = phimask("--profile", "advanced", "-d", people.database.name, "-c", "sealed", "--yes", "--again")
    assert answer.code == 2
    assert "key" in answer.err
    assert list(people.find().sort("_id")) == masked
    (project / "phimask.yaml").write_text(
        "version: 1\nkey: [{env: NEW_KEY}, {env: PHIMASK_KEY}]\n", encoding="utf-8"
    )
    ran(phimask, people, "sealed")
    for one, original in zip(people.find().sort("_id"), before, strict=True):
        assert {name: one[name] for name in sealed} == {name: original[name] for name in sealed}
        assert [visit["Card"] for visit in one["Visits"]] == [visit["Card"] for visit in original["Visits"]]
