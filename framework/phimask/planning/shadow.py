"""Masking through a shadow, planned: which names it takes, what it needs, and what keeps a collection from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from phimask.planning.disk import free_disk
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.planning.preflight import Preflight
from phimask.planning.privileges import privileges_missing
from phimask.store.connect import has_transactions

SHADOW: Final = "phimask_shadow"
ORIGINAL: Final = "phimask_original"

_LONGEST: Final = 255
"""Bytes of database and collection together, as MongoDB counts a namespace. Source: MongoDB manual, Limits."""
_NUMBER: Final = 4
"""Bytes for the number that a shadow which is caught up has in its name."""
_MARGIN: Final = 1.1
"""Masked values do not compress better than real ones, and index builds sort on disk."""


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """A collection's shadow, under `run`, and the name that its original gets.

    `bytes`: what the shadow and its indexes will need on disk; `free`: what there is, None where the server does not
    say. `indexes`: how many are built after the fill. `catch_up`: whether others may write meanwhile.
    """

    run: str
    shadow: Namespace
    original: Namespace
    keep: bool
    bytes: int = 0
    free: int | None = None
    indexes: int = 0
    catch_up: bool = False


def shadow_plan(source: Namespace, run: str, *, keep: bool, catch_up: bool = False) -> ShadowPlan:
    """The names that a run's shadow takes."""
    return ShadowPlan(run, named(source, SHADOW, run), named(source, ORIGINAL, run), keep, catch_up=catch_up)


def named(source: Namespace, what: str, run: str) -> Namespace:
    """The collection beside it of this kind and run."""
    return Namespace(source.client, source.database, f"{source.collection}.{what}_{run}")


def beside(source: Namespace) -> dict[str, str]:
    """All shadows and originals of a collection that are there, each with its run."""
    found: dict[str, str] = {}
    names = source.client[source.database].list_collection_names()
    for what in (SHADOW, ORIGINAL):
        begin = f"{source.collection}.{what}_"
        # A shadow that is caught up has a number behind the run.
        found |= {
            name: name.removeprefix(begin).partition(".")[0]
            for name in sorted(names)
            if name.startswith(begin)
        }
    return found


def refuse_own(source: Namespace, found: Preflight) -> None:
    """A shadow or an original that is kept is no collection to mask."""
    for what in (SHADOW, ORIGINAL):
        name, mark, rest = source.collection.partition(f".{what}_")
        run = rest.partition(".")[0]
        if mark:
            found.hazards.append(
                hazard(
                    "shadow-left",
                    source,
                    f" belongs to run {run}, which masked {name} through a shadow; end that with `phimask "
                    f"finalize {run}` or `phimask rollback {run}`",
                )
            )


def examine_shadow(
    source: Namespace,
    plan: ShadowPlan,
    *,
    journal: bool,
    partial: bool,
    found: Preflight,
    only_read: bool = False,
) -> ShadowPlan:
    """Look at what a shadow needs; hazards go to `found`. The plan comes back with its figures.

    `journal`: as the profile has it; `partial`: under a query or a limit; `only_read`: it is not going to be made.
    Raises PyMongo's errors.
    """
    found.hazards += [
        hazard("shadow-impossible", source, told)
        for told in _obstacles(source, plan, journal=journal, partial=partial, found=found)
    ]
    there = beside(source)
    for name, run in there.items():
        if run != plan.run:
            found.hazards.append(
                hazard(
                    "shadow-left",
                    source,
                    f": {source.database}.{name} is there still, of run {run}; end that run first with `phimask "
                    f"finalize {run}` or `phimask rollback {run}`",
                )
            )
    if plan.catch_up and not only_read:
        found.hazards += privileges_missing(source, {"collMod"}, "dbAdmin")
    found.hazards += _of_catching_up(source) if plan.catch_up else _of_writers(source, found)
    return _measured(source, plan, there, found)


