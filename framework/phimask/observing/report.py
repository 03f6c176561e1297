"""The report: what a run did and what proves it, added up from events while the run goes on.

It is counts, names and times, as schemas/report.schema.json describes; the one exception is the quarantine list,
which a person needs to find the documents again, and which never goes to observers.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

from phimask.observing.bounds import CONFIDENCE, upper_bound
from phimask.observing.spread import BatchSpread, PredictionError
from phimask.observing.tally import Tally
from phimask.plugins.events import (
    BatchFinished,
    BreakerTripped,
    CollectionStarted,
    Event,
    Paused,
    Scaled,
    Warned,
    WorkerEnded,
    WorkerStarted,
)
from phimask.plugins.values import ComplexityClass, Finding, Phase

Status = Literal["completed", "stopped", "failed"]

MOST_IDS: Final = 10_000
"""So many `_id`s a collection's quarantine list holds; the count goes on."""
MOST_FINDINGS: Final = 100
"""So many different findings of one validator are told apart; the rest is one sum."""
MOST_WARNINGS: Final = 100
MOST_SCALINGS: Final = 1000
"""So many decisions on the number of workers are kept, the newest."""

ReportedPath = Literal["set", "replace", "server", "copy"]
"""By which way masked values got into documents."""


class ReportedRule(NamedTuple):
    """A rule as it is reported: its path, its masker's name, the identifiers of Safe Harbor that it names, the values
    that it won in the sample (None: none was taken), and whether it leaves all values as they are and only counts."""

    path: str
    masker: str
    hipaa: tuple[str, ...] = ()
    sampled: int | None = None
    leaves: bool = False


@dataclass(slots=True)
class _Rule:
    path: str
    masker: str
    hipaa: tuple[str, ...] = ()
    sampled: int | None = None
    leaves: bool = False
    masked: int = 0
    redacted_on_error: int = 0
    kept: int = 0

    def entry(self, *, counted: bool = True) -> dict[str, Any]:
        return {
            "path": self.path,
            "masker": self.masker,
            "hipaa": list(self.hipaa),
            "sampled": self.sampled,
            "values": self.masked + self.redacted_on_error + self.kept if counted else None,
            "masked": (0 if self.leaves else self.masked) if counted else None,
            "redacted_on_error": self.redacted_on_error if counted else None,
        }


@dataclass(slots=True)
class _Verification:
    checked: int = 0
    findings: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    unjudged: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    affected: int = 0
    of: int | None = None
    judged: bool = True

    def add(self, checked: int, findings: Sequence[Finding]) -> None:
        self.checked += checked
        for finding in findings:
            kind = (finding.what, finding.path)
            if kind not in self.findings and len(self.findings) >= MOST_FINDINGS:
                kind = ("further findings", None)
            self.findings[kind] += finding.count

    def entry(self, validator: str, phase: str) -> dict[str, Any]:
        return verification_entry(
            validator, phase, self.checked, self.findings, self.unjudged, self.affected, self.of, self.judged
        )


def verification_entry(
    validator: str,
    phase: str,
    checked: int,
    findings: Mapping[tuple[str, str | None], int],
    unjudged: Mapping[tuple[str, str | None], int],
    affected: int,
    of: int | None,
    judged: bool,
) -> dict[str, Any]:
    """One validator's result as the report has it; see its schema. `affected` documents had a finding; `of` so many
    they are a random sample, None: they are all; `judged`: it could judge anything at all."""
    sample = None
    if of is not None:
        sample = {
            "of": of,
            "affected": affected,
            "confidence": CONFIDENCE,
            "share_at_most": upper_bound(affected, checked),
        }
    return {
        "validator": validator,
        "phase": phase,
        "checked": checked,
        "findings": [
            {"what": what, "path": path, "count": count} for (what, path), count in findings.items()
        ],
        "unjudged": [
            {"what": what, "path": path, "count": count} for (what, path), count in unjudged.items()
        ],
        "sample": sample,
        "ok": judged and not findings,
    }


