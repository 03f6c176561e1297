"""A process's share of a verification: its own connections and validators, the documents of one piece after the other.

Nothing here goes through what wrote them: documents are read whole, source and target each by a reader of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Final, TypeAlias

import bson

from phimask.config.model import ComponentChoice, Configuration
from phimask.engine.checking import Checked, Checks
from phimask.engine.job import Where
from phimask.engine.kept_pairs import KeptPairs
from phimask.engine.left_out import LeftOut, none_of
from phimask.engine.remembering import VALIDATORS_DOMAIN
from phimask.engine.unsettled import Unsettled
from phimask.errors import Interrupted
from phimask.ledger.opening import Ledger
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.keys import MaskingKey
from phimask.planning.binding import bind, facts
from phimask.planning.components import validators
from phimask.planning.conditions import Conditions
from phimask.plugins.interfaces import Masker
from phimask.plugins.loading import disabled_plugins, load_registry
from phimask.plugins.registry import Registry
from phimask.plugins.values import FAILED, BatchBudget, Column, DocumentId, DocumentPair, Finding, Partition
from phimask.store.connect import Client, connect, raw_collection
from phimask.store.raw import identity
from phimask.store.reading import BatchReader, documents_between, whole_documents
from phimask.store.retry import retrying

BUDGET: Final = BatchBudget(300, 16_000_000)
"""So few that most batches fit into one reply of a size that is quick to copy."""
STOPPED: Final = "stopped during verification; the masking itself is complete"

Piece: TypeAlias = "Partition | tuple[DocumentId, ...]"
"""A range of `_id`s, or documents of a sample."""


@dataclass(frozen=True, slots=True, repr=False)
class Verification:
    """What a process needs to verify a share of one collection. It can be pickled.

    `source` holds the originals, `target` what was made of them; without a target `source` was masked in place, and
    `vault` is the run whose vault has the originals, or None: then only what idempotent maskers would still change is
    found, unless `again` is false, and by `recalls` what validators remember of originals; `partial`: that run had a
    query or a limit, and `batches`: see Originals. `left_out` are documents that are not to be in the target. With
    `unsettled` others write to the source meanwhile, and what they change is left to a later look. `salt` stands in for
    a masking key.
    """

    configuration: Configuration
    collection: int
    keys: tuple[MaskingKey, ...]
    source: Where
    target: Where | None
    validators: tuple[ComponentChoice, ...]
    query: Mapping[str, Any] | None
    limit: int | None
    left_out: LeftOut | None
    salt: bytes
    vault: str | None = None
    partial: bool = False
    batches: Mapping[int, int] = field(default_factory=dict)
    again: bool = True
    recalls: bool = False
    unsettled: Unsettled | None = None
    registry: Registry | None = field(default=None, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process loads plugins for itself."""
        names = [one.name for one in fields(self) if one.name != "registry"]
        return Verification, tuple(getattr(self, name) for name in names)

    @property
    def namespace(self) -> str:
        """Of the source."""
        return f"{self.source.database}.{self.source.collection}"

    @property
    def key(self) -> bytes:
        """Of validators' fingerprints."""
        return self.keys[0].derive(VALIDATORS_DOMAIN) if self.keys else self.salt


