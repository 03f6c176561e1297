"""Verification of a collection: a copy against its source, one masked in place against its vault or its rules.

The collection is cut into ranges of `_id`s, or a random sample is drawn; processes look at the pieces, and the leading
validators, here, at what those have gathered, round after round.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from pymongo.errors import PyMongoError

from phimask.config.model import ComponentChoice, Configuration
from phimask.engine.checking import Checked, Checks, added_up
from phimask.engine.collection_facts import collection_facts
from phimask.engine.control import StopSignal
from phimask.engine.counting import there_were
from phimask.engine.job import Where
from phimask.engine.left_out import LeftOut
from phimask.engine.originals import Originals
from phimask.engine.pieces import last_of, pieces_of
from phimask.engine.processes import Shares
from phimask.engine.recalling import recall, with_extent
from phimask.engine.share import Piece, Verification
from phimask.engine.unsettled import Unsettled
from phimask.ledger.remembered import Remembered
from phimask.masking.keys import MaskingKey
from phimask.planning.components import validators
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan, Scope
from phimask.plugins.events import Event, VerificationProgress
from phimask.plugins.interfaces import Validator
from phimask.plugins.registry import Registry
from phimask.plugins.values import CollectionFacts, DocumentId, Finding, Totals
from phimask.store.raw import within
from phimask.store.retry import terminal_error
from phimask.store.source import ID_ORDER

_LEAST_EACH: Final = 1_000
"""Documents for which it is worth while to start a process."""
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Look:
    """One of several looks at a shadow whose original others write to.

    `pieces` are the documents, about `documents` of them; None: all. `since`: others write meanwhile, and what they
    changed after this number is left to a later look; None: nobody does. `deleted` counts the documents that they have
    deleted and the shadow still has: with it, documents are also counted, and the collection is looked at as such.
    """

    since: int | None
    pieces: Iterable[tuple[DocumentId, ...]] | None = None
    documents: int = 0
    deleted: Callable[[], int] | None = None


class Verifier:
    """Verifies one collection after the other, and remembers the leading validators of each.

    `sample`: so many random documents instead of all; `processes`: so many look at them.
    """

    def __init__(
        self,
        configuration: Configuration,
        registry: Registry,
        keys: tuple[MaskingKey, ...],
        emit: Callable[[Event], None],
        stop: StopSignal,
        processes: int = 1,
        sample: int | None = None,
    ) -> None:
        self._configuration = configuration
        self._registry = registry
        self.keys = keys
        self._emit = emit
        self._stop = stop
        self._most = processes
        self._sample = sample
        self._earlier: dict[str, list[Validator]] = {}
        self._salt = secrets.token_bytes(32)
        self._read = 0

    @property
    def samples(self) -> bool:
        """Whether it looks at a sample only."""
        return self._sample is not None

    def copy(
        self,
        plan: CollectionPlan,
        source: tuple[Namespace, Where],
        target: tuple[Namespace, Where],
        choices: Sequence[ComponentChoice],
        left_out: LeftOut | None,
        before: CollectionFacts | None,
        look: Look | None = None,
        unsettled: Unsettled | None = None,
    ) -> list[Checked]:
        """Every document of the plan's scope, before and after, is shown to the validators; then the counts, and the
        target as a collection beside `before`.

        `left_out` are the quarantined, which are not to be in the target; None where nobody knows of any. `look`: only
        so much of this, in which `unsettled` tells what others change. Raises Interrupted, StoreError.
        """
        task = replace(self._task(plan, source[1], target[1], choices, left_out), unsettled=unsettled)
        without = 0 if left_out is None else left_out.count
        some = None if look is None else look.pieces
        lead, results = self._look(plan, task, self._pieces(plan, source[0]) if some is None else some, look)
        if look is not None and look.deleted is None:
            concluded = self._concluded(lead, results)
            return [one for one in concluded if one.checked or one.findings or one.unjudged]
        try:
            after = target[0].raw()
            read = self._read
            if self._sample is not None:
                bound = within(None, last_of(plan), plan.scope.query)
                read = int(source[0].raw().count_documents(bound, hint=ID_ORDER))
            stored = after.count_documents({}, hint=ID_ORDER)
            if look is not None and look.deleted is not None:
                read = there_were(source[0].raw(), look.deleted, stored + without)
            lead.totals(
                Totals(
                    read=read,
                    written=read - without,
                    unchanged=0,
                    quarantined=without,
                    missing=0,
                    stored=stored,
                )
            )
            lead.collection(before, collection_facts(target[0]))
        except PyMongoError as error:
            raise terminal_error(error, f"verifying {target[0]}") from None
        return self._concluded(lead, results)

    def kept(
        self,
        plan: CollectionPlan,
        source: tuple[Namespace, Where],
        choices: Sequence[ComponentChoice],
        originals: Originals,
        before: CollectionFacts | None,
        totals: Totals | None = None,
    ) -> list[Checked]:
        """The same of a collection that was masked in place, beside what its vault has: always of all documents, since
        a vault is read as a whole. Raises VaultError, too."""
        task = replace(
            self._task(plan, source[1], None, choices, originals.left_out),
            vault=originals.run,
            partial=originals.partial,
            batches=originals.batches,
            limit=None,
        )
        lead, results = self._look(plan, task, originals.partitions)
        try:
            if totals is not None:
                lead.totals(totals)
            lead.collection(before, collection_facts(source[0]))
        except PyMongoError as error:
            raise terminal_error(error, f"verifying {source[0]}") from None
        return self._concluded(lead, results)

    def alone(
        self,
        plan: CollectionPlan,
        source: tuple[Namespace, Where],
        choices: Sequence[ComponentChoice],
        before: CollectionFacts | None,
        remembered: Remembered | None = None,
    ) -> list[Checked]:
        """Without originals: what an idempotent masker would still change, and the collection as such, and what is
        `remembered` of originals. Of every other validator it is said that it cannot judge."""
        task = self._task(plan, source[1], None, choices)
        again = self._looked(plan, task, source[0], remembered)
        facts = [one for one in plan.facts if one.changes != "never"]
        idempotent = {rule.path for rule in plan.rules if rule.masker.idempotent}
        matched = {rule.path for rule, count in zip(plan.rules, plan.scan.matched, strict=True) if count}
        unjudged = tuple(
            Finding("masking again changes what is masked already, so nothing can be told", path)
            for path in sorted({one.path for one in facts} & matched - idempotent)
        )
        results = [
            replace(one, unjudged=unjudged) if one.validator == "no_original" else one for one in again
        ]
        lead = Checks("after", self._validators(plan, choices, task))
        lead.collection(before, collection_facts(source[0]))
        there = {one.validator for one in results}
        results += [one for one in lead.results() if one.validator not in there | {"count"}]
        there = {one.validator for one in results}
        results += [
            Checked(
                one.name, "after", 0, (), (Finding("there are no originals to compare with"),), judged=False
            )
            for one in lead.validators
            if one.name not in there and one.name != "count"
        ]
        return results

    def recalled(
        self,
        plan: CollectionPlan,
        source: tuple[Namespace, Where],
        choices: Sequence[ComponentChoice],
        remembered: Remembered,
    ) -> list[Checked]:
        """What these validators find by what they remember, in all of a collection that was masked in place."""
        everything = replace(plan, scope=Scope())
        task = replace(self._task(everything, source[1], None, choices), again=False)
        return self._looked(everything, task, source[0], remembered)

    def _looked(
        self, plan: CollectionPlan, task: Verification, source: Namespace, remembered: Remembered | None
    ) -> list[Checked]:
        """What is found without originals."""
        extent = None if remembered is None else _asked(remembered.extent)
        task = replace(task, recalls=extent is not None)
        lead = Checks("after", self._validators(plan, task.validators, task))
        with Shares(task, self._processes(plan), self._stop) as shares:

            def show() -> None:
                self._show(plan, shares, self._pieces(plan, source), shown=True)

            if remembered is None or extent is None:
                show()
                return self._sampled(plan, task, added_up(shares.ask("results")))
            names = {one.name for one in lead.validators if one.remembers}
            _asked(lambda: recall(lead, names, shares, remembered, plan.documents, show))
            last_words = [one for one in lead.results() if one.validator in names]
            found = added_up([*shares.ask("results"), last_words])
            return with_extent(self._sampled(plan, task, found), names, extent)

    def _task(
        self,
        plan: CollectionPlan,
        source: Where,
        target: Where | None,
        choices: Sequence[ComponentChoice],
        left_out: LeftOut | None = None,
    ) -> Verification:
        return Verification(
            configuration=self._configuration,
            collection=self._configuration.collections.index(plan.file),
            keys=self.keys,
            source=source,
            target=target,
            validators=tuple(choices),
            query=plan.scope.query,
            limit=plan.scope.limit,
            left_out=left_out,
            salt=self._salt,
            registry=self._registry,
        )

    def _validators(
        self, plan: CollectionPlan, choices: Sequence[ComponentChoice], task: Verification
    ) -> list[Validator]:
        return validators(self._registry, choices, "after", plan.facts, task.key)

    def _processes(self, plan: CollectionPlan, look: Look | None = None) -> int:
        if plan.scope.limit is not None:
            return 1  # several could not know which of them comes to it
        documents = plan.documents if self._sample is None else self._sample
        if look is not None and look.pieces is not None:
            documents = look.documents
        return max(1, min(self._most, documents // _LEAST_EACH))

    def _look(
        self, plan: CollectionPlan, task: Verification, pieces: Iterable[Piece], look: Look | None = None
    ) -> tuple[Checks, list[Checked]]:
        """All rounds; the leading validators, and what the others found."""
        lead = Checks("after", self._validators(plan, task.validators, task))
        with Shares(task, self._processes(plan, look), self._stop) as shares:
            shown = True
            while True:
                self._show(plan, shares, pieces, shown=shown)
                joined = lead.join(shares.ask("gathered"))
                wanting = lead.next_round(joined).union(*shares.ask("next_round", joined))
                if not wanting:
                    break
                shares.ask("show", wanting)
                lead.show(wanting)
                shown = False
            return lead, self._sampled(plan, task, added_up(shares.ask("results")))

    def _show(self, plan: CollectionPlan, shares: Shares, pieces: Iterable[Piece], *, shown: bool) -> None:
        """`shown`: the documents of this round count, and people hear of them."""
        seen = 0

        def done(documents: int) -> None:
            nonlocal seen
            seen += documents
            if shown:
                self._emit(VerificationProgress(plan.namespace, seen, plan.documents))

        shares.pieces(pieces, done)
        if shown:
            self._read = seen

    def _concluded(self, lead: Checks, results: list[Checked]) -> list[Checked]:
        lead.conclude(self._earlier)
        for one in lead.validators:
            self._earlier.setdefault(one.name, []).append(one)
        by_name = {one.validator: one for one in results}
        found = [by_name.get(one.name) for one in lead.validators]
        own = {one.validator: one for one in lead.results()}
        together: list[Checked] = []
        for name, of_shares in zip([one.name for one in lead.validators], found, strict=True):
            parts = [one for one in (of_shares, own.get(name)) if one is not None]
            if parts:
                together += added_up([[one] for one in parts])
        return together

    def _sampled(self, plan: CollectionPlan, task: Verification, results: list[Checked]) -> list[Checked]:
        """With what the documents are a sample of."""
        if self._sample is None or task.vault is not None:
            return results
        return [replace(one, of=plan.documents) if one.checked else one for one in results]

    def _pieces(self, plan: CollectionPlan, source: Namespace) -> list[Piece]:
        return pieces_of(plan, source, self._sample, self._most)


def _asked(ask: Callable[[], _Answer]) -> _Answer:
    try:
        return ask()
    except PyMongoError as error:
        raise terminal_error(error, "asking the ledger for what is remembered of originals") from None
