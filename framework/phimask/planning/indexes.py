"""The indexes of a collection that is masked in place: what they cost, and which may be taken away meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phimask.masking.columns import BoundRule
from phimask.planning.index_hazards import on_masked_paths
from phimask.planning.namespace import Namespace

MASKED_MICROSECONDS: Final = 25.0
"""CPU time that an index on a masked path costs the server for each document. Measured by
tests/benchmarks/index_cost.py."""
OTHER_MICROSECONDS: Final = 2.0
"""The same of an index on other paths."""

_JUDGES_VALUES: Final = frozenset({"2d", "2dsphere", "geoHaystack"})
"""Kinds that refuse some values: a document that they would not take is found when it is written, not at the end."""


@dataclass(frozen=True, slots=True)
class IndexCost:
    """How many indexes there are beside that on `_id`, how many of them are on masked paths, the names of those that
    may be taken away, and what all of them cost the server for each document, in microseconds of CPU time."""

    total: int
    masked: int
    removable: tuple[str, ...]
    microseconds: float
    microseconds_without: float
    """The same once the removable ones are away."""


def index_cost(
    indexes: Sequence[Mapping[str, Any]], rules: Sequence[BoundRule], sharded_by: Sequence[str]
) -> IndexCost:
    """What a collection's indexes cost."""
    secondary = [index for index in indexes if index["name"] != "_id_"]
    masked = sum(on_masked_paths(index, rules) for index in secondary)
    away = removable(secondary, rules, sharded_by)
    microseconds = masked * MASKED_MICROSECONDS + (len(secondary) - masked) * OTHER_MICROSECONDS
    return IndexCost(
        len(secondary), masked, tuple(away), microseconds, microseconds - len(away) * MASKED_MICROSECONDS
    )


def removable(
    indexes: Iterable[Mapping[str, Any]], rules: Sequence[BoundRule], sharded_by: Sequence[str]
) -> list[str]:
    """The names of indexes that masking has to keep up and that hold no promise of their own.

    Never one that is unique or about to become so, that deletes documents (TTL), that judges values (2d, 2dsphere),
    or that the shard key may need.
    """
    return [
        index["name"]
        for index in indexes
        if index["name"] != "_id_"
        and not (index.get("unique") or index.get("prepareUnique") or index.get("clustered"))
        and "expireAfterSeconds" not in index
        and not _JUDGES_VALUES.intersection(map(str, index["key"].values()))
        and not (sharded_by and list(index["key"])[: len(sharded_by)] == list(sharded_by))
        and on_masked_paths(index, rules)
    ]


def shard_key(source: Namespace) -> tuple[str, ...]:
    """The paths of the collection's shard key; empty where it is not sharded. Raises PyMongo's errors."""
    if source.client.admin.command("hello").get("msg") != "isdbgrid":
        return ()
    entry = source.client["config"]["collections"].find_one({"_id": str(source)})
    return tuple((entry or {}).get("key", {}))
