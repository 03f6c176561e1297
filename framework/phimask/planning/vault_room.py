"""Room for the undo vault: in a directory, or on a MongoDB deployment, which may be the one that is masked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from phimask.config.model import Secret
from phimask.errors import PreflightError
from phimask.planning.disk import free_disk
from phimask.planning.hazards import Hazard, hazard
from phimask.planning.namespace import Namespace
from phimask.planning.prediction import Range
from phimask.planning.shadow import sized
from phimask.planning.write_path import Measured
from phimask.store.connect import connect, hosts, same_deployment
from phimask.store.retry import error_name
from phimask.vault.deployment import DEFAULT_DATABASE

_MARGIN: Final = 1.1
"""What a vault needs beside the originals: seals, and what is tried again after a fault."""
_STORED: Final = 1.2
"""What a deployment needs beside that: what is sealed cannot be compressed, and files grow by blocks."""


@dataclass(frozen=True, slots=True)
class VaultRoom:
    """What is free where the vault is, and what it needs, in bytes; None: unknown, or there is no vault. `place` is
    what messages call it; `beside`: what the run needs of the same disk for the documents themselves; `trouble`: why
    nothing is known."""

    place: str = ""
    free: int | None = None
    needed: int | None = None
    beside: int = 0
    trouble: str | None = None
    unreachable: bool = False


NO_VAULT: Final = VaultRoom()


def vault_room(
    vault: Path | Secret, where: Namespace, disk_needed: int | None, documents: Range, measured: Measured
) -> VaultRoom:
    """Of the vault of a run that writes so many documents to `where`, and needs so much of that server's disk."""
    needed = None
    if measured.kept is not None and measured.changed and documents.high is not None:
        mean, error = measured.kept
        needed = int(documents.high * (mean + 2 * error) / measured.changed * _MARGIN)
    if isinstance(vault, Secret):
        return _deployment(vault, where, disk_needed, None if needed is None else int(needed * _STORED))
    try:
        there = next((one for one in (vault, *vault.absolute().parents) if one.is_dir()), None)
        return VaultRoom(str(vault), None if there is None else shutil.disk_usage(there).free, needed)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return VaultRoom(str(vault), None, needed, 0, f"{vault}: {why}", unreachable=True)


def _deployment(uri: Secret, where: Namespace, disk_needed: int | None, needed: int | None) -> VaultRoom:
    place = hosts(uri)
    try:
        with connect(uri) as client:
            name = parse_uri(uri.reveal(), validate=False, warn=False)["database"] or DEFAULT_DATABASE
            same = same_deployment(client, where.client)
            beside = (disk_needed or 0) if same else 0
            try:
                free = free_disk(where.client, where.database) if same else free_disk(client, name)
            except PyMongoError as error:
                return VaultRoom(place, None, needed, beside, f"MongoDB answered {error_name(error)}")
    except PreflightError as error:
        return VaultRoom(place, None, needed, 0, "; ".join(error.hazards), unreachable=True)
    return VaultRoom(place, free, needed, beside, "it does not say" if free is None else None)


def of_vault(room: VaultRoom, where: Namespace) -> Iterator[Hazard]:
    """Where it cannot be reached, or may not have room."""
    if room.unreachable:
        yield hazard(
            "vault-unreachable", where, f": the vault (undo.vault) cannot be reached: {room.trouble}"
        )
    elif room.trouble is not None and room.needed is not None:
        yield hazard(
            "vault-unknown",
            where,
            f": nobody knows how much disk is free for the vault at {room.place} ({room.trouble}); it needs up to "
            f"{sized(room.needed)}",
        )
    elif room.free is not None and room.needed is not None and room.free < room.needed + room.beside:
        beside = (
            f", beside up to {sized(room.beside)} for the documents on the same disk" if room.beside else ""
        )
        yield hazard(
            "vault-disk",
            where,
            f": the vault needs up to {sized(room.needed)} in {room.place}{beside}, and {sized(room.free)} are free "
            "there; make room, or name another place (undo.vault)",
        )
