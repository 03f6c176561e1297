"""What configuration means once it is read: frozen values that the rest of the engine is given.

Sizes are int bytes, times float seconds. Every component choice keeps its `origin`, so that a later error can
still name the file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Any, Literal

from phimask.plugins.values import Wildcard

OnError = Literal["redact", "quarantine", "halt"]
Unmapped = Literal["keep", "report", "redact", "halt"]
Coding = Literal["json", "base64"]


class Secret(str):
    """A string that shows itself to nobody by accident: `reveal()` is the only way to its text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def reveal(self) -> str:
        """The text itself."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a configured value was written. `line` counts from 1; None where the source has no lines."""

    file: str
    line: int | None
    path: str


@dataclass(frozen=True, slots=True)
class ComponentChoice:
    """A component by name, with its options: checked, defaults filled in, units converted.

    `places`: where options were written; those that were not have their defaults.
    """

    name: str
    options: Mapping[str, Any] = field(repr=False)  # options may hold secrets
    origin: Origin
    places: Mapping[str, Origin] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Breaker:
    """When the circuit breaker opens, and how it closes again.

    failures: failed batches in a row; slow_batch: seconds; memory: resident bytes (None: not watched);
    cool_down: seconds it stays open; trips: how many times it may open before the run stops safely.
    """

    failures: int
    slow_batch: float
    memory: int | None
    cool_down: float
    trips: int


@dataclass(frozen=True, slots=True)
class Canary:
    """The first batches of a run, and what stops it safely if they are worse than this.

    Documents a second are those of all canary batches together.
    """

    batches: int
    min_documents_per_second: float
    max_memory: int
    max_batch_seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a transient error is tried again: attempts in all, first and longest wait in seconds."""

    attempts: int
    initial: float
    longest: float


Guard = Literal["auto", "changed", "none"]
IndexSetting = Literal["keep", "rebuild"]
ChosenPath = Literal["set", "replace", "server"]
WritePath = Literal["auto", "set", "replace", "server"]


@dataclass(frozen=True, slots=True)
class WriteSettings:
    """How batches are written in place. path: by which way; guard: against others who write meanwhile; journal:
    whether each batch is announced in the ledger; indexes: what becomes of those on masked paths meanwhile."""

    path: WritePath
    guard: Guard
    journal: bool
    indexes: IndexSetting


@dataclass(frozen=True, slots=True)
class Undo:
    """The way back. vault: the directory or the connection string of the undo vault, None for no vault. In a run's
    configuration a directory is absolute; in a profile alone it is as written, relative to the project's folder."""

    vault: Path | Secret | None


@dataclass(frozen=True, slots=True)
class ReplicaLag:
    """How many seconds a secondary may be behind: work stands still from `pause` on, until it is `resume` at most."""

    pause: float
    resume: float


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """When work may be done, by the clock on the wall: from `opens` on, on each of `days`, until `closes` comes next.

    `closes` is on the next day where it is not after `opens`. days: mon to sun. zone: an IANA name, None: the
    machine's own.
    """

    opens: time
    closes: time
    days: tuple[str, ...]
    zone: str | None


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """Why work stands still out of regard for others.

    replica_lag None: not watched. windows: empty, at any time. flag_file: as written, relative to the project's
    folder.
    """

    replica_lag: ReplicaLag | None
    flow_control: bool
    windows: tuple[TimeWindow, ...]
    flag_file: Path | None


AfterBatch = Literal["none", "young", "all"]


@dataclass(frozen=True, slots=True)
class Collector:
    """When Python's collector of reference cycles works.

    freeze: it never looks again at what is there before the first batch; thresholds: as for gc.set_threshold, None: not
    while batches go on; after_batch: what it looks at after each.
    """

    freeze: bool
    thresholds: tuple[int, int, int] | None
    after_batch: AfterBatch


@dataclass(frozen=True, slots=True)
class Memory:
    """What a worker's batches may take, in bytes, None: as much as the batch sizer's bounds come to.

    documents: as read, until they are written; results: masked, until they are written; cache: what maskers put aside.
    read_ahead: a batch is read while the one before is masked. oversize: a document of more, as it was read, is masked
    after all others, alone; None: none is.
    """

    documents: int | None
    results: int | None
    cache: int | None
    read_ahead: bool
    oversize: int | None
    collector: Collector


