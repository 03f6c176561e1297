"""Indexes that a run took away: entered before they are dropped, and kept until they are there again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bson.binary import Binary

from phimask.ledger.opening import Ledger


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """An index that is away: the collection it belongs to, by name and UUID, and its raw specification."""

    namespace: str
    uuid: str | None
    name: str
    specification: bytes = field(repr=False)


class KeptIndexes:
    """Of one run."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._kept = ledger.named("indexes")
        self._run = run

    def enter(self, one: KeptIndex) -> None:
        """Keep an index that is about to be dropped. What is kept of that name already stays."""
        self._kept.update_one(
            {"_id": self._id(one.namespace, one.name)},
            {"$setOnInsert": {"uuid": one.uuid, "specification": Binary(one.specification)}},
            upsert=True,
        )

    def waiting(self, namespace: str | None = None) -> list[KeptIndex]:
        """Those that are not known to be there again; of one collection or of all."""
        query: dict[str, Any] = {"_id.run": self._run}
        if namespace is not None:
            query["_id.namespace"] = namespace
        return [_index(one) for one in self._kept.find(query, sort=[("_id", 1)])]

    def forget(self, one: KeptIndex) -> None:
        """It is there again."""
        self._kept.delete_one({"_id": self._id(one.namespace, one.name)})

    def _id(self, namespace: str, name: str) -> dict[str, str]:
        return {"run": self._run, "namespace": namespace, "name": name}


def _index(found: Mapping[str, Any]) -> KeptIndex:
    place = found["_id"]
    return KeptIndex(place["namespace"], found["uuid"], place["name"], bytes(found["specification"]))
