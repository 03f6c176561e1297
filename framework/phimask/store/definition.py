"""What a collection is apart from its documents: options and indexes, read exactly as the server has them, made again
and compared.

All is read as raw BSON, so that a number's type, the order of an index's keys and an odd date in a filter stay as they
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument

from phimask.store.connect import Client
from phimask.store.indexes import RAW, decoded, read_indexes

VALIDATION: Final = ("validator", "validationLevel", "validationAction")
"""The options by which a collection judges documents."""


@dataclass(frozen=True, slots=True)
class Definition:
    """`options` as listCollections has them; `indexes` by name as `store.indexes` reads them; `id_index` is the one on
    `_id`, of which a clustered collection has none."""

    uuid: str
    kind: str
    options: Mapping[str, Any]
    id_index: Mapping[str, Any] | None
    indexes: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def expiring(self) -> list[str]:
        """The names of indexes that delete documents."""
        return [name for name, index in self.indexes.items() if "expireAfterSeconds" in decoded(index)]

    @property
    def validation(self) -> dict[str, Any]:
        """The options that judge documents as they are written."""
        return {name: self.options[name] for name in VALIDATION if name in self.options}


def uuids(client: Client, database: str, names: Iterable[str]) -> dict[str, str]:
    """The UUIDs of those collections that are there, by name, all at one moment."""
    return {one["name"]: _uuid(one) for one in _listed(client, database, {"$in": list(names)})}


def read_definition(client: Client, database: str, name: str) -> Definition | None:
    """The collection's definition now; None where there is none of this name. Raises PyMongo's errors."""
    info = next(iter(_listed(client, database, name)), None)
    if info is None:
        return None
    kind = info.get("type", "collection")
    indexes = read_indexes(client, database, name) if kind == "collection" else {}
    return Definition(_uuid(info), kind, dict(info["options"]), info.get("idIndex"), indexes)


def create_bare(client: Client, database: str, name: str, definition: Definition) -> str:
    """A collection without secondary indexes that takes any document, otherwise like the defined one; its UUID.

    Raises PyMongo's errors, also where there is one of this name.
    """
    options = {key: value for key, value in definition.options.items() if key not in VALIDATION}
    if definition.id_index is not None:
        options["idIndex"] = _without(definition.id_index, "ns")
    client[database].command({"create": name, **options})
    return uuids(client, database, [name])[name]


def judge_documents(client: Client, database: str, name: str, definition: Definition) -> None:
    """Give the collection the defined validator, which judges only what is written from now on."""
    if definition.validation:
        client[database].command({"collMod": name, **definition.validation})


def differences(wanted: Definition, found: Definition) -> list[str]:
    """The options and indexes in which a collection is not like the defined one, by name; no values."""
    unlike = [
        f"option {name}" for name in _unlike(_with_defaults(wanted.options), _with_defaults(found.options))
    ]
    if _encoded({"index": wanted.id_index}) != _encoded({"index": found.id_index}):
        unlike.append("index _id_")
    unlike += [
        f"index {name}"
        for name in sorted(wanted.indexes.keys() | found.indexes.keys())
        if _unlike(_raw(wanted.indexes.get(name)), _raw(found.indexes.get(name)))
    ]
    return unlike


def _with_defaults(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a validator was given and not what follows from it, a later collMod writes the defaults out."""
    if "validator" not in options:
        return options
    return {"validationLevel": "strict", "validationAction": "error", **options}


def _unlike(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> list[str]:
    if one is None or other is None:
        return [] if one is other else ["all"]
    return [
        key
        for key in sorted(one.keys() | other.keys())
        if (key in one) != (key in other) or _encoded({key: one[key]}) != _encoded({key: other[key]})
    ]


def _raw(specification: bytes | None) -> Mapping[str, Any] | None:
    return None if specification is None else RawBSONDocument(specification, RAW)


def _encoded(value: Mapping[str, Any]) -> bytes:
    return bson.encode(value, codec_options=RAW)


def _without(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def _listed(client: Client, database: str, name: Any) -> Iterator[Mapping[str, Any]]:
    command = {"listCollections": 1, "filter": {"name": name}}
    yield from client[database].command(command, codec_options=RAW)["cursor"]["firstBatch"]


def _uuid(info: Mapping[str, Any]) -> str:
    return str(info["info"].get("uuid"))
