"""`_id`s of several kilobytes: of documents of 4 kB and more PyMongo gives views instead of bytes, and what lists many
`_id`s in one document has to fit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

Phimask = Callable[..., Any]

COUNT = 60
RULES = """\
version: 1
collection: people
subject: PatientId
rules:
  - {path: Name, masker: redact}
  - {path: Ward, masker: hash, when: {Kind: a}}
"""
SMALL = ("--set", "batch_sizer={name: fixed, options: {documents: 7}}")


@pytest.fixture
def database(client: MongoClient[dict[str, Any]], deployed: Path) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    (deployed / "collections" / "people.yaml").write_text(RULES, encoding="utf-8")
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {name}\n"
        f"coordination: {{database: {name}_ledger}}\ncollections: [people]\n"
    )
    client[name].people.insert_many(
        {
            "_id": f"{number:03}{'i' * 6000}",
            "PatientId": number % 9,
            "Name": f"Quillfeather {number}",
            "Ward": f"ward {number}",
            "Kind": "ab"[number % 2],
        }
        for number in range(COUNT)
    )
    yield name
    for one in (name, f"{name}_ledger", f"{name}_copy"):
        client.drop_database(one)


def people(client: MongoClient[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return list(client[name].people.find({}, sort=[("_id", 1)]))


@pytest.mark.parametrize(
    ("profile", "guard"),
    [
        ("emergency", "auto"),
        ("emergency", "none"),
        pytest.param("production", "changed", marks=pytest.mark.soak),
    ],
)
def test_a_run_masks_them_and_puts_them_back(
    profile: str, guard: str, database: str, phimask: Phimask, client: MongoClient[dict[str, Any]]
) -> None:
    before = people(client, database)
    assert phimask("plan", "--profile", profile).code == 0
    done = phimask(
        "run", "--profile", profile, "--yes", "--json", *SMALL,
        "--set", f"write.guard={guard}", "--set", "undo.vault=vault", "--set", "executor=inline",
    )  # fmt: skip
    assert done.code == 0, done.err
    after = people(client, database)
    assert [one["_id"] for one in after] == [one["_id"] for one in before]
    assert not {one["Name"] for one in after} & {one["Name"] for one in before}
    kept = [one["Ward"] == was["Ward"] for one, was in zip(after, before, strict=True)]
    assert kept == [was["Kind"] == "b" for was in before]
    run = done.json["run_id"]
    back = phimask("rollback", run, "--yes", "--set", "undo.vault=vault")
    assert back.code == 0, back.err
    assert people(client, database) == before


@pytest.mark.parametrize("partitioner", ["sample", "split_vector"])
def test_into_a_target_by_every_cut(
    partitioner: str, database: str, phimask: Phimask, client: MongoClient[dict[str, Any]]
) -> None:
    done = phimask(
        "run", "--profile", "parallel", "--yes", *SMALL, "--target-db", f"{database}_copy",
        "--set", f"partitioner={partitioner}", "--set", "executor=inline",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert len(people(client, f"{database}_copy")) == COUNT
