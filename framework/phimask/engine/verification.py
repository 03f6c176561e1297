"""Verification of all documents: a copy against its source, or a collection in place against its rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from phimask.engine.checking import Checked, Checks
from phimask.engine.control import StopSignal
from phimask.errors import Interrupted
from phimask.masking.core import MaskingCore
from phimask.planning.conditions import Conditions
from phimask.planning.plan import CollectionPlan
from phimask.plugins.events import Event, VerificationProgress
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import (
    FAILED,
    BatchBudget,
    Column,
    DocumentId,
    DocumentPair,
    Finding,
    Partition,
    Totals,
)
from phimask.store.raw import identity
from phimask.store.reading import BatchReader, whole_documents
from phimask.store.source import ID_ORDER

_BUDGET: Final = BatchBudget(1000, 16_000_000)


def verify_copy(
    plan: CollectionPlan,
    source: Any,
    target: Any,
    checks: Checks,
    left_out: Collection[DocumentId],
    emit: Callable[[Event], None],
    stop: StopSignal,
) -> list[Checked]:
    """Show every document of the plan's scope, before and after, to the validators; then the counts.

    `left_out` are the quarantined, which are not to be in the target. Raises Interrupted.
    """
    read = 0
    conditions = Conditions(plan.rules)
    for documents in _scan(plan, source, emit, stop):
        found = [identity(raw) for raw in documents]
        after = whole_documents(target, found)
        without = conditions.without(source, found) or [frozenset()] * len(found)
        checks.documents(
            DocumentPair(raw, after.get(one), conditions.in_facts(rules))
            for raw, one, rules in zip(documents, found, without, strict=True)
            if one not in left_out
        )
        read += len(documents)
    checks.totals(
        Totals(
            read=read,
            written=read - len(left_out),
            unchanged=0,
            quarantined=len(left_out),
            missing=0,
            stored=target.count_documents({}, hint=ID_ORDER),
        )
    )
    return checks.results()


def count_in_place(
    plan: CollectionPlan, source: Any, totals: Totals, checks: Checks
) -> tuple[list[Checked], int]:
    """Compare what was read with what is stored up to the `_id` at which the run began to end.

    Returns the results and how many documents lie beyond: they came during the run and are not masked.
    Under a query or a limit nothing can be compared.
    """
    came_after = 0
    stored = None
    if plan.scope.query is None and plan.scope.limit is None and plan.indexed is not None:
        last = plan.indexed.last_id()
        beyond = BatchReader(source, Partition(0, last, None), None, {"_id": 1})
        while documents := beyond.read(_BUDGET):
            came_after += len(documents)
            beyond.move(documents)
        # Quarantined documents are stored too, but not masked: the count is of those that are.
        stored = source.count_documents({}, hint=ID_ORDER) - came_after - totals.quarantined
    checks.totals(replace(totals, stored=stored))
    return checks.results(), came_after


def verify_in_place(
    plan: CollectionPlan, source: Any, emit: Callable[[Event], None], stop: StopSignal
) -> tuple[list[Checked], set[str]]:
    """Without originals, what can be known: a value that an idempotent rule would change is not masked.

    Returns the result and the paths of the rules that cannot be judged so. Raises Interrupted.
    """
    again = [_Again(rule.masker) for rule in plan.rules]
    rules = [replace(rule, masker=masker) for rule, masker in zip(plan.rules, again, strict=True)]
    core = MaskingCore(rules, plan.file.subject, "redact")
    conditions = Conditions(plan.rules)
    read = 0
    for documents in _scan(plan, source, emit, stop):
        without = conditions.without(source, [identity(raw) for raw in documents])
        core.mask(documents, "update", without)
        read += len(documents)
    findings = tuple(
        Finding(f"values that {rule.masker.name} would still change", rule.path, masker.suspects)
        for rule, masker in zip(plan.rules, again, strict=True)
        if masker.suspects
    )
    unjudged = {rule.path for rule in plan.rules if not rule.masker.idempotent}
    return [Checked("no_original", "after", read, findings)], unjudged


class _Again(Masker):
    """Counts the values that an idempotent masker would change, and changes none."""

    name = "again"

    def __init__(self, masker: Masker) -> None:
        super().__init__({})
        self._masker = masker
        self.suspects = 0
        self.types = masker.types
        self.produces = masker.types | {"null"}
        self.changes = "maybe" if masker.idempotent and masker.changes != "never" else "never"
        self.containers = masker.containers
        self.removes = masker.removes

    def mask(self, column: Column) -> Sequence[Any]:
        results = self._masker.mask(column)
        self.suspects += sum(
            result is not FAILED and result != value
            for value, result in zip(column.values, results, strict=True)
        )
        return column.values


def _scan(
    plan: CollectionPlan, source: Any, emit: Callable[[Event], None], stop: StopSignal
) -> Iterator[list[bytes]]:
    last = plan.indexed.last_id() if plan.indexed is not None else None
    if last is None:
        return
    reader = BatchReader(source, Partition(0, None, last), plan.scope.query, None)
    remaining = plan.scope.limit
    checked = 0
    while True:
        if stop.stopping:
            raise Interrupted("stopped during verification; the masking itself is complete")
        count = _BUDGET.documents if remaining is None else min(_BUDGET.documents, remaining)
        documents = reader.read(BatchBudget(count, _BUDGET.bytes)) if count else []
        if not documents:
            return
        reader.move(documents)
        checked += len(documents)
        if remaining is not None:
            remaining -= len(documents)
        yield documents
        emit(VerificationProgress(plan.namespace, checked, plan.documents))
