"""A ledger in which a run seems to go on, and the live page of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from page_site import Site, served
from pymongo import MongoClient
from pymongo.database import Database

from phimask.ledger import run_record
from phimask.ledger.opening import Ledger, open_ledger
from phimask.monitor import looking
from simulated_ledger import SimulatedRun


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a test is kept waiting, its run does not count as dead for that."""
    for module in (run_record, looking):
        monkeypatch.setattr(module, "SILENCE_SECONDS", 3600.0)


@pytest.fixture
def ledger(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Ledger:
    return open_ledger(client, database.name, "ledger")


@pytest.fixture
def run(ledger: Ledger) -> SimulatedRun:
    """A run of forty partitions and three workers that is live."""
    return SimulatedRun(ledger, partitions=40, workers=3)


@pytest.fixture
def serving() -> Iterator[Callable[..., Site]]:
    """Serves the page of a ledger until the end of the test."""
    with ExitStack() as stack:
        yield lambda ledger, **given: stack.enter_context(served(ledger, **given))


@pytest.fixture
def site(serving: Callable[..., Site], ledger: Ledger, run: SimulatedRun) -> Site:
    """The page of the ledger with that run."""
    return serving(ledger)


@pytest.fixture(scope="module")
def unchanged_run(client: MongoClient[dict[str, Any]]) -> Iterator[SimulatedRun]:
    """A run for tests that change nothing."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield SimulatedRun(open_ledger(client, name, "ledger"), partitions=4, workers=1)
    client.drop_database(name)


@pytest.fixture(scope="module")
def module_site(unchanged_run: SimulatedRun) -> Iterator[Site]:
    with served(unchanged_run.ledger) as site:
        yield site


@pytest.fixture
def unchanged_site(module_site: Site) -> Site:
    """The page of that run; nobody is signed in."""
    module_site.cookie = ""
    return module_site
