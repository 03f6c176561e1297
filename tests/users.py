"""A deployment that asks for a user and a password."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_plus

from pymongo import MongoClient

from phimask.store.embedded import EmbeddedMongod, find_mongod


@contextmanager
def deployment_with_users(directory: Path, password: str) -> Iterator[str]:
    """Host and port of one whose only user is `root`."""
    keyfile = directory / "keyfile"
    keyfile.write_text("c3ludGhldGljIGtleSBmaWxlIGZvciB0ZXN0cw==\n", encoding="ascii")
    keyfile.chmod(0o600)
    arguments = ["--auth", "--keyFile", str(keyfile)]
    with EmbeddedMongod(find_mongod(os.environ), arguments) as server:
        with MongoClient(server.uri) as client:
            client.admin.command("createUser", "root", pwd=password, roles=["root"])
        yield server.uri.removeprefix("mongodb://")


def as_user(host: str, user: str, password: str) -> str:
    """The URI of a user of it."""
    return f"mongodb://{user}:{quote_plus(password)}@{host}"
