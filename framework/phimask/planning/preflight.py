"""Preflight: what in the deployment stands in the way, found before anything is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo.errors import OperationFailure, PyMongoError

from phimask.errors import PreflightError
from phimask.masking.columns import BoundRule
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.index_hazards import of_indexes, of_shard_key
from phimask.planning.indexes import shard_key
from phimask.planning.namespace import Namespace
from phimask.planning.privileges import of_a_run, to_look
from phimask.store.connect import server_version
from phimask.store.retry import error_name

_OLDEST: Final = (5, 0)
"""Before 5.0, `$expr` comparisons do not use the _id index, and keys with dots cannot be updated."""
_SIMPLE: Final = {"locale": "simple"}


@dataclass(slots=True)
class Preflight:
    """What was found. `uuid` is the collection's, which a view has not; `server` MongoDB's version there. `blind`: the
    collection cannot be looked at any closer. `target_options`: of a target that is there already."""

    hazards: list[Hazard] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)
    indexes: tuple[Mapping[str, Any], ...] = ()
    uuid: str | None = None
    server: str | None = None
    blind: bool = False
    shard_key: tuple[str, ...] = ()
    target_options: Mapping[str, Any] | None = None


def uuid_of(source: Namespace) -> str | None:
    """The collection's UUID now; None where there is none of this name. Raises PyMongo's errors."""
    for one in source.client[source.database].list_collections(filter={"name": source.collection}):
        uuid = one.get("info", {}).get("uuid")
        return None if uuid is None else str(uuid)
    return None


def gone(source: Namespace, uuid: str | None) -> str | None:
    """What has become of a collection that had this UUID; None: it is there. Raises PyMongo's errors."""
    if uuid is None:
        return None
    now = uuid_of(source)
    if now is None:
        return f"{source} was dropped or renamed while it was masked"
    if now != uuid:
        return f"{source} was replaced by another collection of this name while it was masked"
    return None


def examine(
    source: Namespace,
    target: Namespace | None,
    rules: Sequence[BoundRule],
    *,
    swapped: bool = False,
    only_read: bool = False,
) -> Preflight:
    """Look at one collection. `swapped`: the target, in the same database, is to take the source's place; `only_read`:
    nothing is to be written to either.

    Raises PreflightError at once where there is nothing more to look at.
    """
    info = _listed(source)
    uuid = info.get("info", {}).get("uuid")
    found = Preflight(options=info.get("options", {}), uuid=None if uuid is None else str(uuid))
    try:
        found.hazards += _look(source, target, rules, info, found, swapped=swapped, only_read=only_read)
    except PyMongoError as error:
        raise PreflightError([f"{source}: looking at it, MongoDB answered {error_name(error)}"]) from None
    return found


def _look(
    source: Namespace,
    target: Namespace | None,
    rules: Sequence[BoundRule],
    info: Mapping[str, Any],
    found: Preflight,
    *,
    swapped: bool,
    only_read: bool,
) -> Iterator[Hazard]:
    validated = bool(found.options.get("validator"))
    version = server_version(source.client)
    found.server = ".".join(map(str, version))
    first = [
        *_of_server(source, version),
        *_of_kind(source, target, info, swapped=swapped),
        *(
            # A shadow is not there yet.
            to_look(source, None if swapped else target)
            if only_read
            else of_a_run(source, target, swapped=swapped, validated=validated)
        ),
    ]
    yield from first
    found.blind = any(one.severity == "refuses" and one.id != "capped" for one in first)
    if found.blind:
        return
    yield from (
        hazard("masker", None, said)
        for said in dict.fromkeys(said for rule in rules for said in rule.masker.before())
    )
    found.indexes = tuple(source.client[source.database][source.collection].list_indexes())
    found.shard_key = shard_key(source)
    yield from _of_compatibility(source, version)
    yield from _of_collation(source, found.options)
    if target is None:
        yield from of_indexes(source, found.indexes, rules, written=True)
        yield from of_shard_key(source, found.shard_key, rules)
    elif swapped:
        yield from of_indexes(source, found.indexes, rules, written=False)
    else:
        yield from _of_target(target, info, rules, found)


def _listed(source: Namespace) -> Mapping[str, Any]:
    """The collection's entry of listCollections."""
    try:
        databases = source.client.list_database_names()
        database = source.client[source.database]
        for one in database.list_collections(filter={"name": source.collection}):
            return one
        names = sorted(database.list_collection_names()) if source.database in databases else []
    except OperationFailure as error:
        raise PreflightError(
            [
                f"{source}: the user may not list collections (code {error.code}); grant the role readWrite on "
                f"database {source.database!r}, or read where nothing is masked in place"
            ]
        ) from None
    except PyMongoError as error:
        raise PreflightError([f"{source}: MongoDB answered {error_name(error)}"]) from None
    if source.database not in databases:
        raise PreflightError(
            [f"there is no database {source.database!r}{_meant(source.database, databases)}"]
        )
    raise PreflightError(
        [
            f"there is no collection {source.collection!r} in database {source.database!r}"
            + _meant(source.collection, names)
        ]
    )


