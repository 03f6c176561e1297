"""Indexes that a run dropped come back, whoever is killed, whatever is given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from phimask.config.model import Secret
from phimask.engine import left_open
from phimask.store.connect import connect
from phimask.store.indexes import read_indexes

INDEXES: tuple[dict[str, Any], ...] = (
    {"key": {"Name": 1, "Born": -1}, "name": "person", "sparse": True},
    {"key": {"Visits.Note": "text"}, "name": "notes", "weights": {"Visits.Note": 4}},
    {"key": {"$**": 1}, "name": "all"},
    {"key": {"Born": 1}, "name": "born", "collation": {"locale": "de"}, "hidden": True},
)
DOCUMENTS = 2000
REBUILD = (
    *("--set", "write.indexes=rebuild"),
    *("--set", "batch_sizer={name: fixed, options: {documents: 20}}"),
    *("--accept", "text-index"),
    *("--set", "canary=null"),  # however busy the machine is
)

SLOWLY = ("--set", "batch_sizer={name: fixed, options: {documents: 5}}")
"""So many small batches that a run is killed before its end."""


@pytest.fixture
def indexed(deployed: Path, database: Database[dict[str, Any]]) -> dict[str, bytes]:
    """Specifications of the indexes of a collection with people."""
    database.people.insert_many(
        {"_id": number, "PatientId": str(number), "Name": "Ann Lee", "Visits": [{"Note": f"note {number}"}]}
        for number in range(DOCUMENTS)
    )
    database.command({"createIndexes": "people", "indexes": list(INDEXES), "commitQuorum": "majority"})
    return now(database)


def now(database: Database[dict[str, Any]]) -> dict[str, bytes]:
    return read_indexes(database.client, database.name, "people")


def masked(database: Database[dict[str, Any]]) -> int:
    """Counted without any index: a query that might go by one ends with an error when it is dropped."""
    return database.people.count_documents({"Visits.Note": "[REDACTED]"}, hint=[("$natural", 1)])


def run_of(database: Database[dict[str, Any]]) -> str:
    """The run that has the collection."""
    runs = database.client.phimask["masking_coordination.runs"]
    (run,) = (one["_id"] for one in runs.find({"pins.namespace": f"{database.name}.people"}))
    return str(run)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def killed_half_way(
    indexed: dict[str, bytes],
    started: Callable[..., Any],
    database: Database[dict[str, Any]],
    mongo_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., str]]:
    """Has a run of one process killed without a warning; answers with its id. What it left open is ended by the next
    command: nothing waits until the server does that."""
    ended: list[int] = []
    end = left_open._end

    def noted(client: Any, name: str) -> int:
        ended.append(end(client, name))
        return ended[-1]

    monkeypatch.setattr(left_open, "_end", noted)
    with ExitStack() as stack:

        def kill(*settings: str) -> str:
            flags = ("--yes", "--profile", "emergency", "-c", "people", "--db", database.name)
            process = started("run", *flags, *REBUILD, *SLOWLY, *settings)
            until(lambda: masked(database) > 100 or process.poll() is not None)
            process.kill()
            process.wait()
            assert 0 < masked(database) < DOCUMENTS
            assert now(database) == {}
            run = run_of(database)
            # Whatever it was about when it was killed: this it was about, too.
            client = stack.enter_context(connect(Secret(mongo_uri), run, "inline"))
            session = stack.enter_context(client.start_session())
            session.start_transaction()
            client[database.name].people.find_one({}, session=session)
            return run

        yield kill
    assert sum(ended) > 0


def test_after_a_kill_a_resume_brings_them_back(
    indexed: dict[str, bytes],
    killed_half_way: Callable[..., str],
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
) -> None:
    answer = phimask("resume", killed_half_way(), "--json", "--db", database.name)
    assert answer.code == 0, answer.err
    assert masked(database) == DOCUMENTS
    assert now(database) == indexed
    assert sorted(answer.json["collections"][0]["indexes"]["rebuilt"]) == sorted(indexed)


def test_after_a_kill_finalize_brings_them_back(
    indexed: dict[str, bytes],
    killed_half_way: Callable[..., str],
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
) -> None:
    answer = phimask("finalize", killed_half_way(), "--yes", "--db", database.name)
    assert answer.code == 0, answer.err
    assert 0 < masked(database) < DOCUMENTS
    assert now(database) == indexed
    assert "built again" in answer.err


def test_after_a_kill_a_rollback_brings_them_back(
    indexed: dict[str, bytes],
    killed_half_way: Callable[..., str],
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
) -> None:
    vault = ("--set", "undo.vault=vault")
    answer = phimask("rollback", killed_half_way(*vault), "--yes", "--db", database.name, *vault)
    assert answer.code == 0, answer.err
    assert masked(database) == 0
    assert now(database) == indexed


def test_killed_while_they_are_built_again(
    indexed: dict[str, bytes],
    database: Database[dict[str, Any]],
    started: Callable[..., Any],
    phimask: Callable[..., Any],
) -> None:
    admin = database.client.admin
    admin.command("configureFailPoint", "hangAfterStartingIndexBuild", mode="alwaysOn")
    try:
        flags = ("--yes", "--profile", "emergency", "-c", "people", "--db", database.name)
        process = started("run", *flags, *REBUILD)
        until(lambda: building(database) or process.poll() is not None)
        assert masked(database) == DOCUMENTS
        process.kill()
        process.wait()
    finally:
        admin.command("configureFailPoint", "hangAfterStartingIndexBuild", mode="off")
    answer = phimask("resume", run_of(database), "--json", "--db", database.name)
    assert answer.code == 0, answer.err
    assert now(database) == indexed


def building(database: Database[dict[str, Any]]) -> bool:
    pipeline = [{"$currentOp": {"allUsers": True}}, {"$match": {"command.createIndexes": "people"}}]
    return any(True for _ in database.client.admin.aggregate(pipeline))


def test_a_plan_counts_and_prices_them(
    indexed: dict[str, bytes], database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    database.people.create_index("Other")
    plan = ("plan", "--profile", "emergency", "-c", "people", "--db", database.name)
    found = phimask(*plan, "--json").json["collections"][0]["indexes"]
    assert (found["total"], found["on_masked_paths"]) == (5, 4)
    assert sorted(found["removable"]) == sorted(indexed)
    assert found["rebuilt"] is False
    rebuilt = phimask(*plan, "--json", *REBUILD).json["collections"][0]["indexes"]
    assert rebuilt["rebuilt"] is True
    assert rebuilt["microseconds_per_document"] < found["microseconds_per_document"]
    assert "write.indexes=rebuild would drop" in phimask(*plan).err
    assert "dropped meanwhile" in phimask(*plan, *REBUILD).err
