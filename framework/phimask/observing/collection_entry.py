"""One collection's part of the report: what its batches, its rules, its validators and its partitions came to."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from phimask.observing.spread import BatchSpread, PredictionError
from phimask.observing.tally import Tally
from phimask.observing.verified import Verified
from phimask.plugins.events import BatchFinished
from phimask.plugins.values import ComplexityClass

MOST_IDS: Final = 10_000
"""So many `_id`s a collection's quarantine list holds; the count goes on."""
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
    """A rule, and what became of the values that it met."""

    rule: ReportedRule
    masked: int = 0
    redacted_on_error: int = 0
    kept: int = 0

    def entry(self, *, counted: bool) -> dict[str, Any]:
        rule = self.rule
        return {
            "path": rule.path,
            "masker": rule.masker,
            "hipaa": list(rule.hipaa),
            "sampled": rule.sampled,
            "values": self.masked + self.redacted_on_error + self.kept if counted else None,
            "masked": (0 if rule.leaves else self.masked) if counted else None,
            "redacted_on_error": self.redacted_on_error if counted else None,
        }


@dataclass(slots=True)
class CollectionEntry:
    """One collection while it is added up. `began` and `worked`: seconds, and this process's CPU seconds; `told`:
    documents of this coordinator's batches alone; `path`: by which way documents are written."""

    namespace: str
    target: str | None
    total: int
    reported: InitVar[Sequence[ReportedRule]]
    began: tuple[float, float]
    path: ReportedPath = "set"
    ceiling: int | None = None
    rules: list[_Rule] = field(init=False)
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
    throttled: dict[str, float] = field(default_factory=dict)
    scaling: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_SCALINGS))
    verification: dict[tuple[str, str], Verified] = field(default_factory=dict)
    quarantined_ids: list[str] = field(default_factory=list)
    unmapped: Mapping[tuple[str, str], int] = field(default_factory=dict)
    indexes: dict[str, Any] | None = None
    shadow: Mapping[str, str | None] | None = None

    def __post_init__(self, reported: Sequence[ReportedRule]) -> None:
        self.rules = [_Rule(ReportedRule(*rule)) for rule in reported]

    def batch(self, event: BatchFinished, now: tuple[float, float]) -> None:
        """One more batch, which ended `now`: as `began`."""
        self.batches.add(event.documents, event.bytes, event.seconds)
        self.documents.update(
            masked=event.written,
            unchanged=event.unchanged,
            quarantined=event.quarantined,
            missing=event.missing,
        )
        self.told += event.documents
        self.complexity.update(event.classes)
        self.peak_rss = max(self.peak_rss or 0, event.rss_bytes, event.peak_bytes)
        if event.expected is not None:
            self.seconds_error.add(event.expected.seconds, event.seconds)
            if event.expected.peak_bytes:
                self.memory_error.add(event.expected.peak_bytes, event.peak_bytes)
        if event.ceiling_bytes is not None:
            self.ceiling = event.ceiling_bytes
        for name in ("masked", "redacted_on_error", "kept"):
            for rule, count in zip(self.rules, getattr(event, name), strict=False):
                setattr(rule, name, getattr(rule, name) + count)
        self.worked = (now[0] - self.began[0], now[1] - self.began[1])

    def settle(self, tally: Tally) -> None:
        """What the ledger has counted goes over what batches told."""
        self.documents = Counter(
            masked=tally.masked,
            unchanged=tally.unchanged,
            quarantined=tally.quarantined,
            missing=tally.missing,
        )
        for rule, (masked, redacted, kept) in zip(self.rules, tally.rules, strict=False):
            rule.masked, rule.redacted_on_error, rule.kept = masked, redacted, kept
        self.unmapped = tally.unmapped.told()

    def entry(self) -> dict[str, Any]:
        """The report's."""
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
