"""A run: collections one after the other, partitions through the executor, verification, and its end.

Whatever ends it, what is in flight is settled, observers are told, and there is a report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import PyMongoError

import phimask
from phimask.config.model import Configuration
from phimask.engine.announce import Announcer
from phimask.engine.breaker import CircuitBreaker
from phimask.engine.canary import CanaryWatch
from phimask.engine.checking import Checked, Checks
from phimask.engine.commit import Committer
from phimask.engine.control import StopSignal
from phimask.engine.partition import Means, PartitionLoop
from phimask.engine.verification import count_in_place, verify_copy
from phimask.errors import FindingsError, Interrupted, PhimaskError, SafeStop
from phimask.masking.unmapped import Unmapped
from phimask.observing.report import ReportBuilder, Status, without_ids
from phimask.planning.binding import core
from phimask.planning.conditions import Conditions
from phimask.planning.plan import CollectionPlan
from phimask.plugins.events import (
    BatchFinished,
    BreakerTripped,
    CollectionFinished,
    CollectionStarted,
    Event,
    FindingMade,
    RunFinished,
    RunStarted,
    Warned,
)
from phimask.plugins.interfaces import Control, Validator
from phimask.plugins.registry import Registry
from phimask.plugins.values import DocumentId, Finding, Totals
from phimask.store.raw import extended_json
from phimask.store.retry import terminal_error


@dataclass(slots=True)
class Counts:
    """Documents of one collection so far."""

    read: int = 0
    written: int = 0
    unchanged: int = 0
    missing: int = 0
    quarantined: dict[DocumentId, str] = field(default_factory=dict)

    def add(self, event: BatchFinished) -> None:
        """One more batch."""
        self.read += event.documents
        self.written += event.written
        self.unchanged += event.unchanged
        self.missing += event.missing

    def totals(self) -> Totals:
        """For validators."""
        return Totals(self.read, self.written, self.unchanged, len(self.quarantined), self.missing)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's report, and the error that ended it or that verification came to; None: done and verified."""

    report: dict[str, Any]
    error: PhimaskError | None