def _of_catching_up(source: Namespace) -> Iterator[Hazard]:
    yield hazard(
        "shadow-closing",
        source,
        ": others may write to it meanwhile. Before the swap it refuses writes for a moment "
        "(DocumentValidationFailure, code 121), which whoever writes has to try again; change streams on it end",
    )


def _of_writers(source: Namespace, found: Preflight) -> Iterator[Hazard]:
    for one in found.indexes:
        if one.get("expireAfterSeconds") is not None:
            yield hazard(
                "shadow-ttl",
                source,
                " has an index that deletes documents (TTL): one that expires while the shadow is filled is a "
                "write like any other, and the shadow is not swapped in then",
                index=one["name"],
            )
    yield hazard(
        "shadow-writers",
        source,
        ": nobody may write to it while its shadow is filled and verified: the shadow is not swapped in "
        "where anybody did. Readers find no collection of this name for the moment between two renames, and "
        "change streams on it end",
    )
    if not has_transactions(source.client):
        yield hazard(
            "standalone",
            source,
            ": a standalone server only counts writes: one in the last moment before the swap goes unseen, "
            "so be sure that nobody writes",
        )


def _obstacles(
    source: Namespace, plan: ShadowPlan, *, journal: bool, partial: bool, found: Preflight
) -> Iterator[str]:
    otherwise = "mask it in place (no `target:`)"
    if "encryptedFields" in found.options:
        yield (
            " has encrypted fields, which are held in collections of their own that follow no rename; "
            f"{otherwise}"
        )
    if is_sharded(source):
        yield f" is sharded, and a sharded collection cannot be swapped; {otherwise}"
    if partial:
        yield f": a shadow takes the place of the whole collection: leave out --query and --limit, or {otherwise}"
    if plan.catch_up and not has_transactions(source.client):
        yield (
            ": who writes to a standalone server cannot be followed (target.shadow.catch_up); make it a replica set of "
            "one member, or leave catch_up out and see to it that nobody writes"
        )
    if not journal:
        yield ": a shadow needs the journal (write.journal: true), which tells after a crash who has the name"
    for one in (plan.shadow, plan.original):
        length = len(str(one).encode()) + (_NUMBER if plan.catch_up else 0)
        if length > _LONGEST:
            yield f": {one} would be a name of {length} bytes, and MongoDB takes {_LONGEST}; {otherwise}"
            break


def is_sharded(source: Namespace) -> bool:
    """Whether the collection is spread by a key. A collection that only is known to the cluster is not."""
    if source.client.admin.command("hello").get("msg") != "isdbgrid":
        return False
    entry = source.client["config"]["collections"].find_one({"_id": str(source), "dropped": {"$ne": True}})
    return entry is not None and not entry.get("unsplittable")


def _measured(source: Namespace, plan: ShadowPlan, there: Mapping[str, str], found: Preflight) -> ShadowPlan:
    """With the disk that it needs and that there is; a hazard where it is too little."""
    database = source.client[source.database]
    stored = database.command("collStats", source.collection)
    size = int((stored["storageSize"] + stored["totalIndexSize"]) * _MARGIN)
    free = free_disk(source.client, source.database)
    if plan.original.collection in there:
        needed = 0  # it has all it needs already
    elif own := [name for name, run in there.items() if run == plan.run]:
        needed = max(0, size - sum(int(database.command("collStats", one)["storageSize"]) for one in own))
    else:
        needed = size
    if free is None:
        found.hazards.append(
            hazard(
                "disk-unknown",
                source,
                f": the server does not say how much disk is free; its shadow needs about {sized(needed)}",
            )
        )
    elif free < needed:
        found.hazards.append(
            hazard(
                "disk",
                source,
                f": its shadow needs about {sized(needed)} on disk beside the original, and {sized(free)} are "
                "free; make room, or mask it in place (no `target:`)",
            )
        )
    indexes = sum(one["name"] != "_id_" for one in found.indexes)
    return replace(plan, bytes=size, free=free, indexes=indexes)


def sized(size: float) -> str:
    """In kB, MB or GB."""
    if size >= 1e9:
        return f"{size / 1e9:,.1f} GB"
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"
