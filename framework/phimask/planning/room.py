"""Room for what a run writes: the oplog's window, the server's disk, the disk of the undo vault."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import OperationFailure

from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.planning.prediction import Prediction
from phimask.planning.shadow import free_bytes, sized
from phimask.store.connect import Client, has_transactions

if TYPE_CHECKING:
    from phimask.config.model import Profile
    from phimask.planning.plan import CollectionPlan

_ROLLS_OVER: Final = 0.8
"""What a run may write of an oplog before all that was in it is about to be gone."""
_SHORT: Final = 3600.0
"""Seconds: a window in which a restart or a short stop of a secondary is to fit."""
_MARGIN: Final = 1.1
"""What a store needs beside its contents."""


@dataclass(frozen=True, slots=True)
class Oplog:
    """The most that it holds, in bytes, and how far it reaches back now, in seconds."""

    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Room:
    """What there is, and what is needed, in bytes; None: unknown, or none is needed. `window`: how far back the oplog
    reaches once masking is at full speed, in seconds."""

    oplog: Oplog | None = None
    window: float | None = None
    free: int | None = None
    needed: int | None = None
    vault_free: int | None = None
    vault_needed: int | None = None

    def as_data(self) -> dict[str, Any]:
        """For `plan --json`."""
        return {
            "oplog_bytes": None if self.oplog is None else self.oplog.bytes,
            "oplog_window_seconds": None if self.oplog is None else round(self.oplog.seconds),
            "oplog_window_while_masking_seconds": None if self.window is None else round(self.window),
            "disk_free_bytes": self.free,
            "disk_needed_bytes": self.needed,
            "vault_free_bytes": self.vault_free,
            "vault_needed_bytes": self.vault_needed,
        }


def look(plan: CollectionPlan, profile: Profile, prediction: Prediction) -> tuple[Room, list[Hazard]]:
    """The room there is for a run, and where it may not be enough. A shadow's disk is looked at with the shadow.

    Raises PyMongo's errors.
    """
    written_to = plan.source if plan.target is None or plan.shadow is not None else plan.target
    oplog, unknown = _oplog(written_to)
    window = _window(oplog, prediction)
    free, needed = (None, None) if plan.shadow is not None else _disk(plan, written_to, prediction)
    vault_free, vault_needed = _vault(plan, profile, prediction)
    room = Room(oplog, window, free, needed, vault_free, vault_needed)
    return room, [*unknown, *_hazards(room, written_to, profile, prediction)]


def _hazards(room: Room, where: Namespace, profile: Profile, prediction: Prediction) -> Iterator[Hazard]:
    likely = prediction.oplog.likely or 0
    if (
        room.oplog is not None
        and room.window is not None
        and likely > _ROLLS_OVER * room.oplog.bytes
        and room.window < _SHORT
    ):
        yield hazard(
            "oplog-window",
            where,
            f": the run writes about {sized(likely)} into an oplog of {sized(room.oplog.bytes)}, which then reaches "
            f"back {room.window / 60:,.0f} min ({room.oplog.seconds / 3600:,.1f} h now): a secondary, a change stream "
            "or a backup that stands still for longer has to begin anew; enlarge the oplog, or use time windows or "
            "fewer workers",
        )
    if room.needed is not None:
        if room.free is None:
            yield hazard(
                "disk-unknown",
                where,
                f": the server does not say how much disk is free; the run needs up to {sized(room.needed)}",
            )
        elif room.free < room.needed:
            yield hazard(
                "disk",
                where,
                f": the run needs up to {sized(room.needed)} on the server's disk, and {sized(room.free)} are free; "
                "make room",
            )
    if room.vault_free is not None and room.vault_needed is not None and room.vault_free < room.vault_needed:
        yield hazard(
            "vault-disk",
            where,
            f": the vault needs about {sized(room.vault_needed)} in {profile.undo.vault}, and {sized(room.vault_free)} "
            "are free there; make room, or name another directory (undo.vault)",
        )


def _oplog(where: Namespace) -> tuple[Oplog | None, list[Hazard]]:
    if not has_transactions(where.client):
        return None, []  # a standalone server has none
    oplog = read_oplog(where.client)
    if oplog is not None:
        return oplog, []
    told = ": the user may not see the oplog's size, so nobody knows whether the run's writes fit into it"
    return None, [hazard("oplog-unknown", where, told)]


def read_oplog(client: Client) -> Oplog | None:
    """The oplog of the member that is written to; None where the user may not read it, or of a cluster."""
    local = client["local"]
    try:
        size = int(local.command("collStats", "oplog.rs")["maxSize"])
        entries = local["oplog.rs"]
        first, last = (
            entries.find_one({}, {"ts": 1}, sort=[("$natural", direction)]) for direction in (1, -1)
        )
    except (OperationFailure, KeyError):
        return None
    if first is None or last is None:
        return None
    return Oplog(size, float(last["ts"].time - first["ts"].time))


def _window(oplog: Oplog | None, prediction: Prediction) -> float | None:
    """How far back it reaches while a run writes as fast as is likely."""
    written, seconds = prediction.oplog.likely, prediction.seconds.likely
    if oplog is None or not written or not seconds:
        return None
    return oplog.bytes / (written / seconds)


def _disk(plan: CollectionPlan, where: Namespace, prediction: Prediction) -> tuple[int | None, int | None]:
    """What is free, and the most that is needed: changed documents are written anew before their old place is free."""
    if prediction.documents.high is None or not plan.documents:
        return None, None
    stored = plan.source.client[plan.source.database].command("collStats", plan.source.collection)
    share = prediction.documents.high / max(int(stored["count"]), 1)
    needed = int(stored["storageSize"] * min(share, 1.0) * _MARGIN)
    return _free(plan, where), needed


def _free(plan: CollectionPlan, where: Namespace) -> int | None:
    """Of a database that is not there yet dbStats says nothing: another one of the deployment is asked then."""
    another = plan.source.database if where.client is plan.source.client else "admin"
    for database in (where.database, another):
        try:
            free = free_bytes(where.client[database].command("dbStats"))
        except OperationFailure:
            return None
        if free is not None:
            return free
    return None


def _vault(plan: CollectionPlan, profile: Profile, prediction: Prediction) -> tuple[int | None, int | None]:
    """Of a directory. It keeps the originals of changed fields, which are about as long as their masks."""
    vault = profile.undo.vault
    if plan.target is not None or not isinstance(vault, Path) or prediction.written.likely is None:
        return None, None
    there = next((one for one in (vault, *vault.absolute().parents) if one.is_dir()), None)
    if there is None:
        return None, None
    return shutil.disk_usage(there).free, int(prediction.written.likely * _MARGIN)