def _meant(name: str, names: Iterable[str]) -> str:
    known = sorted(set(names) - {"admin", "config", "local"})
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are: {', '.join(known[:20])}" if known else "; there is none at all"


def _of_server(source: Namespace, version: tuple[int, ...]) -> Iterator[Hazard]:
    if version < _OLDEST:
        have = ".".join(map(str, version))
        yield hazard("server-version", source, f": MongoDB {have} is too old; phimask needs 5.0 or later")


def _of_compatibility(source: Namespace, version: tuple[int, ...]) -> Iterator[Hazard]:
    """Told where the server works by an older version's rules; a mongos and most users cannot ask."""
    try:
        reply = source.client.admin.command("getParameter", featureCompatibilityVersion=1)
    except OperationFailure:
        return
    told = reply.get("featureCompatibilityVersion", {})
    works_as = str(told.get("version", ""))
    ours = ".".join(map(str, version[:2]))
    if works_as and (works_as != ours or "targetVersion" in told):
        yield hazard(
            "feature-compatibility",
            source,
            f": the server is MongoDB {ours} and works by the rules of {works_as} (featureCompatibilityVersion); "
            "complete the upgrade first, or let none go on meanwhile",
        )


def _of_kind(
    source: Namespace, target: Namespace | None, info: Mapping[str, Any], *, swapped: bool
) -> Iterator[Hazard]:
    options = info.get("options", {})
    kind = info.get("type", "collection")
    if kind == "view":
        yield hazard(
            "view",
            source,
            f" is a view, which cannot be written; mask the collection it stands on ({options.get('viewOn', '?')})",
        )
    elif kind == "timeseries" or source.collection.startswith("system."):
        what = "a time-series collection" if kind == "timeseries" else "a system collection"
        yield hazard(
            "time-series" if kind == "timeseries" else "system-collection",
            source,
            f" is {what}, whose documents cannot be updated one by one; "
            "export it to an ordinary collection and mask that",
        )
    elif options.get("capped") and swapped:
        yield hazard(
            "capped",
            source,
            " is a capped collection, which a shadow cannot stand for, since its order of insertion would "
            "be another; mask it into a target database instead",
        )
    elif options.get("capped") and target is None:
        yield hazard(
            "capped",
            source,
            " is a capped collection, whose documents cannot change size; "
            "mask it into a target instead (`target:` in phimask.yaml, or --target-db)",
        )
    if source.collection.endswith(".chunks"):
        yield hazard(
            "gridfs-contents", source, ": the contents of GridFS files are out of reach of field rules"
        )
    elif source.collection.endswith(".files"):
        chunks = f"{source.collection.removesuffix('files')}chunks"
        if chunks in source.client[source.database].list_collection_names():
            yield hazard(
                "gridfs-contents",
                source,
                f" is what GridFS keeps of its files beside their contents; these, in {source.database}.{chunks}, are "
                "out of reach of field rules",
            )


def _of_collation(source: Namespace, options: Mapping[str, Any]) -> Iterator[Hazard]:
    collation = options.get("collation", _SIMPLE)
    if collation.get("locale") != "simple":
        yield hazard(
            "collation",
            source,
            f" has a collation of its own ({collation['locale']}, strength {collation.get('strength', 3)}): ranges of "
            "_id follow it, and texts that differ may count as equal",
        )


def _of_target(
    target: Namespace, info: Mapping[str, Any], rules: Sequence[BoundRule], found: Preflight
) -> Iterator[Hazard]:
    database = target.client[target.database]
    there = next(iter(database.list_collections(filter={"name": target.collection})), None)
    if there is None:
        return
    if there.get("type", "collection") != "collection":
        yield hazard(
            "target-kind", target, f" is a {there['type']}; the target must be an ordinary collection"
        )
        return
    # A deployment has many addresses, a collection one UUID.
    if there["info"]["uuid"] == info["info"].get("uuid"):
        yield hazard(
            "target-is-source",
            target,
            ": the target is the source itself; name another database, or no target to mask in place",
        )
        return
    options = found.target_options = there.get("options", {})
    count = database[target.collection].estimated_document_count()
    if count:
        yield hazard(
            "target-not-empty",
            target,
            f" holds {count:,} documents already: those with an _id of the source are replaced",
        )
    if options.get("collation", _SIMPLE) != found.options.get("collation", _SIMPLE):
        yield hazard(
            "target-collation",
            target,
            ": its collation is not the source's, so that two _ids may count as one there; create it with the "
            "source's",
        )
    yield from of_indexes(target, tuple(database[target.collection].list_indexes()), rules, written=True)
