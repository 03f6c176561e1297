"""What the ledger keeps of a run: what it is bound to, its state, whether somebody is at work on it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Literal

import psutil
from bson import json_util

from phimask.config.model import ChosenPath
from phimask.plugins.values import ComplexityClass

State = Literal[
    "running", "paused", "stopped", "failed", "completed", "rolling_back", "rolled_back", "finalized"
]
Command = Literal["run", "pause", "stop"]

ENDED: Final = ("completed", "rolled_back", "finalized")
"""States from which there is nothing to go on with."""

SILENCE_SECONDS: Final = 15.0
"""A coordinator that was not heard of for so long is dead, or cannot do any harm any more."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a run is bound to, for one collection.

    `claim` names the collection by its UUID, wherever the ledger is; `file` is the collection file's name as given;
    `rules` the digest of everything in it that decides the outcome; `projection` what is read of documents; `classes`
    how many documents of the sample were simple, medium and complex; `classifier` what tells others apart; `path` how
    documents are changed in place; `top` the greatest `_id` when the run began. `shadow`: the target is to take the
    collection's place, and once it has done so, `uuid` is its own. `indexes`: the specifications of those that it had.
    `documents`: about how many there were to mask; None: the run is of a version that did not say.
    """

    namespace: str
    uuid: str | None
    target: str | None
    file: str
    rules: str
    projection: str | None
    classes: Mapping[ComplexityClass, int] = field(default_factory=dict)
    classifier: Mapping[str, Any] | None = field(default=None, repr=False)
    path: ChosenPath = "set"
    top: bytes | None = field(default=None, repr=False)
    shadow: bool = False
    indexes: tuple[bytes, ...] = field(default=(), repr=False)
    documents: int | None = None

    @property
    def claim(self) -> str:
        """What no two runs have at a time."""
        copies = self.target is not None and not self.shadow
        return f"{self.uuid or self.namespace}{f' > {self.target}' if copies else ''}"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the ledger knows it. `live`: its coordinator was heard of lately and is not known to be dead.
    `accepted`: hazards that a person decided on, each with its `id`, `namespace` and `what`."""

    id: str
    state: State
    command: Command
    profile: str
    version: str
    key_fingerprint: str | None
    pins: tuple[Pin, ...]
    query: str | None
    limit: int | None
    guard: bool
    journal: bool
    vault: str | None
    salt: bytes | None = field(default=None, repr=False)
    accepted: tuple[Mapping[str, Any], ...] = ()
    created: datetime | None = None
    live: bool = False
    coordinator: Mapping[str, Any] = field(default_factory=dict)
    cut: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()

    @property
    def standing(self) -> str:
        """Its state, or `dead` where nobody is at work on it and nobody said that it ended."""
        return self.state if self.live or self.state not in ("running", "paused") else "dead"

    def has_masked_all(self, namespace: str, partitions: Mapping[str, int]) -> bool:
        """Whether nothing of a collection is left to do, given how many of its `partitions` are in which state."""
        left = sum(partitions.get(state, 0) for state in ("open", "leased", "withdrawn"))
        return namespace in self.cut and not left

    @property
    def place(self) -> str:
        """Where its coordinator is, or was, for a person."""
        return f"{self.coordinator.get('host', '?')} (process {self.coordinator.get('pid', '?')})"

    @property
    def host(self) -> str:
        """The machine that asks, whose own processes it knows to be dead or alive."""
        return socket.gethostname()


def record_of(found: Mapping[str, Any]) -> RunRecord:
    """From the ledger's document, with the seconds of `silence` since its coordinator was heard of."""
    names = [one.name for one in fields(Pin)]
    return RunRecord(
        id=found["_id"],
        state=found["state"],
        command=found["command"],
        profile=found["profile"],
        version=found["version"],
        key_fingerprint=found["key_fingerprint"],
        pins=tuple(Pin(**{name: pin[name] for name in names if name in pin}) for pin in found["pins"]),
        query=found["query"],
        limit=found["limit"],
        guard=found["guard"],
        journal=found["journal"],
        vault=found["vault"],
        salt=found["salt"],
        accepted=tuple(found.get("accepted", ())),
        created=found.get("created"),
        live=lives(found),
        coordinator=found["coordinator"],
        cut=frozenset(found["cut"]),
        reasons=tuple(found["reasons"]),
    )


def lives(found: Mapping[str, Any]) -> bool:
    """Whether the coordinator in the ledger's document was heard of lately and is not known to be dead."""
    silence = found.get("silence")
    if silence is None or silence > SILENCE_SECONDS:
        return False
    coordinator = found["coordinator"]
    if coordinator.get("host") != socket.gethostname():
        return True
    return process_lives(coordinator["pid"], coordinator["started"])


def process_lives(pid: int, started: float) -> bool:
    """Whether the process that began then still runs on this machine."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def as_text(value: Any) -> str | None:
    """A query or projection as canonical Extended JSON: field names of it may begin with `$`."""
    return None if value is None else json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)


def from_text(text: str | None) -> Any:
    """From what `as_text` wrote."""
    return None if text is None else json_util.loads(text, json_options=json_util.CANONICAL_JSON_OPTIONS)
