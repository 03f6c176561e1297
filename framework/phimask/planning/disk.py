"""What is free on a server's disk, as far as it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from phimask.store.connect import Client


def free_bytes(statistics: Mapping[str, Any]) -> int | None:
    """What dbStats says is free, where it is least on a sharded cluster; None where it does not say."""
    parts: Sequence[Mapping[str, Any]] = list(statistics.get("raw", {"": statistics}).values())
    free = [int(one["fsTotalSize"] - one["fsUsedSize"]) for one in parts if one.get("fsTotalSize")]
    return min(free, default=None)


def free_disk(client: Client, database: str, another: str = "admin") -> int | None:
    """Where a database is, or will be: of one that is not there yet dbStats says nothing, and `another` one of the
    deployment is asked. Raises PyMongo's errors."""
    free = free_bytes(client[database].command("dbStats"))
    return free_bytes(client[another].command("dbStats")) if free is None else free