@dataclass(slots=True)
class _Collection:
    namespace: str
    target: str | None
    total: int
    rules: list[_Rule]
    began: tuple[float, float]
    worked: tuple[float, float] = (0.0, 0.0)
    workers_cpu: float = 0.0
    documents: Counter[str] = field(default_factory=Counter)
    told: int = 0
    batches: BatchSpread = field(default_factory=BatchSpread)
    sampled: Mapping[ComplexityClass, int] = field(default_factory=dict)
    complexity_check: Mapping[str, Any] | None = None
    predicted: Mapping[str, Any] | None = None
    seconds_error: PredictionError = field(default_factory=PredictionError)
    memory_error: PredictionError = field(default_factory=PredictionError)
    complexity: Counter[str] = field(default_factory=Counter)
    peak_rss: int | None = None
    ceiling: int | None = None
    throttled: dict[str, float] = field(default_factory=dict)
    scaling: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_SCALINGS))
    verification: dict[tuple[str, str], _Verification] = field(default_factory=dict)
    quarantined_ids: list[str] = field(default_factory=list)
    unmapped: Mapping[tuple[str, str], int] = field(default_factory=dict)
    path: ReportedPath = "set"
    indexes: dict[str, Any] | None = None
    shadow: Mapping[str, str | None] | None = None

    def entry(self) -> dict[str, Any]:
        done = self.documents
        classes: Mapping[Any, int] = self.complexity or self.sampled
        batches = self.batches.summary()
        batches["seconds"]["predicted_p50_error_percent"] = self.seconds_error.median_percent()
        return {
            "namespace": self.namespace,
            "target": self.target,
            "documents": {
                "total": self.total,
                **{name: done[name] for name in ("masked", "unchanged", "quarantined", "missing")},
            },
            "seconds": round(self.worked[0], 3),
            "write_path": self.path,
            "rules": [rule.entry(counted=self.path != "server") for rule in self.rules],
            "batches": batches,
            "complexity": {name: classes.get(name, 0) for name in get_args(ComplexityClass)},
            "complexity_check": self.complexity_check,
            "predicted": self.predicted,
            "memory": {
                "peak_rss_bytes": self.peak_rss,
                "ceiling_bytes": self.ceiling,
                "predicted_p50_error_percent": self.memory_error.median_percent(),
            },
            "throttled": {reason: round(seconds, 3) for reason, seconds in self.throttled.items()},
            "scaling": list(self.scaling),
            "verification": [
                result.entry(validator, phase) for (validator, phase), result in self.verification.items()
            ],
            "quarantined_ids": list(self.quarantined_ids),
            "unmapped": [
                {"path": path, "type": bson_type, "values": count}
                for (path, bson_type), count in sorted(self.unmapped.items())
            ],
            "indexes": self.indexes,
            "shadow": None if self.shadow is None else dict(self.shadow),
        }


