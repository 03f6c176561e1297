"""The plan: all that is known and decided of one collection before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from phimask.config.model import CollectionFile
from phimask.masking.columns import BoundRule
from phimask.masking.unmapped import Unmapped
from phimask.observing.collection_entry import ReportedRule
from phimask.planning.hazards import Hazard
from phimask.planning.indexes import IndexCost
from phimask.planning.namespace import Namespace
from phimask.planning.preflight import Preflight
from phimask.planning.prescan import Prescan
from phimask.planning.room import Room
from phimask.planning.shadow import ShadowPlan
from phimask.planning.write_path import PathPlan
from phimask.plugins.interfaces import Partitioner
from phimask.plugins.values import Partition, RuleFacts
from phimask.store.source import CollectionSource

_RawDocument: TypeAlias = bytes


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents of a collection: a query, at most so many; None is no bound."""

    query: Mapping[str, Any] | None = None
    limit: int | None = None


@dataclass(slots=True)
class CollectionPlan:
    """One collection's part of the plan. `documents` is an estimate under the scope. With a `shadow`, that is the
    target.

    `ceiling_bytes` is the memory governor's; `write_path` how documents are changed in place. `index_cost` is of a
    collection that is masked in place. `unmatched` are the collection file's own rules that match nothing in the
    sample. `accepts`: ids of hazards that a person has decided on; `samples`: some documents of the sample.
    `workers`: see Executor.workers.
    """

    file: CollectionFile
    source: Namespace
    target: Namespace | None
    scope: Scope
    rules: tuple[BoundRule, ...]
    facts: tuple[RuleFacts, ...]
    preflight: Preflight
    scan: Prescan
    documents: int
    bytes: int
    partitioner: Partitioner | None = None
    indexed: CollectionSource | None = None
    ceiling_bytes: int = 0
    write_path: PathPlan = field(default_factory=PathPlan)
    index_cost: IndexCost | None = None
    unmatched: list[Hazard] = field(default_factory=list)
    hazards: list[Hazard] = field(default_factory=list)
    accepts: frozenset[str] = frozenset()
    shadow: ShadowPlan | None = None
    workers: tuple[int, int, str] = (1, 1, "")
    room: Room = field(default_factory=Room)
    samples: Sequence[_RawDocument] = field(default=(), repr=False)

    @property
    def reads(self) -> Mapping[str, int] | None:
        """The projection under which the run reads documents; None: whole, as for a target or to be replaced."""
        return self.scan.projection if self.target is None and self.write_path.path != "replace" else None

    @property
    def namespace(self) -> str:
        """Of the source."""
        return str(self.source)

    @property
    def stopping(self) -> list[Hazard]:
        """The hazards that keep a run from beginning."""
        return [one for one in self.hazards if one.stops(self.accepts)]

    @property
    def warnings(self) -> list[str]:
        """What a run tells and goes on."""
        return [one.what for one in self.hazards if not one.stops(self.accepts)]

    def partitions(self) -> Iterator[Partition]:
        """The partitions, cut as they are asked for."""
        if self.partitioner is not None and self.indexed is not None:
            yield from self.partitioner.partitions(self.indexed)


def reported_rules(plan: CollectionPlan) -> list[ReportedRule]:
    """The rules as a report has them."""
    named: list[tuple[str, ...]] = [rule.hipaa for rule in plan.file.rules]
    if len(plan.rules) > len(named):
        named.insert(0, ())  # what `unmapped` stands for comes first
    sampled: Sequence[int | None] = plan.scan.matched if plan.scan.documents else [None] * len(plan.rules)
    return [
        ReportedRule(rule.path, rule.masker.name, hipaa, count, isinstance(rule.masker, Unmapped))
        for rule, hipaa, count in zip(plan.rules, named, sampled, strict=True)
    ]
