"""What the connected user may do, against what a run will ask of the server."""

from __future__ import annotations

from typing import Any

from phimask.config.wording import listed
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace

READING = frozenset({"find", "listIndexes", "collStats"})
LEDGER = frozenset({"find", "insert", "update", "remove", "createIndex"})
"""What the ledger's collections are used with."""
TRANSACTIONS = frozenset({"find", "insert", "remove", "createCollection"})
"""What transactions are noted with, beside the documents."""


def privileges_missing(
    namespace: Namespace, actions: frozenset[str] | set[str], role: str = "readWrite"
) -> list[Hazard]:
    """A hazard where the user may not do all of this, which `role` would allow. Raises PyMongo's errors."""
    granted = privileges_granted(namespace)
    missing = [] if granted is None else sorted(actions - granted)
    if not missing:
        return []
    return [
        hazard(
            "privileges",
            namespace,
            f": the user may not {listed(missing, 'or')}; grant the role {role} on database "
            f"{namespace.database!r}",
        )
    ]


def to_look(source: Namespace, target: Namespace | None) -> list[Hazard]:
    """Hazards of a command that writes to neither. Raises PyMongo's errors."""
    return [
        missing
        for one in (source, target)
        if one is not None
        for missing in privileges_missing(one, READING, "read")
    ]


def of_a_run(source: Namespace, target: Namespace | None, *, swapped: bool, validated: bool) -> list[Hazard]:
    """Hazards of a run that masks in place, into a target, or with `swapped` through a shadow, which is `validated` by
    the source's validator. Raises PyMongo's errors."""
    if target is None:
        return privileges_missing(source, READING | {"update"})
    if not swapped:
        return [
            *privileges_missing(source, READING, "read"),
            *privileges_missing(target, {"find", "insert", "update", "listCollections"}),
        ]
    renaming = READING | {"renameCollectionSameDB", "dropCollection", "insert", "update"}
    return [
        *privileges_missing(source, renaming | {"changeStream"}),
        *privileges_missing(target, renaming | {"createCollection", "createIndex"}),
        *(privileges_missing(target, {"collMod"}, "dbAdmin") if validated else ()),
    ]


def to_rebuild_indexes(source: Namespace) -> list[Hazard]:
    """A hazard where the user may not drop indexes and build them again. Raises PyMongo's errors."""
    return privileges_missing(source, {"dropIndex", "createIndex"})


def throttle_blind(source: Namespace, *, lag: bool, flow_control: bool) -> list[Hazard]:
    """Told where what the throttle is to watch cannot be seen. Raises PyMongo's errors."""
    hello = source.client.admin.command("hello")
    wanted = set[str]()
    if lag and "setName" in hello:
        wanted.add("replSetGetStatus")
    if flow_control and "setName" in hello:
        wanted.add("serverStatus")
    granted = privileges_granted(source, of_cluster=True)
    missing = [] if granted is None else sorted(wanted - granted)
    if not missing:
        return []
    return [
        hazard(
            "throttle-blind",
            source,
            f": the user may not {listed(missing, 'or')}, so that the throttle cannot see all that it is to watch; "
            "grant the role clusterMonitor on database 'admin'",
        )
    ]


def privileges_granted(namespace: Namespace, *, of_cluster: bool = False) -> set[str] | None:
    """The actions allowed on a collection, or on the cluster; None: anything, without authorization."""
    status = namespace.client.admin.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not status["authenticatedUsers"]:
        return None
    granted: set[str] = set()
    for privilege in status.get("authenticatedUserPrivileges", ()):
        if _covers(privilege["resource"], namespace, of_cluster=of_cluster):
            granted.update(privilege["actions"])
    return granted


def _covers(resource: dict[str, Any], namespace: Namespace, *, of_cluster: bool) -> bool:
    if resource.get("anyResource"):
        return True
    if of_cluster:
        return bool(resource.get("cluster"))
    return resource.get("db") in ("", namespace.database) and resource.get("collection") in (
        "",
        namespace.collection,
    )
