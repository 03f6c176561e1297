"""What observers are told: typed events that hold counts, names and seconds, never a value or an `_id`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "BatchFinished",
    "BreakerTripped",
    "CollectionFinished",
    "CollectionStarted",
    "Event",
    "FindingMade",
    "PartitionFinished",
    "PartitionStarted",
    "Paused",
    "RunFinished",
    "RunStarted",
    "VerificationProgress",
    "Warned",
]


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run begins. `collections` are namespaces in the order of work."""

    run_id: str
    profile: str
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CollectionStarted(Event):
    """One collection begins. `documents` is how many are to be masked (estimated), `bytes` their BSON bytes.

    `target` is a namespace, or None for in place.
    """

    namespace: str
    target: str | None
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PartitionStarted(Event):
    """A worker begins a partition."""

    namespace: str
    partition: int
    documents: int | None


@dataclass(frozen=True, slots=True)
class BatchFinished(Event):
    """A batch is written and acknowledged (or nothing in it had to be).

    Bytes are BSON bytes as read. `seconds` is the batch's own time: reading, masking, writing, checking.
    `masked`, `redacted_on_error` and `kept` count values per rule, by the rule's place in the collection file.
    `classes` counts documents by complexity: simple, medium, complex.
    `rss_bytes` is the worker's resident memory after the batch, `ceiling_bytes` what it may reach (None: no limit).
    """

    namespace: str
    partition: int
    documents: int
    bytes: int
    seconds: float
    written: int
    unchanged: int
    quarantined: int
    missing: int
    rss_bytes: int
    masked: tuple[int, ...] = ()
    redacted_on_error: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    ceiling_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PartitionFinished(Event):
    """A partition is done."""

    namespace: str
    partition: int


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """Work stood still for `seconds` because of `reason`: memory, breaker, retry and the like."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BreakerTripped(Event):
    """The circuit breaker opened: `reason` is failures, slow_batch or memory."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class FindingMade(Event):
    """A validator found something."""

    namespace: str
    validator: str
    phase: Literal["before", "during", "after"]
    what: str
    path: str | None
    count: int


@dataclass(frozen=True, slots=True)
class VerificationProgress(Event):
    """The check of all documents goes on: `checked` of `documents` so far."""

    namespace: str
    checked: int
    documents: int


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """Something that a person should know and that does not end the run."""

    message: str


@dataclass(frozen=True, slots=True)
class CollectionFinished(Event):
    """One collection is done, verification included; `report` is its entry of the report's `collections`."""

    namespace: str
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run is over. `report` follows schemas/report.schema.json."""

    status: Literal["completed", "stopped", "failed"]
    report: Mapping[str, Any]
