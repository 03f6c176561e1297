"""What every test may ask for: a real MongoDB, started once, and a database of its own in it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask.store.embedded import EmbeddedMongod, find_mongod


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """A running single-node replica set on the loopback address, ended with the session."""
    with EmbeddedMongod(find_mongod(os.environ), ["--setParameter", "enableTestCommands=1"]) as server:
        yield server.uri


@pytest.fixture(scope="session")
def client(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """One client for the session."""
    with MongoClient(mongo_uri) as client:
        yield client


@pytest.fixture
def database(client: MongoClient[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """A fresh database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield client[name]
    client.drop_database(name)
