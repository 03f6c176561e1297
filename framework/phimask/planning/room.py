"""Room for what a run writes: the oplog's window, the server's disk, the disk of the undo vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pymongo.errors import OperationFailure

from phimask.planning.disk import free_disk
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.planning.oplog import ROLLS_OVER, Oplog, read_oplog, unseen
from phimask.planning.prediction import Prediction
from phimask.planning.shadow import sized
from phimask.planning.vault_room import NO_VAULT, VaultRoom, of_vault, vault_room
from phimask.store.connect import has_transactions

if TYPE_CHECKING:
    from phimask.config.model import Profile
    from phimask.planning.plan import CollectionPlan

_SHORT: Final = 3600.0
"""Seconds: a window in which a restart or a short stop of a secondary is to fit."""
_MARGIN: Final = 1.1
"""What a store needs beside its contents."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is, and what is needed, in bytes; None: unknown, or none is needed. `window`: how far back the oplog
    reaches once masking is at full speed, in seconds."""

    oplog: Oplog | None = None
    window: float | None = None
    free: int | None = None
    needed: int | None = None
    vault: VaultRoom = NO_VAULT

    def as_data(self) -> dict[str, Any]:
        """For `plan --json`."""
        reaches = None if self.oplog is None else self.oplog.seconds
        return {
            "oplog_bytes": None if self.oplog is None else self.oplog.bytes,
            "oplog_window_seconds": None if reaches is None else round(reaches),
            "oplog_window_while_masking_seconds": None if self.window is None else round(self.window),
            "disk_free_bytes": self.free,
            "disk_needed_bytes": self.needed,
            "vault_free_bytes": self.vault.free,
            "vault_needed_bytes": self.vault.needed,
        }


def look(plan: CollectionPlan, profile: Profile, prediction: Prediction) -> tuple[Room, list[Hazard]]:
    """The room there is for a run, and where it may not be enough. A shadow's disk is looked at with the shadow.

    Raises PyMongo's errors.
    """
    written_to = plan.source if plan.target is None or plan.shadow is not None else plan.target
    oplog, unknown = _oplog(plan, written_to, prediction)
    window = _window(oplog, prediction)
    free, needed = (None, None) if plan.shadow is not None else _disk(plan, written_to, prediction)
    setting = profile.undo.vault if plan.target is None else None
    vault = (
        NO_VAULT
        if setting is None
        else vault_room(setting, written_to, needed, prediction.documents, plan.write_path.measured)
    )
    room = Room(oplog, window, free, needed, vault)
    return room, [*unknown, *_hazards(room, written_to, prediction), *of_vault(vault, written_to)]


def _hazards(room: Room, where: Namespace, prediction: Prediction) -> Iterator[Hazard]:
    likely = prediction.oplog.likely or 0
    if (
        room.oplog is not None
        and room.window is not None
        and likely > ROLLS_OVER * room.oplog.bytes
        and room.window < _SHORT
    ):
        now = "" if room.oplog.seconds is None else f" ({room.oplog.seconds / 3600:,.1f} h now)"
        yield hazard(
            "oplog-window",
            where,
            f": the run writes about {sized(likely)} into an oplog of {sized(room.oplog.bytes)}, which then reaches "
            f"back {room.window / 60:,.0f} min{now}: a secondary, a change stream "
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


def _oplog(
    plan: CollectionPlan, where: Namespace, prediction: Prediction
) -> tuple[Oplog | None, list[Hazard]]:
    if not has_transactions(where.client):
        return None, []  # a standalone server has none
    oplog = read_oplog(where.client)
    if oplog is not None or not plan.documents:
        return oplog, []
    return None, unseen(where, plan.source, prediction)


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
    another = plan.source.database if where.client is plan.source.client else "admin"
    try:
        return free_disk(where.client, where.database, another), needed
    except OperationFailure:
        return None, needed
