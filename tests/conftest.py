"""What every test may ask for: a real MongoDB, started once, and a database of its own in it."""

from __future__ import annotations

import gc
import os
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from pymongo import MongoClient
from pymongo.database import Database

from dask_clusters import DaskCluster
from phimask.cycles import look_seldom
from phimask.store.embedded import EmbeddedMongod, find_mongod
from ready import LINUX, Forks
from replica_set import ReplicaSet

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Commands and workers that tests start load their modules as installed ones are: compiled once, not at each start. So
# are the tests' own, whose assertions take longer to rewrite than to load.


settings.register_profile("patient", deadline=None)  # a busy machine is no fault
settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays to the end. To look for cycles in it takes a quarter of a second, which
    a run in this process does several times. Nor do others need it more often than a command's or a worker's own."""
    gc.collect()
    gc.freeze()
    look_seldom()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often each fault is tried, and from which seed on."""
    faults = parser.getgroup("faults")
    faults.addoption(
        "--trials", type=int, help="trials of each fault in tests/faults; else a sample is tried"
    )
    faults.addoption("--under", default="parallel", help="the profile under which faults are met")
    faults.addoption("--seed", type=int, default=1, help="the first trial's seed; the next has one more")


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """A running single-node replica set on the loopback address, ended with the session."""
    # What a killed process left open is waited for; a quarter of the minute that servers grant shows the same.
    parameters = ("enableTestCommands=1", "transactionLifetimeLimitSeconds=15")
    flags = [flag for parameter in parameters for flag in ("--setParameter", parameter)]
    with EmbeddedMongod(find_mongod(os.environ), flags) as server:
        yield server.uri


@pytest.fixture(scope="session")
def whole_replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    """Three members, started for the first test that asks for `replica_set`, ended with the session."""
    with ReplicaSet(find_mongod(os.environ), tmp_path_factory.mktemp("replica_set")) as members:
        yield members


@pytest.fixture
def replica_set(whole_replica_set: ReplicaSet) -> Iterator[ReplicaSet]:
    """A whole replica set of three; what a test does to it is mended after the test."""
    yield whole_replica_set
    whole_replica_set.mend()


@pytest.fixture(scope="session")
def client(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """One client for the session."""
    with MongoClient(mongo_uri) as client:
        yield client


@pytest.fixture
def ready_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that the tests' own starts to mask, to restore and to verify are loaded when they begin."""
    if LINUX:
        for where in ("phimask.engine.processes", "phimask_plugins.executors.process"):
            monkeypatch.setattr(f"{where}.get_context", lambda method: Forks())


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Two dask workers of one thread each, in processes, on the loopback address."""
    with DaskCluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def database(client: MongoClient[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """A fresh database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield client[name]
    client.drop_database(name)
