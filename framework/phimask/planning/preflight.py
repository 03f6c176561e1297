"""Preflight: what in the deployment stands in the way, found before anything is written.

A hazard refuses the run; a warning is only said. Neither holds a value of a document.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo.errors import OperationFailure, PyMongoError

from phimask.errors import PreflightError
from phimask.masking.automaton import NO_RULE, State, automaton_of
from phimask.masking.columns import BoundRule
from phimask.plugins.values import Wildcard
from phimask.store.connect import Client, raw_collection, server_version
from phimask.store.retry import error_name

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

    def raw(self) -> Any:
        """The collection with raw documents and majority concerns."""
        return raw_collection(self.client, self.database, self.collection)


@dataclass(slots=True)
class Preflight:
    """What was found: hazards refuse the run, warnings do not. `uuid` is the collection's, which a view has not;
    `server` MongoDB's version there."""

    hazards: list[str]
    warnings: list[str]
    options: Mapping[str, Any]
    indexes: tuple[Mapping[str, Any], ...]
    uuid: str | None = None
    server: str | None = None


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
    source: Namespace, target: Namespace | None, rules: Sequence[BoundRule], *, swapped: bool = False
) -> Preflight:
    """Look at one collection. `swapped`: the target, in the same database, is to take the source's place.

    Raises PreflightError at once where there is nothing more to look at.
    """
    info = _listed(source)
    uuid = info.get("info", {}).get("uuid")
    found = Preflight([], [], info.get("options", {}), (), None if uuid is None else str(uuid))
    try:
        _look(source, target, rules, info, found, swapped=swapped)
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
) -> None:
    _check_server(source, found)
    _check_kind(source, target, info, found)
    _check_privileges(source, target, found, swapped=swapped)
    if found.hazards:
        return
    found.hazards += dict.fromkeys(hazard for rule in rules for hazard in rule.masker.before())
    if info.get("type") != "view":
        found.indexes = tuple(_indexes(source))
    if target is None:
        _check_indexes(source, rules, found)
        _check_validator(source, info, found)
        _check_shard_key(source, rules, found)
    elif swapped:
        _check_indexes(source, rules, found, rebuilt=True)
    else:
        _check_target(target, info, found)


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


def _check_server(source: Namespace, found: Preflight) -> None:
    version = server_version(source.client)
    found.server = ".".join(map(str, version))
    if version < _OLDEST:
        found.hazards.append(f"{source}: MongoDB {found.server} is too old; phimask needs 5.0 or later")


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


def _check_privileges(
    source: Namespace, target: Namespace | None, found: Preflight, *, swapped: bool
) -> None:
    reading = {"find", "listIndexes", "collStats"}
    if target is None:
        _need(source, reading | {"update"}, found)
    elif swapped:
        renaming = reading | {"renameCollectionSameDB", "dropCollection", "insert", "update"}
        _need(source, renaming | {"changeStream"}, found)
        _need(target, renaming | {"createCollection", "createIndex"}, found)
        if found.options.get("validator"):
            _need(target, {"collMod"}, found, "dbAdmin")
    else:
        _need(source, reading, found)
        _need(target, {"find", "insert", "update", "listCollections"}, found)


def need_to_rebuild_indexes(source: Namespace, found: Preflight) -> None:
    """A hazard where the user may not drop indexes and build them again. Raises PyMongo's errors."""
    _need(source, {"dropIndex", "createIndex"}, found)


def _need(namespace: Namespace, actions: set[str], found: Preflight, role: str = "readWrite") -> None:
    found.hazards += privileges_missing(namespace, actions, role)


def privileges_missing(namespace: Namespace, actions: set[str], role: str = "readWrite") -> list[str]:
    """A hazard where the user may not do all of this, which `role` would allow. Raises PyMongo's errors."""
    status = namespace.client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not status["authenticatedUsers"]:
        return []  # the deployment runs without authorization
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
    if not missing:
        return []
    return [
        f"{namespace}: the user may not {_listed_with_or(missing)}; grant the role {role} on database "
        f"{namespace.database!r}"
    ]


def _indexes(source: Namespace) -> Iterator[Mapping[str, Any]]:
    yield from source.client[source.database][source.collection].list_indexes()