class Share:
    """Shows the validators of this process what it is given. A context manager: it closes its connections."""

    def __init__(self, task: Verification, stopping: Callable[[], bool]) -> None:
        self._task = task
        self._stopping = stopping
        project = task.configuration.project
        registry = task.registry or load_registry(
            project.plugins, project.directory, disabled_plugins(os.environ), checked=True
        )
        file = task.configuration.collections[task.collection]
        self._rules = bind(file, registry, task.keys)
        self._conditions = Conditions(self._rules)
        judged = facts(bind(file, registry, task.keys), file.subject)
        looking = validators(registry, task.validators, "after", judged, task.key)
        self._again = None
        if task.target is None and task.vault is None:
            self._again = Again(self._rules, file.subject) if task.again else None
            looking = [one for one in looking if not one.needs_originals or (task.recalls and one.remembers)]
        self._checks = Checks("after", looking)
        self._in_order = False
        self._stack = ExitStack()
        opened: dict[str, Client] = {}

        def client(where: Where) -> Client:
            text = where.uri.reveal()
            if text not in opened:
                opened[text] = self._stack.enter_context(connect(where.uri))
            return opened[text]

        def collection(where: Where) -> Any:
            return raw_collection(client(where), where.database, where.collection)

        self._retrying = partial(retrying, task.configuration.profile.retry, lambda *_: None, stopping)
        self._source = collection(task.source)
        self._target: Any = None if task.target is None else collection(task.target)
        self._left_out = none_of if task.left_out is None else task.left_out.asked_by(client)
        self._changed: Callable[[Sequence[DocumentId]], Collection[DocumentId]] = none_of
        if task.unsettled is not None:
            where = task.unsettled.ledger
            ledger = Ledger(client(where), where.database, where.collection)
            self._changed = partial(
                task.unsettled.among, client(task.source), ledger, task.namespace, stopping=stopping
            )
        self._kept = None
        if task.vault is not None:
            try:
                kept = KeptPairs(
                    task.configuration.profile.undo.vault,
                    task.vault,
                    task.keys[0],
                    task.namespace,
                    partial=task.partial,
                    batches=task.batches,
                )
            except BaseException:
                self._stack.close()
                raise
            self._kept = self._stack.enter_context(kept)

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def piece(self, piece: Piece) -> int:
        """Look at a piece's documents; how many there were. Raises Interrupted, and PyMongo's errors."""
        seen = 0
        if self._kept is not None:
            self._kept.begin(piece.number if isinstance(piece, Partition) else None)
        for documents in self._documents(piece):
            if self._stopping():
                raise Interrupted(STOPPED)
            found = [identity(raw) for raw in documents]
            seen += len(documents)
            without = self._retrying()(self._conditions.without, self._source, found)
            apart = [self._conditions.in_facts(rules) for rules in without] or [frozenset()] * len(found)
            if self._task.target is None and self._kept is None:
                if self._again is not None:
                    self._again.look(list(documents), without)
                self._checks.documents(
                    DocumentPair(None, raw, rules) for raw, rules in zip(documents, apart, strict=True)
                )
            elif self._kept is not None:
                pairs = self._kept.pairs(documents, found, apart)
                left_out = self._retrying()(self._left_out, found)
                self._checks.documents(
                    pair
                    for pair, one in zip(pairs, found, strict=True)
                    if pair is not None and one not in left_out
                )
            else:
                self._checks.documents(self._pairs(documents, found, apart))
        if self._kept is not None:
            self._kept.end()
        return seen

    def _documents(self, piece: Piece) -> Iterator[list[bytes]]:
        self._in_order = isinstance(piece, Partition)
        if not isinstance(piece, Partition):
            yield list(self._retrying()(whole_documents, self._source, piece).values())
            return
        # Once masked, a document may not match the query any more: the vault knows which ones were.
        reader = BatchReader(self._source, piece, None if self._kept else self._task.query, None)
        remaining = self._task.limit
        while remaining is None or remaining > 0:
            count = BUDGET.documents if remaining is None else min(BUDGET.documents, remaining)
            documents = self._retrying()(reader.read, BatchBudget(count, BUDGET.bytes))
            if not documents:
                return
            reader.move(documents)
            if remaining is not None:
                remaining -= len(documents)
            yield documents

    def _pairs(
        self, documents: Sequence[bytes], found: Sequence[DocumentId], without: Sequence[frozenset[int]]
    ) -> Iterator[DocumentPair]:
        after = self._retrying()(self._counterparts, found)
        left_out = {*self._retrying()(self._left_out, found), *self._retrying()(self._changed, found)}
        return (
            DocumentPair(raw, after.get(one), rules)
            for raw, one, rules in zip(documents, found, without, strict=True)
            if one not in left_out
        )

    def _counterparts(self, found: Sequence[DocumentId]) -> dict[DocumentId, bytes]:
        """What the target has of these documents. Those of a range are read as a range, which costs the server a third
        of what it takes to look each one up."""
        return (documents_between if self._in_order else whole_documents)(self._target, found)

    def gathered(self) -> dict[str, bytes]:
        """What its validators know that others need."""
        return self._checks.gathered()

    def next_round(self, joined: Mapping[str, bytes]) -> set[str]:
        """Tell its validators what all know; those that want to see documents again."""
        return self._checks.next_round(joined)

    def show(self, wanting: set[str]) -> None:
        """From now on documents are for these."""
        self._checks.show(wanting)
        if self._kept is not None:
            self._kept.counted()

    def results(self) -> list[Checked]:
        """What its validators found."""
        results = self._checks.results()
        if self._again is not None:
            return [self._again.result(), *results]
        if self._kept is not None and (unjudged := self._kept.unjudged()):
            results = [replace(one, unjudged=(*one.unjudged, *unjudged)) for one in results]
        return results


class Again:
    """Without originals: a value that an idempotent masker would change is not masked."""

    def __init__(self, rules: Sequence[BoundRule], subject: tuple[str, ...] | None) -> None:
        self._rules = rules
        self._maskers = [_AgainMasker(rule.masker) for rule in rules]
        again = [replace(rule, masker=masker) for rule, masker in zip(rules, self._maskers, strict=True)]
        self._core = MaskingCore(again, subject, "redact")
        self._read = 0

    def look(self, documents: list[bytes], without: Sequence[frozenset[int]]) -> None:
        """Count what would change in these."""
        self._read += len(documents)
        self._core.mask(documents, "update", without)

    def result(self) -> Checked:
        """What was found."""
        findings = tuple(
            Finding(f"values that {rule.masker.name} would still change", rule.path, masker.suspects)
            for rule, masker in zip(self._rules, self._maskers, strict=True)
            if masker.suspects
        )
        return Checked("no_original", "after", self._read, findings)


class _AgainMasker(Masker):
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
            result is not FAILED and _differs(value, result)
            for value, result in zip(column.values, results, strict=True)
        )
        return column.values


def _differs(value: Any, result: Any) -> bool:
    """Whether a document would hold other bytes: NaN is no change of NaN, and 1.0 is one of 1."""
    if result is value:
        return False
    if type(value) is type(result) is str:
        return bool(value != result)
    try:
        return bson.encode({"": value}) != bson.encode({"": result})
    except Exception:  # noqa: BLE001  (PyMongo raises several; a field that is removed has no bytes either)
        return True
