"""A run without a command line: files in a folder, plans, and what the run came to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask.config.load import load_configuration
from phimask.config.model import Secret
from phimask.config.project import load_project
from phimask.engine.beginning import begin
from phimask.engine.control import StopSignal
from phimask.engine.deployments import Deployments
from phimask.engine.run import Outcome, Run
from phimask.ledger.opening import open_ledger
from phimask.ledger.runs import Runs
from phimask.planning.hazards import acceptable
from phimask.planning.namespace import Namespace
from phimask.planning.plan import Scope
from phimask.planning.planner import plan_collection
from phimask.plugins.loading import load_registry

PROFILE = """\
version: 1
extends: parallel
description: small batches, quick retries
executor: inline
partitioner: single
batch_sizer: {name: fixed, options: {documents: 20}}
observers: []
breaker: {failures: 3, slow_batch: 10s, cool_down: 50ms, trips: 2}
retry: {attempts: 3, initial: 1ms, longest: 5ms}
"""

PLUGIN = '''\
"""Components that can be seen at work."""

import threading
import time

from phimask import BatchBudget, BatchSizer, Masker, MemoryGovernor, MemoryReading, Observer, Validator, hookimpl


class AddOne(Masker):
    """Adds 1: how often a document was masked can be read off it."""

    name = "add_one"
    types = frozenset({"int"})
    hooks = []

    def mask(self, column):
        for hook in self.hooks:
            hook(list(column.values))
        return [value + 1 for value in column.values]


class Moody(MemoryGovernor):
    """Reports what `readings` say, the last one for ever."""

    name = "moody"
    readings = ["ok"]

    def __init__(self, options):
        super().__init__(options)
        self.asked = 0

    def read(self):
        pressure = self.readings[min(self.asked, len(self.readings) - 1)]
        self.asked += 1
        return MemoryReading(pressure, 900 + self.asked, 1000, 0.5 if pressure != "ok" else 1.0)


class Halving(BatchSizer):
    """Twenty documents, half of that after each shrink."""

    name = "halving"
    documents = 20

    def budget(self):
        return BatchBudget(self.documents, 1_000_000)

    def record(self, cost):
        pass

    def shrink(self, factor):
        self.documents = max(1, int(self.documents * factor))


class Impatient(BatchSizer):
    """Twenty documents, and no time."""

    name = "impatient"
    recorded = []

    def budget(self):
        return BatchBudget(20, 1_000_000)

    def longest(self):
        return 1e-9

    def record(self, cost):
        self.recorded.append(cost)


class Touchy(Observer):
    """Raises at the third event."""

    name = "touchy"

    def __init__(self, options):
        super().__init__(options)
        self.seen = 0

    def notify(self, event):
        self.seen += 1
        if self.seen == 3:
            raise RuntimeError("Zebulon Quagmire-Canary")


class Watching(Observer):
    """Keeps all events."""

    name = "watching"
    events = []

    def notify(self, event):
        self.events.append(event)


class Broken(Validator):
    """Raises at each document."""

    name = "broken"
    phases = frozenset({"during"})

    def document(self, pair):
        raise RuntimeError("Zebulon Quagmire-Canary")


class Suspicious(Validator):
    """Refuses everything beforehand."""

    name = "suspicious"
    phases = frozenset({"before"})

    def before(self, collection):
        from phimask import Finding

        yield Finding(f"{collection.documents} documents are too many", "Count")


@hookimpl
def phimask_register_maskers():
    return [AddOne]


@hookimpl
def phimask_register_memory_governors():
    return [Moody]


@hookimpl
def phimask_register_batch_sizers():
    return [Halving, Impatient]


@hookimpl
def phimask_register_observers():
    return [Touchy, Watching]


@hookimpl
def phimask_register_validators():
    return [Broken, Suspicious]
'''

RULES = "version: 1\ncollection: counters\nrules:\n  - {path: Count, masker: add_one}\n"


class Bench:
    """What a test sets, and the runs it starts."""

    def __init__(self, folder: Path, uri: str, client: MongoClient[dict[str, Any]], database: str) -> None:
        self.folder = folder
        self.client = client
        self.database = database
        self.collection: Any = client[database]["counters"]
        self.stop = StopSignal()
        self.planned = False
        self._uri = uri
        self._runs = 0
        (folder / "profiles").mkdir()
        (folder / "collections").mkdir()
        (folder / "profiles" / "quick.yaml").write_text(PROFILE, encoding="utf-8")
        (folder / "collections" / "counters.yaml").write_text(RULES, encoding="utf-8")
        (folder / "seen.py").write_text(PLUGIN, encoding="utf-8")
        self.registry = load_registry(["seen.py"], folder)

    def component(self, kind: str, name: str) -> Any:
        """A class of the plugin file, whose attributes a test may set; they are its own module's."""
        return self.registry.classes(kind)[name].cls

    def fill(self, count: int = 200) -> None:
        """Documents whose `Count` is 0 before the run and 1 after it."""
        self.collection.insert_many({"_id": number, "Count": 0} for number in range(count))

    def counts(self) -> dict[int, int]:
        """How many documents were masked how often."""
        found = self.collection.aggregate([{"$group": {"_id": "$Count", "n": {"$sum": 1}}}])
        return {one["_id"]: one["n"] for one in found}

    def mask(
        self,
        *settings: str,
        query: dict[str, Any] | None = None,
        limit: int | None = None,
        again: bool = True,
    ) -> Outcome:
        """Plan and run, in place."""
        self.planned = False
        project = load_project(
            directory=self.folder, uri=self._uri, database=self.database, environ=os.environ
        )
        configuration = load_configuration(
            project,
            profile="quick",
            collections=["counters"],
            settings=settings,
            environ={},
            components=self.registry,
        )
        source = Namespace(self.client, self.database, "counters")
        (file,) = configuration.collections
        plan = plan_collection(
            file, configuration.profile, self.registry, (), source, None, Scope(query, limit),
            accepts=frozenset(acceptable()),
        )  # fmt: skip
        assert plan.stopping == []
        uri = Secret(self._uri)
        deployments = Deployments(uri, None, uri, open_ledger(self.client, self.database, "ledger"))
        run = Run(configuration, self.registry, (), deployments, self.stop)
        self._runs += 1
        record, epoch = begin(
            Runs(deployments.ledger), f"test-{self._runs}", [plan], configuration, (), again=again
        )
        self.planned = True
        return run.mask([plan], record, epoch)

    def fail(self, mode: Any, **data: Any) -> None:
        """Set the server's fail point failCommand, for commands on the collection that is masked."""
        data["namespace"] = f"{self.database}.counters"
        self.client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)

    @contextmanager
    def failing(self, **data: Any) -> Iterator[None]:
        """The server's fail point failCommand, for as long as the block lasts; `times` bounds it."""
        times = data.pop("times", None)
        self.fail("alwaysOn" if times is None else {"times": times}, **data)
        try:
            yield
        finally:
            self.client.admin.command("configureFailPoint", "failCommand", mode="off")


@pytest.fixture
def bench(
    tmp_path: Path,
    mongo_uri: str,
    database: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    monkeypatch.delenv("PHIMASK_URI", raising=False)
    monkeypatch.delenv("PHIMASK_TARGET_URI", raising=False)
    # A server that said it was shutting down is looked at again after a heartbeat; the usual 10 s are long here.
    uri = f"{mongo_uri}&heartbeatFrequencyMS=500"
    with MongoClient(uri) as own:
        yield Bench(tmp_path, uri, own, database.name)


@pytest.fixture
def at_batch(bench: Bench) -> Callable[[int, Callable[[], object]], None]:
    """Has something done at the masking of the n-th batch, counted from 1 (the plan's sample is none)."""

    def arrange(number: int, act: Callable[[], object]) -> None:
        batches: list[int] = []

        def hook(values: list[int]) -> None:
            if not bench.planned:
                return  # the plan's sample, masked to see how long that takes
            batches.append(len(values))
            if len(batches) == number:
                act()

        bench.component("masker", "add_one").hooks = [hook]

    return arrange
