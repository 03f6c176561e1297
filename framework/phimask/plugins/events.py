"""What observers are told: typed events that hold counts, names and seconds, never a value or an `_id`.

They can be pickled: workers tell theirs across processes. `worker` is the name of who tells, or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from phimask.plugins.values import Expected

__all__ = [
    "AlertRaised",
    "BatchFinished",
    "BreakerTripped",
    "CollectionFinished",
    "CollectionStarted",
    "Event",
    "FindingMade",
    "Holding",
    "Logged",
    "MemorySpent",
    "PartitionFinished",
    "PartitionStarted",
    "Paused",
    "RunFinished",
    "RunStarted",
    "Scaled",
    "SetAside",
    "VerificationProgress",
    "Warned",
    "WorkerEnded",
    "WorkerStarted",
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

    `target` is a namespace, or None for in place. `done`: how many of the documents were done before a resume.
    """

    namespace: str
    target: str | None
    documents: int
    bytes: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class PartitionStarted(Event):
    """A worker begins a partition."""

    namespace: str
    partition: int
    documents: int | None
    worker: str = ""


@dataclass(frozen=True, slots=True)
class BatchFinished(Event):
    """A batch is written and acknowledged (or nothing in it had to be).

    Bytes are BSON bytes as read. `seconds` is the batch's own time: reading, masking, writing, checking.
    `masked`, `redacted_on_error` and `kept` count values per rule, by the rule's place in the collection file.
    `classes` counts documents by complexity: simple, medium, complex.
    `rss_bytes` is the worker's resident memory after the batch, `ceiling_bytes` what it may reach (None: no limit).
    `peak_bytes` is its highest while the batch was in hand (0: not known). `expected` is what the batch sizer expected
    of the batch before it was masked, None where it had not learnt enough, or does not predict.
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
    peak_bytes: int = 0
    expected: Expected | None = None
    worker: str = ""


@dataclass(frozen=True, slots=True)
class PartitionFinished(Event):
    """A partition is done."""

    namespace: str
    partition: int
    worker: str = ""


@dataclass(frozen=True, slots=True)
class SetAside(Event):
    """A document of more than `memory.oversize` bytes got a partition of its own, which is masked after all others."""

    namespace: str
    partition: int
    bytes: int
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """Work stood still for `seconds` because of `reason`: memory, breaker, retry and the like."""

    reason: str
    seconds: float
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Holding(Event):
    """All workers are to stand still from now on, for `reasons`; none: they go on. Told again while they stand, where
    `detail` has changed: the reasons with their numbers, for people (which member is how many seconds behind)."""

    reasons: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """A worker process is there. One that replaces another has its name."""

    worker: str
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerEnded(Event):
    """A worker process is gone.

    `reason`: `done` (nothing was left to do), `stopped` (it was told to end), `memory` (recycled), `failed` (its error
    ends the run), `died` or `hung`. `restarts` is how many times a worker was replaced so far, this one included if
    another is to take its place (`replaced`). `cpu_seconds` is what the process used, `peak_rss_bytes` the most it was
    seen to hold; 0 where that is not known.
    """

    worker: str
    reason: Literal["done", "stopped", "memory", "failed", "died", "hung"]
    restarts: int
    replaced: bool = False
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Scaled(Event):
    """From now on there are to be `workers` of them rather than `before`, since `because`.

    `before` is 0 at the beginning, and as many as `workers` where nothing better was found.
    """

    before: int
    workers: int
    because: str


@dataclass(frozen=True, slots=True)
class MemorySpent(Event):
    """A worker holds `rss_bytes` resident and cannot give them back but by its end: who can, replaces its process."""

    rss_bytes: int
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Logged(Event):
    """A worker's log record, for the run's log: its text has been made safe where it was made.

    `level` is the level's name, `source` and `line` say where in the code.
    """

    worker: str
    level: str
    message: str
    source: str = ""
    line: int = 0


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
class AlertRaised(Event):
    """A rule of the profile's `alerts` is broken, or, with `cleared`, kept again. Told once each, not a batch each.

    `rule` is the rule's key, `message` says what is so, in counts, names and seconds: it may leave the house. `at` is
    in seconds since the epoch. `namespace` and `worker` are there where the rule is about one.
    """

    rule: str
    message: str
    at: float
    namespace: str | None = None
    worker: str = ""
    cleared: bool = False


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