@dataclass(frozen=True, slots=True)
class ClassLimits:
    """The most that a document of a class has: fields (keys at every level), depth (keys in the longest path), elements
    (of all arrays together)."""

    fields: int
    depth: int
    elements: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a document simple, what medium; all else is complex."""

    simple: ClassLimits
    medium: ClassLimits


@dataclass(frozen=True, slots=True)
class SlowRun:
    """documents_per_second: fewer than so many, of all workers together; over: the seconds that are looked back on."""

    documents_per_second: float
    over: float


@dataclass(frozen=True, slots=True)
class Alerts:
    """When observers are told an alert; None: never for that reason.

    memory: resident bytes with a batch in hand; batch: seconds that one took; holding: seconds of standing still;
    breaker, worker, quarantine, finding: so many openings, workers lost, documents, findings; finished: at the end.
    """

    slow: SlowRun | None
    memory: int | None
    batch: float | None
    holding: float | None
    breaker: int | None
    worker: int | None
    quarantine: int | None
    finding: int | None
    finished: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """How a run behaves. Holds no masking rules.

    check_sample: documents of each batch that the `during` validators see whole, before and after. check_after: random
    documents that the verification of a whole collection looks at; None: all.
    prescan: documents sampled before a collection is begun. strict: a rule that matches nothing in the
    sample is an error in `run` too.
    """

    name: str
    description: str
    partitioner: ComponentChoice
    batch_sizer: ComponentChoice
    memory_governor: ComponentChoice
    executor: ComponentChoice
    validators: tuple[ComponentChoice, ...]
    observers: tuple[ComponentChoice, ...]
    breaker: Breaker
    canary: Canary | None
    retry: Retry
    write: WriteSettings
    throttle: ThrottleSettings
    undo: Undo
    memory: Memory
    alerts: Alerts
    check_sample: int
    check_after: int | None
    prescan: int
    complexity: Limits
    strict: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class Rule:
    """A field path and the masker for it. `segments` is `path` taken apart; `when` is a MongoDB query (Extended
    JSON) for the documents that the rule is for, None: all. `decode` says how the field is held, outermost first;
    `masker` is None only where the rule says nothing else. `hipaa`: the identifiers of Safe Harbor that the field may
    hold, by letter, empty where the rule names none."""

    path: str
    segments: tuple[str | Wildcard, ...]
    masker: ComponentChoice | None
    origin: Origin
    when: Mapping[str, Any] | None = None
    decode: tuple[Coding, ...] = ()
    hipaa: tuple[str, ...] = ()

    @property
    def masker_name(self) -> str:
        """What the masker is called; `decode` where there is none."""
        return "decode" if self.masker is None else self.masker.name


@dataclass(frozen=True, slots=True)
class CollectionFile:
    """What to mask in one collection. `rules` are those of the extended packs first, own rules after.

    `collection` is None in a rule pack, which is only there to be extended. `subject` is a path without
    wildcards. `accept`: the ids of hazards of this collection that a person has decided on.
    """

    name: str
    collection: str | None
    subject: tuple[str, ...] | None
    unmapped: Unmapped
    on_error: OnError
    rules: tuple[Rule, ...]
    origin: Origin
    accept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key is: the name of an environment variable, or a file."""

    env: str | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class ShadowSetting:
    """That masked documents go into a fresh collection, which is then swapped in. keep_original: whether the one it
    takes the place of is kept until the run is made final or rolled back. catch_up: whether others may write
    meanwhile."""

    keep_original: bool
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Where masked documents go: another deployment (uri), another database, or both; or a shadow in the database
    that is masked."""

    uri: Secret | None
    database: str | None
    shadow: ShadowSetting | None = None


@dataclass(frozen=True, slots=True)
class Coordination:
    """Where the ledger is. `uri` None: on the deployment that is masked."""

    uri: Secret | None
    database: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Project:
    """phimask.yaml with the command line's settings over it: where.

    `directory` is the folder of phimask.yaml (or the current one): names are looked up there first. `places` says,
    by JSONPath, where each profile, collection file and plugin is named.
    """

    directory: Path
    uri: Secret | None
    database: str | None
    target: Target | None
    coordination: Coordination
    key: KeySource
    older_keys: tuple[KeySource, ...]
    signing_key: KeySource
    profile: str | None
    collections: tuple[str, ...]
    plugins: tuple[str, ...]
    origin: Origin
    places: Mapping[str, Origin] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that a run is told: where, how, what. `digest` is SHA-256, in hex, over everything that decides the
    outcome (rules, maskers' options, subject, profile), with no secret in it; `rule_digests` the same over each
    collection file alone. The throttle is left out: at which hours work stands still is changed between a stop and a
    resume; and so is the vault, which decides of no value."""

    project: Project
    profile: Profile
    collections: tuple[CollectionFile, ...]
    digest: str
    rule_digests: tuple[str, ...] = ()
    settings: tuple[str, ...] = field(default_factory=tuple)
