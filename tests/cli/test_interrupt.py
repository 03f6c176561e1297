"""Ctrl-C and its like, against a process of its own: the batch in hand is finished or left out whole."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from counters import wait_for
from pymongo.database import Database

DOCUMENTS = 3000
MASK = "[masked]"

SLOW = f"""\
import time

from phimask import Masker, hookimpl


class Slow(Masker):
    \"\"\"Takes its time.\"\"\"

    name = "slow"
    types = frozenset({{"string"}})
    changes = "maybe"
    idempotent = True

    def mask(self, column):
        time.sleep(0.002 * len(column.values))
        return ["{MASK}" for _ in column.values]


@hookimpl
def phimask_register_maskers():
    return [Slow]
"""
PROFILE = """\
version: 1
extends: parallel
description: many small batches
partitioner: single
batch_sizer: {name: fixed, options: {documents: 50}}
prescan: {documents: 20}
"""
WINDOWS = sys.platform == "win32"
SIGNALS = ["CTRL_BREAK_EVENT"] if WINDOWS else ["SIGINT", "SIGTERM"]


@pytest.fixture
def people(deployed: Path, database: Database[dict[str, Any]]) -> Any:
    """Some thousands of people who never were, a slow masker for them, and small batches."""
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {database.name}\nplugins: [slow.py]\n"
        "profile: small.yaml\ncollections: [people]\n",
        encoding="utf-8",
    )
    (deployed / "slow.py").write_text(SLOW, encoding="utf-8")
    (deployed / "small.yaml").write_text(PROFILE, encoding="utf-8")
    (deployed / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nrules:\n  - {path: Name, masker: slow}\n  - {path: Alias, masker: slow}\n",
        encoding="utf-8",
    )
    database["people"].insert_many(
        {"_id": number, "Name": f"Person {number}", "Alias": f"Alias {number}"} for number in range(DOCUMENTS)
    )
    return database["people"]


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_the_run_between_two_batches(name: str, people: Any, started: Any) -> None:
    process = started("--yes", "--json", "--report", "report.json")
    wait_for(lambda: people.count_documents({"Name": MASK}, limit=100) >= 100, process)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "error: interrupted; every batch that was begun is finished" in err
    assert "Traceback" not in err
    report = json.loads(out)
    assert report["status"] == "stopped"
    assert "interrupted" in report["stopped_because"]
    assert json.loads(Path("report.json").read_text(encoding="utf-8")) == report

    masked = people.count_documents({"Name": MASK, "Alias": MASK})
    assert 100 <= masked < DOCUMENTS
    assert masked == report["collections"][0]["documents"]["masked"]
    assert masked % 50 == 0
    original = people.count_documents({"Name": {"$regex": "^Person"}, "Alias": {"$regex": "^Alias"}})
    assert masked + original == DOCUMENTS


def test_an_interrupted_run_is_resumed(people: Any, started: Any, phimask: Callable[..., Any]) -> None:
    people.delete_many({"_id": {"$gte": 300}})
    process = started("--yes")
    wait_for(lambda: people.count_documents({"Name": MASK}, limit=1) == 1, process)
    process.send_signal(getattr(signal, SIGNALS[0]))
    process.communicate(timeout=60)
    assert process.returncode == 130
    again = phimask("--yes")
    assert again.code == 2
    assert "is not finished (stopped); go on with `phimask resume" in again.err
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    assert people.count_documents({"Name": MASK, "Alias": MASK}) == 300
    assert answer.json["collections"][0]["documents"]["masked"] == 300


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_before_the_first_batch_writes_nothing(
    name: str, people: Any, started: Any, deployed: Path
) -> None:
    slower = SLOW.replace("time.sleep(", "open('planning', 'w').close(); time.sleep(10 + ")
    (deployed / "slow.py").write_text(slower, encoding="utf-8")
    process = started("--yes", "--json")
    wait_for((deployed / "planning").exists, process)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=60)
    assert out == ""
    assert "Traceback" not in err
    if not WINDOWS:  # CTRL_BREAK ends a process that has no handler for it
        assert process.returncode == 130
        assert "interrupted; nothing was written" in err
    assert people.count_documents({"Name": MASK}) == 0


def test_nothing_is_written_without_consent(people: Any, started: Any) -> None:
    process = started()
    out, err = process.communicate(input="y\n", timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert f"{people.full_name} (about {DOCUMENTS:,} documents)" in err
    assert people.count_documents({"Name": MASK}) == 0


@pytest.mark.parametrize(("said", "code"), [("n\n", 130), ("\n", 130), ("y\n", 0)])
def test_a_person_is_asked(
    said: str, code: int, people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    people.delete_many({"_id": {"$gte": 20}})

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard(said))
    answer = phimask("--json")
    assert answer.code == code, answer.err
    assert f"Mask {people.full_name} (about 20 documents) in place? There is no way back." in answer.err
    assert people.count_documents({"Name": MASK}) == (20 if code == 0 else 0)
    if code:
        assert "not confirmed; nothing was written" in answer.err
        assert answer.out.strip() == ""
