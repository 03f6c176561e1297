"""Documents that tell how often they were masked, and the real command line at work on them in processes."""

from __future__ import annotations

import datetime
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo.database import Database

COUNTING = """\
import os
import time

from phimask import Masker, hookimpl

PACE = float(os.environ.get("PACE", "0"))


class AddOne(Masker):
    \"\"\"Adds 1: how often a document was masked can be read off it.\"\"\"

    name = "add_one"
    types = frozenset({"int"})

    def mask(self, column):
        time.sleep(PACE * len(column.values))
        return [value + 1 for value in column.values]


@hookimpl
def phimask_register_maskers():
    return [AddOne]
"""
SMALL_BATCHES = """\
version: 1
extends: parallel
description: many small batches
partitioner: {name: paginate, options: {documents: 150}}
batch_sizer: {name: fixed, options: {documents: 20}}
executor: inline
observers: []
prescan: {documents: 20}
"""
COUNTERS = """\
version: 1
collection: %s
rules:
  - {path: Count, masker: add_one}
  - {path: Born, masker: {name: date_shift, options: {max_days: 1, scope: document}}}
"""
BORN = datetime.datetime(1951, 2, 3)  # noqa: DTZ001  (as PyMongo decodes dates)
# A shell's background job ignores SIGINT and so would the processes that tests start from there.
AS_IN_A_TERMINAL = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('phimask', run_name='__main__')"
)


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until it is so, as long as the process runs."""
    until = time.monotonic() + 60
    while not what():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "nothing happened for a minute"
        time.sleep(0.02)


class Counters:
    """Documents that tell how often they were masked, a slow masker for them, a ledger of their own.

    `Count` is 0 before a run and 1 after it; `Born` moves by a day each time.
    """

    def __init__(
        self, folder: Path, database: Database[dict[str, Any]], start: Callable[..., subprocess.Popen[str]]
    ) -> None:
        self.folder = folder
        self.database = database
        self.ledger = database.client[f"{database.name}_ledger"]
        self.collection = database["counters"]
        self._start = start
        (folder / "counting.py").write_text(COUNTING, encoding="utf-8")
        (folder / "small.yaml").write_text(SMALL_BATCHES, encoding="utf-8")
        self.file("counters")
        self.settings("counters")
        self.fill("counters")

    def settings(self, *collections: str, more: str = "") -> None:
        """phimask.yaml, for these collection files."""
        (self.folder / "phimask.yaml").write_text(
            f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {self.database.name}\nplugins: [counting.py]\n"
            f"profile: small.yaml\ncollections: [{', '.join(collections)}]\n"
            + (more or f"coordination: {{database: {self.ledger.name}}}\n"),
            encoding="utf-8",
        )

    def file(self, name: str, more: str = "") -> None:
        """A collection file."""
        (self.folder / "collections" / f"{name}.yaml").write_text(COUNTERS % name + more, encoding="utf-8")

    def fill(self, name: str, count: int = 600) -> None:
        """Documents that no run has seen."""
        self.database[name].insert_many(
            {"_id": number, "Count": 0, "Born": BORN, "Ward": number % 3} for number in range(count)
        )

    def counts(self, name: str = "counters") -> dict[int, int]:
        """How many documents were masked how often."""
        found = self.database[name].aggregate([{"$group": {"_id": "$Count", "n": {"$sum": 1}}}])
        return {one["_id"]: one["n"] for one in found}

    def masked(self, name: str = "counters") -> int:
        """How many documents were masked at all; each of them once, wholly, or this fails."""
        counts = self.counts(name)
        assert set(counts) <= {0, 1}, counts
        for one in self.database[name].find():
            assert abs((one["Born"] - BORN).days) == one["Count"], one
        return counts.get(1, 0)

    def start(self, *arguments: str, pace: float = 0.002) -> subprocess.Popen[str]:
        """A command as a process; masking a document takes so many seconds at least."""
        return self._start(*arguments, PACE=str(pace))

    def begun(self, *arguments: str, pace: float = 0.002, least: int = 40) -> subprocess.Popen[str]:
        """A run as a process that has masked at least so many documents of the first collection."""
        process = self.start(*arguments, pace=pace)
        wait_for(
            lambda: self.collection.count_documents({"Count": {"$gt": 0}}, limit=least) >= least, process
        )
        return process

    def killed(self, *arguments: str, pace: float = 0.005, least: int = 40) -> str:
        """The id of a run that was begun so and then killed; it takes its time, so that it is not done before that."""
        process = self.begun(*arguments, pace=pace, least=least)
        process.kill()
        process.communicate()
        return self.latest()["_id"]

    def let_go(self) -> None:
        """End transactions that only read: those of a process that was killed keep collections from being dropped."""
        self.database.client.admin.command("killAllSessions", [])

    def latest(self) -> dict[str, Any]:
        """The run that the ledger entered last."""
        found = self.ledger["masking_coordination.runs"].find_one(sort=[("created", -1)])
        assert found is not None
        return found

    def told(self) -> dict[str, Any]:
        """All that the ledger and the collections hold, to see that nothing was written."""
        return {
            name: list(database[name].find({}, {"coordinator": 0}).sort("_id"))
            for database in (self.database, self.ledger)
            for name in sorted(database.list_collection_names())
            if not name.endswith(".heartbeat")
        }