def _check_indexes(
    source: Namespace, rules: Sequence[BoundRule], found: Preflight, *, rebuilt: bool = False
) -> None:
    root = automaton_of(rules)
    touched = 0
    for index in found.indexes:
        name = index["name"]
        masked = [
            (path, kind, rule) for path, kind in _indexed(index) for rule in _masking(root, path, rules)
        ]
        filtered = sorted(
            {path for path in _filtering(index.get("partialFilterExpression")) if _masking(root, path, rules)}
        )
        touched += bool(masked or filtered)
        for path, _, rule in masked:
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
        for path, kind in dict.fromkeys((path, kinds[kind]) for path, kind, _ in masked if kind in kinds):
            found.warnings.append(
                f"{source}: {kind} index {name!r} is on {path}, which is masked: what it finds changes"
            )
        if filtered:
            found.warnings.append(
                f"{source}: index {name!r} is partial by {', '.join(filtered)}, which is masked: which documents it "
                "holds may change"
            )
    if touched and not rebuilt:
        found.warnings.append(f"{source}: {touched} index(es) are on masked paths; each costs on every write")


def on_masked_paths(index: Mapping[str, Any], rules: Sequence[BoundRule]) -> bool:
    """Whether a masked document may have to change place in the index."""
    root = automaton_of(rules)
    paths = {path for path, _ in _indexed(index)} | {*_filtering(index.get("partialFilterExpression"))}
    return any(_masking(root, path, rules) for path in paths)


def _indexed(index: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The paths of an index with their kinds: 1, -1, text, 2dsphere and the like; a text index names its weights."""
    for path, kind in index["key"].items():
        if path == "_fts":
            yield from ((one, "text") for one in index["weights"])
        elif path != "_ftsx":
            yield path, kind


def _filtering(expression: Any) -> Iterator[str]:
    """The paths that a partial index's filter asks for."""
    for key, value in (expression or {}).items():
        if key.startswith("$"):
            for part in value if isinstance(value, list) else ():
                yield from _filtering(part)
        else:
            yield key


def _masking(root: State, path: str, rules: Sequence[BoundRule]) -> list[BoundRule]:
    """The rules that change what is indexed under a path: values at it, and those below it that a rule names.

    A rule such as `**.SSN` may match below any path; it counts only where an index covers all there is (`$**`).
    """
    everything = path == "$**" or path.endswith(".$**")
    keys = path.removesuffix("$**").removesuffix(".").split(".") if path != "$**" else []
    state: State | None = root
    for key in keys:
        if state is None:
            break
        named = state.named.get(key)
        state = named[0] if named is not None else state.other
    numbers = {number for number, rule in enumerate(rules) if _reaches_below(rule, keys, everything)}
    if state is not None:
        numbers |= {state.winner, state.decoder} - {NO_RULE}
    return [rules[number] for number in sorted(numbers) if rules[number].masker.changes != "never"]


def _reaches_below(rule: BoundRule, keys: Sequence[str], everything: bool) -> bool:
    """Whether a rule's own path leads through these keys and on."""
    for position, key in enumerate(keys):
        segment = rule.segments[position] if position < len(rule.segments) else None
        if segment is Wildcard.ANY_DEPTH:
            return everything
        if segment is not Wildcard.ANY_KEY and segment != key:
            return False
    return len(rule.segments) > len(keys)


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
    root = automaton_of(rules)
    for path in (entry or {}).get("key", {}):
        for rule in _masking(root, path, rules):
            found.hazards.append(
                f"{source}: {path} is in the shard key and masked by {rule.path}; mask into a target instead"
            )


def _check_target(target: Namespace, info: Mapping[str, Any], found: Preflight) -> None:
    there = next(
        iter(target.client[target.database].list_collections(filter={"name": target.collection})), None
    )
    if there is None:
        return
    if there.get("type", "collection") != "collection":
        found.hazards.append(f"{target} is a {there['type']}; the target must be an ordinary collection")
    # A deployment has many addresses, a collection one UUID.
    elif there["info"]["uuid"] == info["info"].get("uuid"):
        found.hazards.append(
            f"{target}: the target is the source itself; name another database, or no target to mask in place"
        )
    else:
        count = target.client[target.database][target.collection].estimated_document_count()
        if count:
            found.warnings.append(
                f"{target} holds {count} documents already: those with an _id of the source are replaced"
            )


def _listed_with_or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