class Run:
    """Masks what plans describe, and reports, whatever happens."""

    def __init__(self, configuration: Configuration, registry: Registry, stop: StopSignal) -> None:
        profile = configuration.profile
        self._configuration = configuration
        self._profile = profile
        self._registry = registry
        self._stop = stop
        self._report = ReportBuilder()
        observers = [registry.create("observer", one.name, one.options) for one in profile.observers]
        self._tell = Announcer(self._report, observers)
        self._breaker = CircuitBreaker(
            profile.breaker, lambda reason, detail: self._tell(BreakerTripped(reason, detail))
        )
        self._canary = CanaryWatch(profile.canary) if profile.canary else None
        self._governor = registry.create(
            "memory_governor", profile.memory_governor.name, profile.memory_governor.options
        )

    def mask(self, plans: Sequence[CollectionPlan], run_id: str, key_fingerprint: str | None) -> Outcome:
        """Mask and verify every collection. The only errors that come out are faults of the program itself."""
        self._report.begin(
            run_id=run_id,
            profile=self._profile.name,
            version=phimask.__version__,
            config_digest=self._configuration.digest,
            key_fingerprint=key_fingerprint,
        )
        self._tell(RunStarted(run_id, self._profile.name, tuple(plan.namespace for plan in plans)))
        status: Status = "failed"
        error: PhimaskError | None = None
        reason = None
        try:
            self._collections(plans)
            status = "completed"
        except FindingsError as findings:
            status, error = "completed", findings
        except (SafeStop, Interrupted) as stopped:
            status, error, reason = "stopped", stopped, str(stopped)
        except PhimaskError as failure:
            error, reason = failure, str(failure)
        except PyMongoError as failure:
            error = terminal_error(failure, "masking")
            reason = str(error)
        finally:
            report = self._report.finish(status, reason)
            self._tell(RunFinished(status, without_ids(report)))
            self._tell.close()
        return Outcome(report, error)

    def _collections(self, plans: Sequence[CollectionPlan]) -> None:
        found = 0
        for plan in plans:
            found += self._collection(plan)
            if self._stop.stopping:
                raise Interrupted("interrupted; every batch that was begun is finished")
        if found:
            raise FindingsError(f"done, but verification found something: {found} finding(s), see the report")

    def _collection(self, plan: CollectionPlan) -> int:
        """One collection; answers with the number of findings."""
        target = str(plan.target) if plan.target else None
        rules = [(rule.path, rule.masker.name) for rule in plan.rules]
        ceiling = self._governor.read().ceiling_bytes
        self._report.collection(plan.namespace, target, rules, plan.documents, ceiling)
        self._report.complexity(plan.namespace, plan.scan.classes)
        self._tell(CollectionStarted(plan.namespace, target, plan.documents, plan.bytes))
        for warning in plan.warnings:
            self._tell(Warned(warning))
        counts = Counts()
        validators = [
            self._registry.create("validator", one.name, one.options, rules=plan.facts)
            for one in self._profile.validators
        ]
        during = Checks("during", validators)
        results: list[Checked] = []
        try:
            self._work(plan, during, counts)
            if not self._stop.stopping:
                results = self._after(plan, validators, counts)
        finally:
            found = self._conclude(plan, during.results() + results, counts)
        return found

    def _work(self, plan: CollectionPlan, during: Checks, counts: Counts) -> None:
        profile, registry = self._profile, self._registry
        unmapped = _unmapped(plan)
        if unmapped is not None:
            unmapped.seen.clear()  # the plan's sample went through it too
        source = plan.source.raw()
        target = None if plan.target is None else plan.target.raw()

        def emit(event: Event) -> None:
            if isinstance(event, BatchFinished):
                counts.add(event)
            self._tell(event)

        loop = PartitionLoop(
            Means(
                plan=plan,
                source=source,
                committer=Committer(
                    source,
                    target,
                    core(plan.file, plan.rules),
                    during,
                    profile.check_sample,
                    drift=unmapped if plan.file.unmapped == "halt" else None,
                    conditions=Conditions(plan.rules),
                ),
                sizer=registry.create("batch_sizer", profile.batch_sizer.name, profile.batch_sizer.options),
                governor=self._governor,
                breaker=self._breaker,
                canary=self._canary,
                retry=profile.retry,
                stop=self._stop,
                emit=emit,
                quarantine=counts.quarantined.__setitem__,
                remaining=plan.scope.limit,
            )
        )
        executor = registry.create("executor", profile.executor.name, profile.executor.options)
        executor.run(_InTurn(plan, loop), self._stop, self._tell)

    def _after(self, plan: CollectionPlan, validators: Sequence[Validator], counts: Counts) -> list[Checked]:
        checks = Checks("after", validators)
        source = plan.source.raw()
        if plan.target is None:
            results, came_after = count_in_place(plan, source, counts.totals(), checks)
            if came_after:
                self._tell(
                    Warned(
                        f"{plan.namespace}: {came_after} documents were inserted beyond the last _id after the run "
                        "began; they are not masked"
                    )
                )
            return results
        target = plan.target.raw()
        return verify_copy(plan, source, target, checks, counts.quarantined, self._tell, self._stop)

    def _conclude(self, plan: CollectionPlan, results: Sequence[Checked], counts: Counts) -> int:
        """Tell what was found and how the collection ended. Quarantined documents are a finding too: in place,
        they are stored unmasked."""
        if counts.quarantined:
            left = "documents left unmasked" if plan.target is None else "documents not copied"
            finding = Finding(f"{left} (quarantined)", None, len(counts.quarantined))
            results = [*results, Checked("quarantine", "during", counts.read, (finding,))]
        for one in results:
            self._report.verified(plan.namespace, one.validator, one.phase, one.checked, one.findings)
            for finding in one.findings:
                self._tell(
                    FindingMade(
                        plan.namespace, one.validator, one.phase, finding.what, finding.path, finding.count
                    )
                )
        unmapped = _unmapped(plan)
        if unmapped is not None:
            self._report.unmapped(plan.namespace, unmapped.seen)
        for found in counts.quarantined:
            self._report.quarantined(plan.namespace, extended_json(found))
        self._tell(CollectionFinished(plan.namespace, self._report.entry(plan.namespace)))
        return sum(len(one.findings) for one in results)


class _InTurn:
    """The phimask.Job of a run without a ledger: partitions one after the other, in one worker."""

    partitions = 1

    def __init__(self, plan: CollectionPlan, loop: PartitionLoop) -> None:
        self._plan = plan
        self._loop = loop

    def work(self, worker: str, control: Control, tell: Callable[[Event], None]) -> None:  # noqa: ARG002
        """See phimask.Job."""
        remaining = iter(self._plan.partitions())
        # Asked before the next partition is, since finding it costs a query.
        while not control.stopping:
            partition = next(remaining, None)
            if partition is None:
                return
            self._loop.run(partition)

    def abandon(self, worker: str) -> None:
        """See phimask.Job: there is nobody else to take anything over."""


def _unmapped(plan: CollectionPlan) -> Unmapped | None:
    """The rule that sees what no other rule names, where the collection file asks for it."""
    masker = plan.rules[0].masker if plan.rules else None
    return masker if isinstance(masker, Unmapped) else None
