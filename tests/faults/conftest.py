"""Trials: each fault is tried several times, each time from another seed, and all outcomes are listed at the end."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from people import Outcome
from project import Project
from proxy import Proxy
from pymongo import MongoClient
from pymongo.database import Database
from trials import Trial

from replica_set import Client, ReplicaSet

COUNTED = ("lost", "double", "unmasked", "wrong", "strange", "leaked")
OUTCOMES = pytest.StashKey[dict[str, list[Outcome]]]()


SAMPLE = {
    ("test_worker_killed_at_each_step", "changed"): 3,
    ("test_reply_lost", "none"): 3,
    ("test_others_write_meanwhile", None): 1,
    ("test_poisoned_document", "crash"): 1,
}
"""What is tried where nobody says how often, and how often: the rest takes half an hour, and is for `--trials`."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--trials`, a sample of the faults is tried."""
    if config.getoption("--trials") is not None:
        return
    left = dict(SAMPLE)
    for item in items:
        if not isinstance(item, pytest.Function) or item.path.parent != Path(__file__).parent:
            continue
        if "seed" not in item.fixturenames:
            continue
        others = [value for name, value in item.callspec.params.items() if name != "seed"]
        row = (item.originalname, others[0] if others else None)
        if left.get(row, 0):
            left[row] -= 1
        else:
            item.add_marker("soak")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `seed` is run once a trial; the seed stands in its name."""
    if "seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--seed")
        trials = metafunc.config.getoption("--trials") or 3
        metafunc.parametrize("seed", range(first, first + trials), ids="seed-{}".format)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table of faults: trials, and documents that came out as none must."""
    outcomes = config.stash.get(OUTCOMES, {})
    if not outcomes:
        return
    width = max(map(len, outcomes))
    terminalreporter.section("faults")
    terminalreporter.line(f"{'fault':{width}} trials documents " + " ".join(f"{name:>8}" for name in COUNTED))
    for fault, tried in outcomes.items():
        sums = {name: sum(one.faults.get(name, 0) for one in tried) for name in COUNTED}
        terminalreporter.line(
            f"{fault:{width}} {len(tried):6} {sum(one.documents for one in tried):9} "
            + " ".join(f"{sums[name]:8}" for name in COUNTED)
        )


@pytest.fixture
def chance(seed: int) -> random.Random:
    """What a trial leaves to chance."""
    return random.Random(seed)


@contextlib.contextmanager
def _trial(
    request: pytest.FixtureRequest, folder: Path, client: Client, uri: str, database: str, proxy: Proxy | None
) -> Iterator[Trial]:
    project = Project(folder / "project", uri, database)
    table = request.config.stash.setdefault(OUTCOMES, {})
    fault = request.node.originalname.removeprefix("test_").replace("_", " ")
    parameters = [str(value) for name, value in request.node.callspec.params.items() if name != "seed"]
    name = ": ".join([fault, *parameters])
    databases = [client[project.ledger], client[project.vault]]
    try:
        yield Trial(
            project, proxy or Proxy(0), client[database]["people"], databases,
            note=lambda outcome: table.setdefault(name, []).append(outcome),
        )  # fmt: skip
    finally:
        project.end()
        # A transaction that a killed worker left open would hold the collection for a minute.
        client.admin.command("killAllSessions", [])
        for one in (client[database], *databases):
            client.drop_database(one)


@pytest.fixture
def trial(
    request: pytest.FixtureRequest, tmp_path: Path, client: Client, database: Database[dict[str, Any]]
) -> Iterator[Trial]:
    """A trial on the single server, behind a proxy; its outcome goes into the table under the test's name."""
    assert client.address is not None
    with (
        Proxy(client.address[1]) as proxy,
        _trial(request, tmp_path, client, proxy.uri, database.name, proxy) as trial,
    ):
        yield trial


@pytest.fixture
def set_trial(request: pytest.FixtureRequest, tmp_path: Path, replica_set: ReplicaSet) -> Iterator[Trial]:
    """A trial on the replica set, without a proxy."""
    with MongoClient[dict[str, Any]](replica_set.uri) as client:
        name = f"test_{uuid.uuid4().hex[:16]}"
        with _trial(request, tmp_path, client, replica_set.uri, name, None) as trial:
            yield trial
            replica_set.mend()
