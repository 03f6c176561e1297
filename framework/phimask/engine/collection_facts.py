"""A collection as such, for the validators: its indexes as the server lists them, and whether each can be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo.errors import OperationFailure

from phimask.ledger.indexes import KeptIndex
from phimask.planning.namespace import Namespace
from phimask.plugins.values import CollectionFacts
from phimask.store.indexes import decoded

_TOO_SLOW: Final = 50
"""MongoDB's MaxTimeMSExpired: the index was taken, and has much to read."""
_LOOK_MILLISECONDS: Final = 10_000


def collection_facts(namespace: Namespace) -> CollectionFacts:
    """The collection as it is, each of its indexes tried. Raises PyMongo's errors."""
    collection = namespace.client[namespace.database][namespace.collection]
    indexes = tuple(dict(one) for one in collection.list_indexes())
    building: set[str] = set()
    known: set[str] | None = None
    try:
        stats = list(collection.aggregate([{"$indexStats": {}}]))
        known = {one["name"] for one in stats}
        building = {one["name"] for one in stats if one.get("building")}
    except OperationFailure:  # not everybody may ask
        known = None
    unusable = [
        one["name"]
        for one in indexes
        if one["name"] in building
        or (known is not None and one["name"] not in known and not one.get("clustered"))
        or not _is_taken(collection, one)
    ]
    return CollectionFacts(str(namespace), 0, 0, {}, indexes, tuple(unusable))


def _is_taken(collection: Any, index: Mapping[str, Any]) -> bool:
    """Whether the server takes the index where it is told to. Some kinds answer certain queries alone: of those it is
    enough that they are there and built."""
    special = any(not isinstance(kind, int | float) for kind in index["key"].values())
    if special or index.get("hidden") or any("$**" in key for key in index["key"]):
        return True
    try:
        collection.find_one({}, {"_id": 1}, hint=index["name"], max_time_ms=_LOOK_MILLISECONDS)
    except OperationFailure as error:
        return error.code == _TOO_SLOW
    return True


def as_it_was(
    namespace: str,
    indexes: Iterable[Mapping[str, Any]],
    away: Iterable[KeptIndex] = (),
    *,
    expiring: bool = True,
) -> CollectionFacts:
    """The collection when it had these indexes, and those that a run took away. Without `expiring` those that delete
    documents do not count: a shadow is given them last."""
    found = [dict(one) for one in indexes if expiring or "expireAfterSeconds" not in one]
    names = {one["name"] for one in found}
    found += [dict(decoded(one.specification)) for one in away if one.name not in names]
    return CollectionFacts(namespace, 0, 0, {}, tuple(found))
