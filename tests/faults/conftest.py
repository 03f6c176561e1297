"""Trials: each fault is tried several times, each time from another seed, and all outcomes are listed at the end."""

from __future__ import annotations

import contextlib
import math
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from people import Outcome
from project import Project
from proxy import Proxy
from pymongo import MongoClient
from pymongo.database import Database
from trials import Note, Trial

from replica_set import Client, ReplicaSet

COUNTED = ("lost", "double", "unmasked", "wrong", "strange", "leaked")
OUTCOME = "outcome"

SAMPLE = {
    "test_worker_killed_at_each_step": ["changed"],
    "test_worker_at_any_command": ["killed-none", "held past its lease-changed"],
    "test_fail_point": ["closeConnection-changed"],
    "test_reply_lost": ["changed", "none"],
    "test_ledger_out_of_reach": ["changed"],
    "test_elections": [""],
    "test_others_write_meanwhile": [""],
    "test_identities_of_every_type": ["accents and case ignored"],
    "test_shape": ["large", "broken"],
    "test_changed_before_a_resume": ["version"],
    "test_collection_changed_while_running": ["recreate-inline"],
}
"""What is tried where nobody says how often, with which parameters: all of it takes many minutes."""


def pytest_configure(config: pytest.Config) -> None:
    """`strikes(n)`: one run of this test is so many trials."""
    config.addinivalue_line(
        "markers", "strikes(number): how many trials one run of a test in tests/faults is"
    )
    Project.under = config.getoption("--under")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--trials`, a sample of the faults is tried."""
    if config.getoption("--trials") is not None:
        return
    for item in items:
        if isinstance(item, pytest.Function) and "seed" in item.fixturenames:
            parameters = "-".join(
                str(value) for name, value in sorted(item.callspec.params.items()) if name != "seed"
            )
            if parameters not in SAMPLE.get(item.originalname, []):
                item.add_marker("soak")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `seed` is run once a trial; the seed stands in its name."""
    if "seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--seed")
        trials = metafunc.config.getoption("--trials") or 1
        several = metafunc.definition.get_closest_marker("strikes")
        runs = math.ceil(trials / several.args[0]) if several else trials
        metafunc.parametrize("seed", range(first, first + runs), ids="seed-{}".format)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of faults: trials, and documents that came out as none must; below it what the trials were."""
    rows: dict[str, list[Outcome]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()) if _called(report) else ():
                if name == OUTCOME:
                    rows.setdefault(value["row"], []).append(Outcome(**value["outcome"]))
    if not rows:
        return
    width = max(map(len, rows))
    terminalreporter.section("faults")
    terminalreporter.line(
        f"{'fault':{width}}   runs trials documents " + " ".join(f"{name:>8}" for name in COUNTED)
    )
    for row, tried in sorted(rows.items()):
        sums = {name: sum(one.faults.get(name, 0) for one in tried) for name in COUNTED}
        struck = sum((Counter(one.struck) for one in tried), Counter[str]())
        terminalreporter.line(
            f"{row:{width}} {len(tried):6} {struck.total():6} {sum(one.documents for one in tried):9} "
            + " ".join(f"{sums[name]:8}" for name in COUNTED)
        )
        if len(struck) > 1:
            told = ", ".join(f"{name} {count}" for name, count in sorted(struck.items()))
            terminalreporter.line(f"  {told}")


def _called(report: Any) -> bool:
    return getattr(report, "when", None) == "call"


@pytest.fixture
def chance(seed: int) -> random.Random:
    """What a trial leaves to chance."""
    return random.Random(seed)


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Enters an outcome into the table, under the test's name; a report carries it to whichever process shows it."""
    fault = request.node.originalname.removeprefix("test_").replace("_", " ")
    parameters = [str(value) for name, value in request.node.callspec.params.items() if name != "seed"]
    row = ": ".join([fault, *parameters])

    def enter(outcome: Outcome) -> None:
        plain = {**vars(outcome), "struck": dict(outcome.struck)}  # as it can go to another process
        request.node.user_properties.append((OUTCOME, {"row": row, "outcome": plain}))

    return enter


@contextlib.contextmanager
def _trial(
    folder: Path, client: Client, uri: str, database: str, proxy: Proxy | None, note: Note
) -> Iterator[Trial]:
    project = Project(folder / "project", uri, database)
    databases = [client[project.ledger], client[project.vault]]
    try:
        yield Trial(project, proxy or Proxy(0), client[database]["people"], databases, note=note)
    finally:
        # A thread cannot be killed; whatever still runs in one is told to stop.
        databases[0]["masking_coordination.runs"].update_many({}, {"$set": {"command": "stop"}})
        project.hurry()
        project.end()
        # A transaction that a killed worker left open would hold the collection for a minute.
        client.admin.command("killAllSessions", [])
        for one in (client[database], *databases):
            client.drop_database(one)


@pytest.fixture
def trial(tmp_path: Path, client: Client, database: Database[dict[str, Any]], note: Note) -> Iterator[Trial]:
    """A trial on the single server, behind a proxy; its outcome goes into the table under the test's name."""
    assert client.address is not None
    with (
        Proxy(client.address[1]) as proxy,
        _trial(tmp_path, client, proxy.uri, database.name, proxy, note) as trial,
    ):
        yield trial


@pytest.fixture
def inside(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """A trial in this process and by one thread of it, whose driver looks at once whether a server is back."""
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.02)
    trial.project.inside = True
    trial.project.settings["executor"] = "inline"
    return trial


@pytest.fixture
def set_trial(tmp_path: Path, replica_set: ReplicaSet, note: Note) -> Iterator[Trial]:
    """A trial on the replica set, without a proxy."""
    with MongoClient[dict[str, Any]](replica_set.uri) as client:
        name = f"test_{uuid.uuid4().hex[:16]}"
        with _trial(tmp_path, client, replica_set.uri, name, None, note) as trial:
            yield trial
            replica_set.mend()
