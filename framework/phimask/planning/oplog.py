"""The oplog: how much it holds, how far it reaches back, and what to do where nobody here may look.

A run's writes pass through it. Who is further behind than it reaches back (a secondary, a change stream, a backup) has
to begin anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymongo.errors import OperationFailure

from phimask.config.wording import listed
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.planning.prediction import Prediction
from phimask.planning.privileges import privileges_granted
from phimask.planning.shadow import sized
from phimask.store.connect import Client

ROLLS_OVER: Final = 0.8
"""What a run may write of an oplog before all that was in it is about to be gone."""
_SMALLEST: Final = 990_000_000
"""Bytes of the smallest oplog that MongoDB makes unless somebody asks for a smaller one, or resizes one to.

Source: MongoDB manual, Replica Set Oplog, oplog size.
"""
_LOOK: Final = ("collStats", "find")
"""What has to be allowed on local.oplog.rs to judge all of it; with the first alone its size is known."""


@dataclass(frozen=True, slots=True)
class Oplog:
    """The most that it holds, in bytes, and how far it reaches back now, in seconds; None: that is not to be seen."""

    bytes: int
    seconds: float | None


def read_oplog(client: Client) -> Oplog | None:
    """The oplog of the member that is written to; None where the user may not see its size, or of a cluster."""
    try:
        size = int(client["local"].command("collStats", "oplog.rs")["maxSize"])
    except (OperationFailure, KeyError):
        return None
    return Oplog(size, _seconds(client))


def _seconds(client: Client) -> float | None:
    """By its first and last entries, else by what serverStatus says of these."""
    entries = client["local"]["oplog.rs"]
    try:
        first, last = (
            entries.find_one({}, {"ts": 1}, sort=[("$natural", direction)]) for direction in (1, -1)
        )
        if first is not None and last is not None:
            return float(last["ts"].time - first["ts"].time)
    except OperationFailure:
        pass
    try:
        told = client.admin.command("serverStatus", oplog=1)["oplog"]
        return float(told["latestOptime"].time - told["earliestOptime"].time)
    except (OperationFailure, KeyError):
        return None


def unseen(where: Namespace, source: Namespace, prediction: Prediction) -> list[Hazard]:
    """Told where the oplog of what is written to cannot be seen, and the run may write more than the smallest one has
    room for. Raises PyMongo's errors."""
    most = prediction.oplog.high
    if where.client.admin.command("hello").get("msg") == "isdbgrid":
        return _of_shards(where, source, most)
    if most is not None and most <= ROLLS_OVER * _SMALLEST:
        return []
    granted = privileges_granted(Namespace(where.client, "local", "oplog.rs"))
    missing = [one for one in _LOOK if granted is not None and one not in granted] or list(_LOOK)
    actions = ", ".join(f"'{one}'" for one in missing)
    return [
        hazard(
            "oplog-unknown",
            where,
            f": the user may not {listed(missing, 'or')} on local.oplog.rs, so nobody knows whether "
            f"{_writes_fit(most)} into the oplog; grant the role clusterMonitor on database 'admin', "
            f"or a role with the privilege {{resource: {{db: 'local', collection: 'oplog.rs'}}, actions: [{actions}]}}"
            ", or have somebody compare with rs.printReplicationInfo()",
        )
    ]


def _writes_fit(most: float | None) -> str:
    return "what the run writes fits" if most is None else f"the up to {sized(most)} that the run writes fit"


def _of_shards(where: Namespace, source: Namespace, most: float | None) -> list[Hazard]:
    """A mongos knows what each shard has of a collection, and nothing of their oplogs."""
    shard, share = None, 1.0
    if most is not None and where == source:
        shard, share = fullest(source.client[source.database].command("collStats", source.collection))
        if most * share <= ROLLS_OVER * _SMALLEST:
            return []
    of_it = "" if most is None or shard is None else f", {sized(most * share)} of it on shard {shard!r}"
    return [
        hazard(
            "oplog-unknown",
            where,
            f": each shard has an oplog of its own, which a mongos does not show: nobody knows whether "
            f"{_writes_fit(most)} into them{of_it}; compare with rs.printReplicationInfo() on each shard's primary",
        )
    ]


def fullest(statistics: Mapping[str, Any]) -> tuple[str | None, float]:
    """The shard that has most of a collection, by collStats of a mongos, and its share; None: it does not say."""
    sizes = {name: float(one.get("size", 0)) for name, one in statistics.get("shards", {}).items()}
    if not any(sizes.values()):
        return None, 1.0
    name = max(sizes, key=lambda one: sizes[one])
    return name, sizes[name] / sum(sizes.values())
