"""The lag within shards, seen from behind a mongos.

A shard's users are not the cluster's, so its members are not asked for documents but for `hello`, which answers
anyone, and tells the time of the last operation. The primary's last operations take the place of heartbeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from phimask.engine.throttle.probe import OutOfService, Read
from phimask.engine.throttle.trail import Trail
from phimask.store.connect import Client


class Shards:
    """The shards of a cluster, with a trail each."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._trails: dict[str, Trail] = {}

    def readers(self, shards: Iterable[Mapping[str, Any]]) -> dict[str, Read]:
        """How to ask each member, by host; `shards` are the documents of config.shards."""
        found: dict[str, Read] = {}
        for shard in shards:
            trail = self._trails.setdefault(shard["_id"], Trail())
            # `host` reads NAME/HOST:PORT,HOST:PORT
            for host in shard["host"].rpartition("/")[2].split(","):
                found[host] = self._reader(trail)
        return found

    def _reader(self, trail: Trail) -> Read:
        def read(member: Client) -> float:
            at = self._clock()
            hello = member.admin.command("hello")
            last = hello["lastWrite"]["opTime"]["ts"]
            if hello["isWritablePrimary"]:
                trail.made(last, self._clock())
                return 0.0
            if not hello["secondary"]:
                raise OutOfService
            return trail.behind(last, at)

        return read
