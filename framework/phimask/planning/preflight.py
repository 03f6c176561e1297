"""Preflight: what in the deployment stands in the way, found before anything is written.

A hazard refuses the run; a warning is only said. Neither holds a value of a document.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo.errors import OperationFailure

from phimask.errors import PreflightError
from phimask.masking.automaton import NO_RULE, State, automaton
from phimask.masking.columns import BoundRule
from phimask.store.connect import Client, server_version

_OLDEST: Final = (5, 0)
"""Before 5.0, `$expr` comparisons do not use the _id index, and keys with dots cannot be updated."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A collection of a connected deployment."""

    client: Client
    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


@dataclass(slots=True)
class Preflight:
    """What was found: hazards refuse the run, warnings do not."""

    hazards: list[str]
    warnings: list[str]
    options: Mapping[str, Any]
    indexes: tuple[Mapping[str, Any], ...]


def examine(source: Namespace, target: Namespace | None, rules: Sequence[BoundRule]) -> Preflight:
    """Look at one collection. Raises PreflightError at once where there is nothing more to look at."""
    info = _listed(source)
    found = Preflight([], [], info.get("options", {}), ())
    _check_server(source, found)
    _check_kind(source, target, info, found)
    _check_privileges(source, target, found)
    if info.get("type") != "view":
        found.indexes = tuple(_indexes(source))
    if target is None:
        _check_indexes(source, rules, found)
        _check_validator(source, info, found)
        _check_shard_key(source, rules, found)
    else:
        _check_target(source, target, found)
    return found


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
                f"{source}: the user may not list collections (code {error.code}); grant the role readWrite on it"
            ]
        ) from None
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


def _check_server(source: Namespace, found: Preflight) -> None:
    version = server_version(source.client)
    if version < _OLDEST:
        have = ".".join(map(str, version))
        found.hazards.append(f"{source}: MongoDB {have} is too old; phimask needs 5.0 or later")


def _check_kind(
    source: Namespace, target: Namespace | None, info: Mapping[str, Any], found: Preflight
) -> None:
    options = info.get("options", {})
    kind = info.get("type", "collection")
    if kind == "view":
        found.hazards.append(
            f"{source} is a view, which cannot be written; mask the collection it stands on "
            f"({options.get('viewOn', '?')})"
        )
    elif kind == "timeseries" or source.collection.startswith("system."):
        what = "a time-series collection" if kind == "timeseries" else "a system collection"
        found.hazards.append(
            f"{source} is {what}, whose documents cannot be updated one by one; "
            "export it to an ordinary collection and mask that"
        )
    elif options.get("capped") and target is None:
        found.hazards.append(
            f"{source} is a capped collection, whose documents cannot change size; "
            "mask it into a target instead (`target:` in phimask.yaml, or --target-db)"
        )
    if source.collection.endswith(".chunks"):
        found.warnings.append(f"{source}: the contents of GridFS files are out of reach of field rules")


def _check_privileges(source: Namespace, target: Namespace | None, found: Preflight) -> None:
    _need(source, {"find"}, found)
    if target is None:
        _need(source, {"update"}, found)
    else:
        _need(target, {"find", "insert", "update"}, found)


def _need(namespace: Namespace, actions: set[str], found: Preflight) -> None:
    status = namespace.client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not status["authenticatedUsers"]:
        return  # the deployment runs without authorization
    granted: set[str] = set()
    for privilege in status.get("authenticatedUserPrivileges", ()):
        resource = privilege["resource"]
        covers = resource.get("anyResource") or (
            resource.get("db") in ("", namespace.database)
            and resource.get("collection") in ("", namespace.collection)
        )
        if covers:
            granted.update(privilege["actions"])
    missing = sorted(actions - granted)
    if missing:
        found.hazards.append(
            f"{namespace}: the user may not {' or '.join(missing)}; grant the role readWrite on database "
            f"{namespace.database!r}"
        )


def _indexes(source: Namespace) -> Iterator[Mapping[str, Any]]:
    yield from source.client[source.database][source.collection].list_indexes()


def _check_indexes(source: Namespace, rules: Sequence[BoundRule], found: Preflight) -> None:
    root = automaton([rule.segments for rule in rules])
    touched = 0
    for index in found.indexes:
        name, keys = index["name"], index["key"]
        masked = [(path, rule) for path in keys for rule in _masking(root, path, rules)]
        if not masked:
            continue
        touched += 1
        for path, rule in masked:
            masker = rule.masker
            if index.get("unique") and masker.uniqueness != "injective":
                found.hazards.append(
                    f"{source}: index {name!r} is unique on {path}, and {masker.name} ({rule.path}) may give two "
                    "values the same mask; use an injective masker, drop the index, or mask into a target"
                )
            if "expireAfterSeconds" in index:
                found.hazards.append(
                    f"{source}: index {name!r} deletes documents by {path} (TTL), and {masker.name} ({rule.path}) "
                    "changes it: masked documents would expire at other times; drop the index first, or mask into "
                    "a target"
                )
            kinds = {"text": "text", "2dsphere": "geo", "2d": "geo"}
            if keys[path] in kinds:
                found.warnings.append(
                    f"{source}: {kinds[keys[path]]} index {name!r} is on {path}, which is masked: it is "
                    "rebuilt value by value, and what it finds changes"
                )
        if "partialFilterExpression" in index:
            found.warnings.append(
                f"{source}: index {name!r} is partial and on a masked path: which documents it holds may change"
            )
    if touched:
        found.warnings.append(f"{source}: {touched} index(es) are on masked paths; each costs on every write")


def _masking(root: State, path: str, rules: Sequence[BoundRule]) -> list[BoundRule]:
    """The rules that change values at an index's path or below it; text and wildcard indexes hide their paths."""
    state: State | None = root
    for key in path.split("."):
        if state is None:
            return []
        named = state.named.get(key)
        state = named[0] if named is not None else state.other
    if state is None or state.winner == NO_RULE:
        return []
    rule = rules[state.winner]
    return [] if rule.masker.changes == "never" else [rule]


def _check_validator(source: Namespace, info: Mapping[str, Any], found: Preflight) -> None:
    options = info.get("options", {})
    if options.get("validator") and options.get("validationAction", "error") == "error":
        found.warnings.append(
            f"{source} has a validator: documents that it refuses after masking are quarantined, unmasked"
        )


def _check_shard_key(source: Namespace, rules: Sequence[BoundRule], found: Preflight) -> None:
    if source.client.admin.command("hello").get("msg") != "isdbgrid":
        return
    entry = source.client["config"]["collections"].find_one({"_id": str(source)})
    root = automaton([rule.segments for rule in rules])
    for path in (entry or {}).get("key", {}):
        for rule in _masking(root, path, rules):
            found.hazards.append(
                f"{source}: {path} is in the shard key and masked by {rule.path}; mask into a target instead"
            )


def _check_target(source: Namespace, target: Namespace, found: Preflight) -> None:
    same_place = source.client.address == target.client.address and str(source) == str(target)
    if same_place:
        found.hazards.append(
            f"{target}: the target is the source itself; name another database, or no target"
        )
        return
    there = list(target.client[target.database].list_collections(filter={"name": target.collection}))
    if there and there[0].get("type", "collection") != "collection":
        found.hazards.append(f"{target} is a {there[0]['type']}; the target must be an ordinary collection")
    elif there:
        count = target.client[target.database][target.collection].estimated_document_count()
        if count:
            found.warnings.append(
                f"{target} holds {count} documents already: those with an _id of the source are replaced"
            )
