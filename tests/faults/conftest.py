"""Trials: each fault is tried several times, each time from another seed, and all outcomes are listed at the end."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from canaries import in_database, in_files
from people import CANARY, Frozen, Outcome, compare, fill, frozen
from project import Command, Project
from proxy import Proxy
from pymongo import MongoClient
from pymongo.database import Database

from replica_set import Client, ReplicaSet

COUNTED = ("lost", "double", "unmasked", "wrong", "strange", "leaked")
OUTCOMES = pytest.StashKey[dict[str, list[Outcome]]]()


SAMPLE = {
    "test_worker_killed_at_each_step[changed": 3,
    "test_reply_lost[none": 1,
    "test_others_write_meanwhile": 1,
    "test_poisoned_document[crash": 1,
}
"""What is tried where nobody says how often, and how often: the rest takes half an hour, and is for `--trials`."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--trials`, a sample of the faults is tried."""
    if config.getoption("--trials") is not None:
        return
    left = dict(SAMPLE)
    for item in items:
        if "seed" not in getattr(item, "fixturenames", ()):
            continue
        row = next((name for name in left if item.name.startswith(name)), None)
        if row is None or left[row] == 0:
            item.add_marker("soak")
        else:
            left[row] -= 1


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


@dataclass
class Trial:
    """A collection of people, masked by the real command line through a proxy, and judged by a copy taken before."""

    project: Project
    proxy: Proxy
    people: Any
    databases: list[Database[dict[str, Any]]]
    before: Frozen = field(default_factory=dict)
    note: Callable[[Outcome], None] = lambda _: None

    def fill(self, chance: random.Random, count: int) -> None:
        """So many people, and the copy."""
        fill(self.people, chance, count)
        self.freeze()

    def freeze(self) -> None:
        """What there is now is what there was before."""
        self.before = frozen(self.people)

    @property
    def ledger(self) -> Database[dict[str, Any]]:
        """Where the ledger is."""
        return self.databases[0]

    def masked(self) -> int:
        """How many documents are masked, up to now."""
        return int(self.people.count_documents({"Count": 1}))

    def resume(self) -> Command:
        """Go on with the last run, and wait for its end."""
        command = self.project.start("resume", "--json", *self.project.set)
        command.wait()
        return command

    def judge(self, last: Command | None = None, left_out: tuple[Any, ...] = ()) -> None:
        """The universal pass: as the oracle has it, counted right by the report of `last`, nothing leaked."""
        self.conclude(compare(self.before, frozen(self.people), left_out), last)
        if last is not None:
            assert last.code in (0, 3 if left_out else 0), self._said(last)
            (entry,) = last.report["collections"]
            counts = entry["documents"]
            assert counts["masked"] == len(self.before) - len(left_out), counts
            assert counts["quarantined"] == len(left_out), counts
            assert counts["total"] == len(self.before), counts

    def conclude(self, outcome: Outcome, last: Command | None = None) -> None:
        """Look for leaks, enter the outcome into the table, and fail the trial unless it is as it must be."""
        outcome.leaked = list(in_files(self.project.folder, CANARY))
        for database in self.databases:
            outcome.leaked += in_database(database, CANARY)
        self.note(outcome)
        assert outcome.faults == {}, f"{outcome}\n{self._said(last)}"

    @staticmethod
    def _said(command: Command | None) -> str:
        return "" if command is None else f"exit code {command.code}: {command.err[-4000:]}"


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
