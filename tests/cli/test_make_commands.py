"""`init`, `keygen` and `sample`: what they make is whole, and nothing that is there is lost."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from phimask.config.model import KeySource
from phimask.masking.keys import MaskingKey


def test_init_writes_a_file_that_plan_takes(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    answer = phimask("init", "--json")
    assert answer.code == 0
    assert answer.json == {"written": ["phimask.yaml"]}
    database["container"].insert_one({"PatientId": "P1", "Patient": {"FirstName": "Ada"}})
    planned = phimask("plan", "-d", database.name, "--json")
    assert planned.json["profile"] == "production"
    assert planned.json["collections"][0]["namespace"] == f"{database.name}.container"


def test_init_overwrites_nothing(project: Path, phimask: Callable[..., Any]) -> None:
    told = phimask("init", "--directory", "deep/down")
    assert told.code == 0
    assert told.out == ""
    assert f"wrote {Path('deep', 'down', 'phimask.yaml')}" in told.err
    (project / "phimask.yaml").write_text("mine", encoding="utf-8")
    answer = phimask("init", "--json")
    assert answer.code == 2
    assert answer.out == ""
    assert "phimask.yaml is there already" in answer.err
    assert (project / "phimask.yaml").read_text(encoding="utf-8") == "mine"


def test_keygen_to_stdout(project: Path, phimask: Callable[..., Any]) -> None:
    told = phimask("keygen")
    assert told.code == 0
    key = MaskingKey.parse(told.out)
    assert told.out == key.text() + "\n"
    assert key.fingerprint in told.err
    assert key.text() not in told.err
    other = phimask("keygen", "--json").json
    assert MaskingKey.parse(other["key"]).fingerprint == other["key_fingerprint"]
    assert other["key"] != key.text()


def test_keygen_to_a_file(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("keygen", "--out", "keys/masking.key", "--json")
    assert answer.code == 0
    path = project / "keys" / "masking.key"
    key = MaskingKey.load(KeySource(file=path), {})
    assert answer.json == {"written": [str(Path("keys", "masking.key"))], "key_fingerprint": key.fingerprint}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = phimask("keygen", "--out", "keys/masking.key")
    assert again.code == 2
    assert again.out == ""
    assert "is there already" in again.err
    assert MaskingKey.load(KeySource(file=path), {}) == key
    told = phimask("keygen", "--out", "other.key")
    assert told.out == ""
    assert key.text() not in told.err
    assert MaskingKey.load(KeySource(file=project / "other.key"), {}) != key


def test_sample_fills_an_empty_collection_only(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    where = ("sample", "-d", database.name, "-c", "people", "--docs", "80", "--seed", "5")
    answer = phimask(*where, "--id-types", "mixed", "--mix", "simple=1", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["namespace"] == f"{database.name}.people"
    assert answer.json["documents"] == 80
    filled = list(database["people"].find())
    assert len(filled) == 80
    types = database["people"].aggregate([{"$group": {"_id": {"$type": "$_id"}}}])
    assert {one["_id"] for one in types} == {
        "objectId", "string", "int", "long", "double", "binData", "object", "date",
    }  # fmt: skip
    again = phimask(*where)
    assert again.code == 2
    assert again.out == ""
    assert f"{database.name}.people is not empty" in again.err
    assert list(database["people"].find()) == filled


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mix", "simple"), ("--mix", "simple=0.6,medium=0.3,complex=0.1")),
        (("--mix", "easy=1"), ("no such class of sample documents: easy", "simple")),
        (("--mix", "simple=-1"), ("weights",)),
        (("--id-types", "integer"), ("no such type of _id: integer", "mixed")),
        (("--docs", "0"), ("--docs",)),
    ],
)
def test_sample_refuses_what_it_cannot_make(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    deployed: Path,
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
) -> None:
    answer = phimask("sample", "-d", database.name, "-c", "people", *arguments)
    assert answer.code == 2
    assert all(word in answer.err for word in words), answer.err
    assert database.list_collection_names() == []


def test_an_interrupted_sample_says_that_some_of_it_is_there(
    deployed: Path,
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(where: Any, *_: object) -> None:
        where.insert_one({})
        raise KeyboardInterrupt

    monkeypatch.setattr("phimask.cli.make.load_samples", interrupted)
    answer = phimask("sample", "-d", database.name, "-c", "people", "--docs", "80")
    assert answer.code == 130
    assert f"{database.name}.people has some of the documents" in answer.err
    assert "nothing was written" not in answer.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_no_half_of_a_file(
    project: Path, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fdopen = os.fdopen

    def full(handle: int, *arguments: Any, **options: Any) -> Any:
        os.dup2(os.open("/dev/full", os.O_WRONLY), handle)
        return fdopen(handle, *arguments, **options)

    monkeypatch.setattr(os, "fdopen", full)
    answer = phimask("keygen", "--out", "masking.key")
    assert answer.code == 2
    assert "masking.key cannot be written: No space left" in answer.err
    assert list(project.iterdir()) == []


def test_sample_needs_a_deployment(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("sample", "--json")
    assert answer.code == 2
    assert answer.out == ""
    assert "no deployment is named" in answer.err


def test_sample_into_a_view(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.command("create", "people", viewOn="patients", pipeline=[])
    answer = phimask("sample", "-d", database.name, "-c", "people", "--docs", "5")
    assert answer.code in (1, 2)
    assert "people" in answer.err
    assert "fault of phimask" not in answer.err


def test_a_sample_is_masked_as_planned(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    where = ("-d", database.name, "-c", "container")
    assert phimask("sample", *where, "--docs", "300", "--id-types", "mixed").code == 0
    planned = phimask("plan", *where, "--json").json["collections"][0]
    assert planned["documents"] == 300
    predicted = planned["predicted"]
    assert 0 < predicted["seconds"]["low"] <= predicted["seconds"]["high"]
    assert 0 < predicted["memory_bytes"]["low"] <= predicted["memory_bytes"]["high"]
    done = phimask(*where, "--yes", "--json")
    assert done.code == 0, done.err
    (one,) = done.json["collections"]
    assert one["documents"]["masked"] == 300
    assert json.dumps(done.json)


@pytest.mark.parametrize("name", ["", "$bad", "a..b", ".a", "a."])
def test_sample_refuses_what_cannot_name_a_collection(
    name: str, deployed: Path, phimask: Callable[..., Any]
) -> None:
    answer = phimask("sample", "-c", name, "--docs", "1")
    assert answer.code == 2
    assert "cannot name a collection" in answer.err