class ReportBuilder:
    """Adds up a run: `begin`, a `collection` each, every event through `notify`, at last `finish`.

    `clock`: seconds, never going back; `cpu`: this process's CPU seconds; `now`: the time of day, with a zone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._clock = clock
        self._cpu = cpu
        self._now = now
        self._head: dict[str, Any] = {}
        self._collections: dict[str, _Collection] = {}
        self._current: _Collection | None = None
        self._warnings: dict[str, None] = {}
        self._breaker_trips = 0
        self._workers = 1
        self._at_work: set[str] = set()
        self._restarts = 0

    def begin(
        self,
        *,
        run_id: str,
        profile: str,
        version: str,
        config_digest: str,
        key_fingerprint: str | None,
        workers: int = 1,
        started: datetime | None = None,
        resumed: int = 0,
        software: Mapping[str, str] = MappingProxyType({}),
        accepted: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """The run starts now, or began at `started` (UTC) and was resumed so often. `key_fingerprint` is None where no
        masker uses a key. `accepted`: hazards that a person decided on."""
        self._head = {
            "run_id": run_id,
            "profile": profile,
            "started": _iso(self._now() if started is None else started.replace(tzinfo=timezone.utc)),
            "resumed": resumed,
            "phimask_version": version,
            "software": dict(software),
            "config_digest": config_digest,
            "key_fingerprint": key_fingerprint,
            "accepted": [dict(one) for one in accepted],
        }
        self._workers = workers

    def collection(
        self,
        namespace: str,
        target: str | None,
        rules: Sequence[ReportedRule],
        documents: int,
        ceiling_bytes: int | None = None,
        path: ReportedPath = "set",
    ) -> None:
        """A collection comes next: its target namespace (None: in place), its rules in the order that events
        count them, how many documents there are to mask, the memory governor's ceiling, by which way
        documents are written: of what the server masks by itself, nobody counts the values."""
        one = _Collection(namespace, target, documents, [_Rule(*rule) for rule in rules], self._times())
        one.ceiling = ceiling_bytes
        one.path = path
        self._collections[namespace] = one
        self._current = one

    def indexes_rebuilt(self, namespace: str, names: Sequence[str], seconds: float) -> None:
        """Indexes that were dropped are there again; building them took so long."""
        self._collections[namespace].indexes = {
            "rebuilt": list(names),
            "missing": [],
            "seconds": round(seconds, 3),
        }

    def indexes_missing(self, namespace: str, names: Sequence[str]) -> None:
        """Indexes that were dropped are not there again."""
        self._collections[namespace].indexes = {"rebuilt": [], "missing": list(names), "seconds": None}

    def shadow(self, namespace: str, entry: Mapping[str, str | None]) -> None:
        """How the collection's shadow ended, and where the original is."""
        self._collections[namespace].shadow = entry

    def complexity(
        self,
        namespace: str,
        classes: Mapping[ComplexityClass, int],
        check: Mapping[str, Any] | None = None,
    ) -> None:
        """Documents by class in the sample taken before, which those of the batches replace where they are told, and
        how well classes are told (None: nobody tried)."""
        one = self._collections[namespace]
        one.sampled, one.complexity_check = dict(classes), check

    def predicted(self, namespace: str, ranges: Mapping[str, Any]) -> None:
        """What the plan expected of the collection, as `phimask plan --json` has it."""
        self._collections[namespace].predicted = ranges

    def notify(self, event: Event) -> None:
        """Add what an event tells; the kinds that tell nothing new pass by.

        Findings among them: `verified` tells those, with how much was checked. Raises KeyError for a batch of a
        collection that was not begun.
        """
        if isinstance(event, BatchFinished):
            self._batch(self._collections[event.namespace], event)
        elif isinstance(event, CollectionStarted):
            self._current = self._collections[event.namespace]
            self._current.began = self._times()
        elif isinstance(event, Paused):
            if self._current is not None:
                waited = self._current.throttled
                waited[event.reason] = waited.get(event.reason, 0.0) + event.seconds
        elif isinstance(event, Scaled):
            self._scaled(event)
        elif isinstance(event, WorkerStarted):
            self._at_work.add(event.worker)
            self._workers = max(self._workers, len(self._at_work))
        elif isinstance(event, WorkerEnded):
            self._worker_ended(event)
        elif isinstance(event, BreakerTripped):
            self._breaker_trips += 1
        elif isinstance(event, Warned):
            if event.message in self._warnings or len(self._warnings) < MOST_WARNINGS:
                self._warnings[event.message] = None
            else:
                self._warnings["further warnings are in the log"] = None

    def verified(
        self,
        namespace: str,
        validator: str,
        phase: Phase,
        checked: int,
        findings: Sequence[Finding],
        unjudged: Sequence[Finding] = (),
        affected: int = 0,
        of: int | None = None,
        *,
        judged: bool = True,
    ) -> None:
        """A validator's result over `checked` documents; of the same validator and phase, results add up. `unjudged`,
        `affected`, `of`, `judged`: see verification_entry."""
        results = self._collections[namespace].verification
        one = results.setdefault((validator, phase), _Verification(of=of, judged=judged))
        one.add(checked, findings)
        one.affected += affected
        for finding in unjudged:
            one.unjudged[finding.what, finding.path] += finding.count

    def settle(self, namespace: str, tally: Tally) -> None:
        """What the ledger has counted goes over what events told: it knows of batches before a resume, too."""
        one = self._collections[namespace]
        one.documents = Counter(
            masked=tally.masked,
            unchanged=tally.unchanged,
            quarantined=tally.quarantined,
            missing=tally.missing,
        )
        for rule, (masked, redacted, kept) in zip(one.rules, tally.rules, strict=False):
            rule.masked, rule.redacted_on_error, rule.kept = masked, redacted, kept
        one.unmapped = dict(tally.unmapped)

    def quarantined(self, namespace: str, identity: str) -> None:
        """A document was left out, by its `_id` as Extended JSON; its batch counts it."""
        ids = self._collections[namespace].quarantined_ids
        if len(ids) < MOST_IDS:
            ids.append(identity)

    def entry(self, namespace: str) -> dict[str, Any]:
        """A collection's part of the report so far, for observers: its quarantine list is empty."""
        return {**self._collections[namespace].entry(), "quarantined_ids": []}

    @property
    def warnings(self) -> list[str]:
        """Those so far, each once."""
        return list(self._warnings)

    def finish(self, status: Status, stopped_because: str | None = None) -> dict[str, Any]:
        """The whole report, quarantine lists included. `stopped_because` holds no value: a phimask error's text,
        or what `phimask.log.describe_error` says of any other."""
        documents = sum(one.told for one in self._collections.values())  # not those before a resume
        seconds = sum(one.worked[0] for one in self._collections.values())
        cpu = sum(one.worked[1] + one.workers_cpu for one in self._collections.values())
        return {
            **self._head,
            "status": status,
            "stopped_because": stopped_because,
            "finished": _iso(self._now()),
            "collections": [one.entry() for one in self._collections.values()],
            "throughput": {
                "documents_per_second": round(documents / seconds, 3) if seconds > 0 else None,
                "seconds": round(seconds, 3),
                "workers": self._workers,
                "cpu_percent": round(cpu / seconds * 100, 1) if seconds > 0 else None,
            },
            "restarts": self._restarts,
            "breaker_trips": self._breaker_trips,
            "undo": None,
            "warnings": self.warnings,
        }

    def _batch(self, one: _Collection, event: BatchFinished) -> None:
        one.batches.add(event.documents, event.bytes, event.seconds)
        one.documents.update(
            masked=event.written,
            unchanged=event.unchanged,
            quarantined=event.quarantined,
            missing=event.missing,
        )
        one.told += event.documents
        one.complexity.update(event.classes)
        one.peak_rss = max(one.peak_rss or 0, event.rss_bytes, event.peak_bytes)
        if event.expected is not None:
            one.seconds_error.add(event.expected.seconds, event.seconds)
            if event.expected.peak_bytes:
                one.memory_error.add(event.expected.peak_bytes, event.peak_bytes)
        if event.ceiling_bytes is not None:
            one.ceiling = event.ceiling_bytes
        for name in ("masked", "redacted_on_error", "kept"):
            for rule, count in zip(one.rules, getattr(event, name), strict=False):
                setattr(rule, name, getattr(rule, name) + count)
        clock, cpu = self._times()
        one.worked = (clock - one.began[0], cpu - one.began[1])

    def _scaled(self, event: Scaled) -> None:
        one = self._current
        if one is not None:
            seconds = round(self._clock() - one.began[0], 1)
            one.scaling.append({"seconds": seconds, "workers": event.workers, "because": event.because})

    def _worker_ended(self, event: WorkerEnded) -> None:
        self._at_work.discard(event.worker)
        self._restarts += event.replaced
        one = self._current
        if one is not None:
            one.workers_cpu += event.cpu_seconds
            if event.peak_rss_bytes:
                one.peak_rss = max(one.peak_rss or 0, event.peak_rss_bytes)

    def _times(self) -> tuple[float, float]:
        return self._clock(), self._cpu()


def without_ids(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report as observers get it: with empty quarantine lists."""
    return {**report, "collections": [{**one, "quarantined_ids": []} for one in report["collections"]]}


def _iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
