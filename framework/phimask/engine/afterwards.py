"""What is verified once a collection is masked: in place, in a target, in a shadow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from phimask.config.model import Profile
from phimask.engine.catching_up import Verify
from phimask.engine.checking import Checked, Checks
from phimask.engine.collection_facts import collection_facts
from phimask.engine.counting import stored_in_place
from phimask.engine.deployments import Deployments
from phimask.engine.left_out import LeftOut
from phimask.engine.originals import Originals
from phimask.engine.remembering import why_nothing
from phimask.engine.unsettled import Unsettled
from phimask.engine.verification import Look, Verifier
from phimask.errors import VaultError
from phimask.ledger.remembered import Remembered
from phimask.ledger.run_record import RunRecord
from phimask.observing.tally import Tally
from phimask.planning.components import remembering, validators
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.plugins.registry import Registry
from phimask.plugins.values import CollectionFacts, Finding

_LATER: Final = (
    "originals of collections that the run masks after this one: `phimask verify` looks for them here"
)
NOT_READ: Final = "the vault cannot be read, so that nothing could be compared with what it holds"


class Afterwards:
    """One collection's verification by the validators of the profile. `before`: the collection as it was; `warn` is
    told what a person should know."""

    def __init__(
        self,
        plan: CollectionPlan,
        record: RunRecord,
        profile: Profile,
        registry: Registry,
        deployments: Deployments,
        verifier: Verifier,
        before: CollectionFacts,
        warn: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._record = record
        self._choices = profile.validators
        self._registry = registry
        self._deployments = deployments
        self._verifier = verifier
        self._before = before
        self._warn = warn

    def verify(self, tally: Tally) -> list[Checked]:
        """In place, or in the target."""
        plan, target = self._plan, self._deployments.of_target(self._plan.target)
        if plan.target is None or target is None:
            return self._in_place(tally)
        source = plan.source, self._deployments.of_source(plan.source)
        return self._verifier.copy(plan, source, (plan.target, target), self._choices, self._left_out(), None)

    def shadow(self) -> Verify:
        """For a shadow, to be called in one look or in several."""
        plan, deployments = self._plan, self._deployments

        def verify(shadow: Namespace, look: Look | None) -> list[Checked]:
            since = None if look is None else look.since
            unsettled = None if since is None else Unsettled(deployments.of_ledger(), self._record.id, since)
            return self._verifier.copy(
                plan,
                (plan.source, deployments.of_source(plan.source)),
                (shadow, deployments.of_source(shadow)),
                self._choices,
                self._left_out(),
                self._before,
                look,
                unsettled,
            )

        return verify

    def _in_place(self, tally: Tally) -> list[Checked]:
        plan, record = self._plan, self._record
        stored, came_after = stored_in_place(plan, plan.source.raw(), tally.quarantined)
        if came_after:
            self._warn(
                f"{plan.namespace}: {came_after} documents were inserted beyond the last _id after the run began; "
                "they are not masked"
            )
        totals = replace(tally.totals(), stored=stored)
        damaged: list[Checked] = []
        if record.vault is not None:
            originals = Originals.of(self._deployments.ledger, record, plan.namespace, self._left_out())
            source = plan.source, self._deployments.of_source(plan.source)
            try:
                return self._verifier.kept(plan, source, self._choices, originals, self._before, totals)
            except VaultError as error:
                self._warn(str(error))
                damaged.append(Checked("vault", "after", 0, (Finding(NOT_READ),)))
        checks = Checks("after", validators(self._registry, self._choices, "after", plan.facts))
        checks.totals(totals)
        checks.collection(self._before, collection_facts(plan.source))
        return [*checks.results(), *damaged, *self._recalled()]

    def _recalled(self) -> list[Checked]:
        """What validators find by what they remember of originals."""
        plan, verifier = self._plan, self._verifier
        choices = remembering(self._registry, self._choices)
        if not choices or self._record.vault is not None:
            return []
        why = why_nothing(plan, verifier.keys)
        if why is not None:
            return [Checked(one.name, "after", 0, (), (Finding(why),), judged=False) for one in choices]
        source = plan.source, self._deployments.of_source(plan.source)
        remembered = Remembered(self._deployments.ledger, self._record.id, plan.namespace)
        results = verifier.recalled(plan, source, choices, remembered)
        names = [one.namespace for one in self._record.pins]
        later = names[names.index(plan.namespace) + 1 :]
        return [replace(one, unjudged=(*one.unjudged, *(Finding(_LATER),) * bool(later))) for one in results]

    def _left_out(self) -> LeftOut:
        return LeftOut.of(self._deployments, self._record.id, self._plan.namespace)
