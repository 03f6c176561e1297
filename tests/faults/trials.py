"""A run that faults befall: people masked by the real command line, and judged by a copy that was taken before."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from canaries import in_database, in_files
from people import CANARY, Frozen, Outcome, compare, fill, frozen
from project import Command, Project
from proxy import Proxy
from pymongo.database import Database

Note = Callable[[Outcome], None]
"""Enters an outcome into the table."""


@dataclass
class Trial:
    """A collection of people, masked by the real command line through a proxy, and judged by a copy taken before."""

    project: Project
    proxy: Proxy
    people: Any
    databases: list[Database[dict[str, Any]]]
    before: Frozen = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    note: Note = lambda _: None

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

    def strike(self, name: str) -> None:
        """A fault befell the run: each counts as a trial. None may have masked a document twice by now."""
        self.struck[name] += 1
        assert self.people.count_documents({"Count": {"$gt": 1}}) == 0, name

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
        outcome.struck = self.struck or Counter({"once": 1})
        outcome.leaked = list(in_files(self.project.folder, CANARY))
        for database in self.databases:
            outcome.leaked += in_database(database, CANARY)
        self.note(outcome)
        assert outcome.faults == {}, f"{outcome}\n{self._said(last)}"

    @staticmethod
    def _said(command: Command | None) -> str:
        return "" if command is None else f"exit code {command.code}: {command.err[-4000:]}"
