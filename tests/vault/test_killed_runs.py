"""Real runs by several processes, killed while they write, resumed or not, and rolled back: all is as it was."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from phimask.masking.keys import MaskingKey
from ready import LINUX, Ready

DOCUMENTS = 600

PROFILE = """\
version: 1
extends: parallel
description: small batches by two workers, with a way back
partitioner: {name: paginate, options: {documents: 150}}
batch_sizer: {name: fixed, options: {documents: 15}}
executor: {name: local, options: {workers: 2}}
observers: []
check: {sample: 1}
write: {guard: GUARD}
undo: {vault: "${PHIMASK_VAULT}"}
"""

RULES = """\
version: 1
collection: people
subject: Person
rules:
  - {path: Name, masker: {name: fake, options: {kind: full_name}}}
  - {path: Code, masker: remove}
  - {path: "Visits.Note", masker: slow}
"""

PLUGIN = '''\
"""A masker that takes its time, so that a run can be killed while it is at it; not idempotent."""

import time

from phimask import Masker, hookimpl


class Slow(Masker):
    """Puts a tilde behind each string."""

    name = "slow"
    types = frozenset({"string"})

    def mask(self, column):
        time.sleep(0.02)
        return [value + "~" for value in column.values]


@hookimpl
def phimask_register_maskers():
    return [Slow]
'''


@dataclass
class Trial:
    """A project folder and its collection."""

    folder: Path
    client: MongoClient[dict[str, Any]]
    database: str
    environment: dict[str, str]

    @property
    def people(self) -> Any:
        return self.client[self.database]["people"]

    def stored(self) -> dict[Any, bytes]:
        options = self.client.codec_options.with_options(document_class=RawBSONDocument)
        found = self.client[self.database].get_collection("people", options).find({})
        return {one["_id"]: bytes(one.raw) for one in found}

    def start(self, *arguments: str) -> Any:
        if LINUX:
            return Ready([*arguments, "--json"], self.folder, self.environment)
        return subprocess.Popen(
            [sys.executable, "-m", "phimask", *arguments, "--json"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def call(self, *arguments: str) -> tuple[int, Any]:
        out, err = (process := self.start(*arguments)).communicate(timeout=240)
        assert process.returncode in (0, 3), err
        return process.returncode, json.loads(out)

    def killed(self, *arguments: str, masked: int) -> None:
        """Start it, and kill all its processes as soon as so many documents are masked more."""
        before = self.stored()
        process = self.start(*arguments)
        until = time.monotonic() + 120
        while sum(raw != before[found] for found, raw in self.stored().items()) < masked:
            assert time.monotonic() < until, "nothing is masked"
            if process.poll() is not None:
                break  # it was quicker; a run that is done is rolled back as well
            time.sleep(0.01)
        for one in [*_children(process.pid), process]:
            one.kill()
        process.communicate()

    @property
    def run(self) -> str:
        (found,) = self.client[f"{self.database}_ledger"]["masking_coordination.runs"].find({}, {"_id": 1})
        return str(found["_id"])


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture
def trial(client: MongoClient[dict[str, Any]], mongo_uri: str, tmp_path: Path) -> Iterator[Trial]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    for folder in ("profiles", "collections"):
        (tmp_path / folder).mkdir()
    (tmp_path / "collections" / "people.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "slow.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {name}\nprofile: careful\ncollections: [people]\n"
        f"plugins: [slow.py]\ncoordination: {{database: {name}_ledger}}\n",
        encoding="utf-8",
    )
    environment = {
        **os.environ,
        "PHIMASK_URI": mongo_uri,
        "PHIMASK_KEY": MaskingKey.generate().text(),
        "PHIMASK_VAULT": "vault",
    }
    one = Trial(tmp_path, client, name, environment)
    one.people.insert_many(
        {
            "_id": n,
            "Code": n,
            "Name": f"Ada {n}",
            "Person": n % 40,
            "Visits": [{"Note": "x" * (n % 5), "n": n}] * (n % 3),
        }
        for n in range(DOCUMENTS)
    )
    yield one
    # What a killed process leaves open would hold the drop up for a minute.
    client.admin.command("killAllSessions", [])
    for suffix in ("", "_ledger", "_vault"):
        client.drop_database(f"{name}{suffix}")


def with_guard(trial: Trial, guard: str) -> None:
    profile = PROFILE.replace("GUARD", guard)
    (trial.folder / "profiles" / "careful.yaml").write_text(profile, encoding="utf-8")


@pytest.mark.soak  # one that is killed twice is rolled back, too
@pytest.mark.parametrize("guard", ["changed", "none"])
def test_killed_and_rolled_back(trial: Trial, guard: str) -> None:
    with_guard(trial, guard)
    before = trial.stored()
    trial.killed("run", "--yes", masked=200)
    assert trial.stored() != before
    code, report = trial.call("rollback", trial.run, "--yes")
    assert trial.stored() == before
    assert code == 0, report


@pytest.mark.parametrize("guard", [pytest.param("changed", marks=pytest.mark.soak), "none"])
def test_killed_twice_resumed_and_rolled_back_with_edits(trial: Trial, guard: str) -> None:
    with_guard(trial, guard)
    before = trial.stored()
    trial.killed("run", "--yes", masked=100)
    trial.killed("resume", trial.run, masked=100)
    trial.call("resume", trial.run)
    masked = trial.stored()
    assert all(masked[n] != raw for n, raw in before.items())
    edited = random.Random(3).sample(range(DOCUMENTS), 7)
    for n in edited:
        trial.people.update_one({"_id": n}, {"$set": {"Name": "edited"}})
    trial.killed("rollback", trial.run, "--yes", masked=50)
    code, report = trial.call("rollback", trial.run, "--yes", "--json")
    assert code == 3
    (one,) = report["collections"]
    assert {int(json.loads(conflict["_id"])["$numberInt"]) for conflict in one["conflicts"]} == set(edited)
    after = trial.stored()
    assert {n for n, raw in before.items() if after[n] != raw} == set(edited)


@pytest.mark.soak
def test_a_vault_in_a_deployment(trial: Trial, mongo_uri: str) -> None:
    with_guard(trial, "auto")
    server, _, options = mongo_uri.partition("/?")
    trial.environment["PHIMASK_VAULT"] = f"{server}/{trial.database}_vault?{options}"
    before = trial.stored()
    trial.killed("run", "--yes", masked=100)
    trial.call("resume", trial.run)
    assert all(raw != before[n] for n, raw in trial.stored().items())
    code, _ = trial.call("rollback", trial.run, "--yes")
    assert code == 0
    assert trial.stored() == before
    _, told = trial.call("finalize", trial.run, "--yes")
    assert told["key_destroyed"] is True
    vault = trial.client[f"{trial.database}_vault"]
    assert [vault[name].count_documents({}) for name in ("vault_keys", "vault_parts", "vault_segments")] == [
        0,
        0,
        0,
    ]
