"""A run: collections one after the other, partitions through the ledger and the executor, verification, and its end.

Whatever ends it, what is in flight is settled, observers are told, and there is a report.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from loguru import logger
from pymongo.errors import PyMongoError

import phimask
from phimask.config.model import Configuration, Secret
from phimask.engine.announce import Announcer
from phimask.engine.beginning import accepted
from phimask.engine.catching_up import Verify
from phimask.engine.checking import Checked, Checks
from phimask.engine.collection_facts import as_it_was, collection_facts
from phimask.engine.control import StopSignal
from phimask.engine.coordinator import Coordinator
from phimask.engine.cutting import Cutting
from phimask.engine.indexes import bring_back, take_away
from phimask.engine.job import MaskingJob, Where
from phimask.engine.recording import Recorder
from phimask.engine.shadow import Shadow, not_swapped
from phimask.engine.throttle import Throttle
from phimask.engine.unsettled import Unsettled
from phimask.engine.verification import Look, Originals, Verifier, processes_for, stored_in_place
from phimask.errors import FindingsError, Interrupted, PhimaskError, SafeStop, StoreError, VaultError
from phimask.ledger.indexes import KeptIndexes
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.runs import RunRecord, Runs, State, process_lives
from phimask.ledger.series import RunSeries
from phimask.masking.keys import MaskingKey
from phimask.observing.alerting import Alerting
from phimask.observing.report import ReportBuilder, Status, without_ids
from phimask.observing.series import Series
from phimask.observing.software import software
from phimask.observing.tally import Tally
from phimask.planning.components import validators
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan, reported_rules
from phimask.planning.prediction import predict
from phimask.planning.preflight import gone
from phimask.plugins.events import (
    CollectionFinished,
    CollectionStarted,
    FindingMade,
    RunFinished,
    RunStarted,
    Warned,
)
from phimask.plugins.interfaces import Observer
from phimask.plugins.registry import Registry
from phimask.plugins.values import CollectionFacts, DocumentId, Finding, Partition
from phimask.store.raw import extended_json
from phimask.store.retry import error_name, terminal_error
from phimask.store.source import CollectionSource

NOT_READ: Final = "the vault cannot be read, so that nothing could be compared with what it holds"


@dataclass(frozen=True, slots=True)
class Deployments:
    """The connection strings of what a run works with, and the ledger, opened."""

    source: Secret
    target: Secret | None
    ledger_uri: Secret
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's report, and the error that ended it or that verification came to; None: done and verified."""

    report: dict[str, Any]
    error: PhimaskError | None


class Run:
    """Masks what plans describe, and reports, whatever happens. `observers` are told beside the profile's."""

    def __init__(
        self,
        configuration: Configuration,
        registry: Registry,
        keys: tuple[MaskingKey, ...],
        deployments: Deployments,
        stop: StopSignal,
        *,
        most_seconds: float | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        profile = configuration.profile
        self._configuration = configuration
        self._profile = profile
        self._registry = registry
        self._keys = keys
        self._deployments = deployments
        self._ledger = deployments.ledger
        self._runs = Runs(deployments.ledger)
        self._stop = stop
        self._most_seconds = most_seconds
        self._report = ReportBuilder()
        observers = [
            *observers,
            *(registry.create("observer", one.name, one.options) for one in profile.observers),
        ]
        self._series = Series(time.monotonic)
        self._tell = Announcer(self._report, self._series, observers, Alerting(profile.alerts))
        self._shadows: dict[str, Shadow] = {}
        self._validators = [one.name for one in profile.validators]
        self._verifier = Verifier(
            configuration, registry, keys, self._tell, stop, processes_for(profile), profile.check_after
        )
        self._ceiling = (
            registry.create("memory_governor", profile.memory_governor.name, profile.memory_governor.options)
            .read()
            .ceiling_bytes
        )

    def mask(self, plans: Sequence[CollectionPlan], record: RunRecord, epoch: int) -> Outcome:
        """Mask and verify every collection. The only errors that come out are faults of the program itself.

        `epoch` is the number under which this coordinator has the run.
        """
        self._report.begin(
            run_id=record.id,
            profile=self._profile.name,
            version=phimask.__version__,
            config_digest=self._configuration.digest,
            key_fingerprint=record.key_fingerprint,
            started=record.created,
            resumed=epoch - 1,
            software=software(plans[0].preflight.server if plans else None),
            accepted=accepted(plans, record.accepted),
        )
        self._tell(RunStarted(record.id, self._profile.name, tuple(plan.namespace for plan in plans)))
        status: Status = "failed"
        state: State = "failed"
        error: PhimaskError | None = None
        throttle = self._throttle(plans)
        coordinator = Coordinator(
            self._runs,
            record.id,
            epoch,
            self._stop,
            self._tell,
            throttle=throttle,
            still_there=lambda: self._any_trouble(plans),
            most_seconds=self._most_seconds,
            record=Recorder(self._series, RunSeries(self._ledger, record.id), epoch),
        )
        try:
            self._shadows = {
                plan.namespace: Shadow(
                    plan, plan.shadow, self._runs, record.id, epoch, self._stop, self._profile.retry
                )
                for plan in plans
                if plan.shadow is not None
            }
            with coordinator:
                self._collections(plans, record, coordinator)
            status = state = "completed"
        except FindingsError as findings:
            status, state, error = "completed", "completed", findings
        except SafeStop as stopped:
            status, state, error = "stopped", "stopped", stopped
        except Interrupted as stopped:
            error = coordinator.why_stopped(stopped)  # a worker only knows that it was told to end
            if isinstance(error, SafeStop | Interrupted):
                status = state = "stopped"
        except PhimaskError as failure:
            error = failure
        except PyMongoError as failure:
            error = terminal_error(failure, "masking")
        finally:
            for shadow in self._shadows.values():
                shadow.close()
            reason = None if error is None or status == "completed" else str(error)
            report = self._report.finish(status, reason)
            if record.vault is not None:
                report["undo"] = {"state": "kept", "at": report["finished"]}
            self._tell(RunFinished(status, without_ids(report)))
            error = self._enter_end(coordinator, record, state, report, error)
            self._tell.close()  # may wait for observers' last words, so the ledger knows already
            report["warnings"] = self._report.warnings
        return Outcome(report, error)

    def _any_trouble(self, plans: Sequence[CollectionPlan]) -> str | None:
        """What has become of a collection that is no longer the one that was planned for; None: all are there."""
        for plan in plans:
            shadow = self._shadows.get(plan.namespace)
            said = gone(plan.source, plan.preflight.uuid) if shadow is None else shadow.trouble()
            if said is not None:
                return said
        return None

    def _throttle(self, plans: Sequence[CollectionPlan]) -> Throttle | None:
        """What holds the run up out of regard for others who use the deployment that is written to."""
        if not plans:
            return None
        target = plans[0].target
        client = plans[0].source.client if target is None else target.client
        heartbeat = Ledger(client, self._ledger.database, self._ledger.prefix).named("heartbeat")
        return Throttle(
            self._profile.throttle,
            client,
            heartbeat,
            uri=self._deployments.target if target and self._deployments.target else self._deployments.source,
            directory=self._configuration.project.directory,
        )

    def _enter_end(
        self,
        coordinator: Coordinator,
        record: RunRecord,
        state: State,
        report: dict[str, Any],
        error: PhimaskError | None,
    ) -> PhimaskError | None:
        """Note it in the ledger. What ended the run says more than that the ledger then did not answer, either."""
        try:
            touched = any(Partitions(self._ledger, record.id, pin.namespace).touched() for pin in record.pins)
            coordinator.end(state, report, touched=touched)
        except PyMongoError as failure:
            unnoted = terminal_error(failure, f"noting the end of run {record.id} in the ledger")
            if error is None or isinstance(error, FindingsError):
                return unnoted
            logger.warning("{}", unnoted)
        return error

    def _collections(
        self, plans: Sequence[CollectionPlan], record: RunRecord, coordinator: Coordinator
    ) -> None:
        found = 0
        for position, plan in enumerate(plans):
            found += self._collection(position, plan, record, coordinator)
            if self._stop.stopping:
                raise coordinator.why_stopped()
        if found:
            raise FindingsError(f"done, but verification found something: {found} finding(s), see the report")

    def _collection(
        self, position: int, plan: CollectionPlan, record: RunRecord, coordinator: Coordinator
    ) -> int:
        """One collection; answers with the number of findings."""
        target = str(plan.target) if plan.target else None
        path = "copy" if plan.target is not None else plan.write_path.path
        self._report.collection(
            plan.namespace, target, reported_rules(plan), plan.documents, self._ceiling, path
        )
        classifier = plan.scan.classifier
        check = None if classifier is None else classifier.check.report()
        self._report.complexity(plan.namespace, plan.scan.classes, check)
        if plan.scan.documents:
            self._report.predicted(plan.namespace, predict(plan, self._profile).as_data())
        partitions = Partitions(self._ledger, record.id, plan.namespace)
        done = partitions.tally().read
        self._tell(CollectionStarted(plan.namespace, target, plan.documents, plan.bytes, done))
        for warning in plan.warnings:
            self._tell(Warned(warning))
        quarantine = Quarantine(self._ledger, record.id, plan.namespace)
        results: list[Checked] = []
        shadow = self._shadows.get(plan.namespace)
        failing = True
        try:
            if shadow is not None and shadow.swapped:  # by a coordinator before this one
                results = shadow.results
            else:
                if shadow is not None:
                    shadow.begin()
                away = KeptIndexes(self._ledger, record.id).waiting(plan.namespace)
                before = as_it_was(plan.namespace, plan.preflight.indexes, away, expiring=plan.shadow is None)
                self._take_indexes_away(plan, record, partitions)
                self._work(position, plan, record, partitions)
                lost = self._any_trouble([plan])
                if lost is not None:
                    raise StoreError(lost)
                if not self._stop.stopping:
                    self._bring_indexes_back(plan, record)
                    if shadow is None:
                        results = self._after(plan, record, before, partitions.tally(), quarantine)
                    else:
                        during = _everything(plan, self._validators, (), partitions.tally())
                        verify = self._verify_shadow(plan, record, before, quarantine)
                        results = shadow.bring_in(verify, coordinator.still_mine, during)
            failing = False
        finally:
            self._mind_indexes(plan, record)
            if shadow is not None:
                self._report.shadow(plan.namespace, shadow.entry())
            with _unless_answered(failing):
                tally = partitions.tally()
                if shadow is not None:
                    tally.add_values(shadow.caught_up)
                    results = [*results, *shadow.lost]
                found = self._conclude(plan, results, tally, quarantine)
        if shadow is not None and shadow.lost:
            raise StoreError(
                f"{plan.namespace}: its shadow has its name, but not all that was written in the moment of the swap is "
                f"in it; see the report, and end the run with `phimask finalize {record.id}`"
            )
        if shadow is not None and not shadow.swapped and not self._stop.stopping:
            said = f"verification found something ({found} finding(s), see the report)"
            raise StoreError(not_swapped(plan.namespace, record.id, said))
        return found

    def _take_indexes_away(self, plan: CollectionPlan, record: RunRecord, partitions: Partitions) -> None:
        if plan.target is not None or self._profile.write.indexes != "rebuild":
            return
        states = partitions.states()
        if self._runs.is_cut(record.id, plan.namespace) and not (states["open"] or states["leased"]):
            return  # an earlier coordinator came as far as to build them again
        kept = KeptIndexes(self._ledger, record.id)
        names = take_away(plan.source, plan.rules, plan.preflight.uuid, kept)
        if names:
            logger.info("indexes of {} that are dropped meanwhile: {}", plan.namespace, ", ".join(names))

    def _bring_indexes_back(self, plan: CollectionPlan, record: RunRecord) -> None:
        kept = KeptIndexes(self._ledger, record.id)
        start = time.perf_counter()
        built = bring_back(
            plan.source.client, kept, plan.namespace, warn=lambda message: self._tell(Warned(message))
        )
        for names in built.values():
            self._report.indexes_rebuilt(plan.namespace, names, time.perf_counter() - start)

    def _mind_indexes(self, plan: CollectionPlan, record: RunRecord) -> None:
        """Of a run that ends early: what was dropped waits for whoever goes on with it, if anybody can."""
        with contextlib.suppress(PyMongoError):
            kept = KeptIndexes(self._ledger, record.id)
            if not record.journal:
                with contextlib.suppress(StoreError):
                    self._bring_indexes_back(plan, record)
            missing = [one.name for one in kept.waiting(plan.namespace)]
            if missing:
                self._report.indexes_missing(plan.namespace, missing)
                self._tell(
                    Warned(
                        f"{plan.namespace}: indexes that were dropped are not there again yet: {', '.join(missing)}; "
                        f"`phimask resume {record.id}`, `phimask rollback` and `phimask finalize` build them"
                    )
                )

    def _work(self, position: int, plan: CollectionPlan, record: RunRecord, partitions: Partitions) -> None:
        self._free_the_dead(record, partitions)
        cutting = self._cut(plan, record, partitions)
        limit = plan.scope.limit
        job = MaskingJob(
            run=record.id,
            configuration=self._configuration,
            collection=position,
            keys=self._keys,
            source=Where(self._deployments.source, plan.source.database, plan.source.collection),
            target=None
            if plan.target is None or self._deployments.target is None
            else Where(self._deployments.target, plan.target.database, plan.target.collection),
            ledger=Where(self._deployments.ledger_uri, self._ledger.database, self._ledger.prefix),
            query=plan.scope.query,
            uuid=plan.preflight.uuid,
            projection=plan.reads,
            classifier=plan.scan.classifier,
            path=plan.write_path.path,
            mean_bytes=plan.bytes / plan.documents if plan.documents else 0.0,
            guard=record.guard,
            journal=record.journal,
            vault=record.vault is not None,
            salt=secrets.token_bytes(32) if record.salt is None else record.salt,
            partitions=_workers_of_use(cutting, limit),
            limit=limit,
            registry=self._registry,
        )
        executor = self._registry.create(
            "executor", self._profile.executor.name, self._profile.executor.options
        )
        try:
            executor.run(job, self._stop, self._tell)
        finally:
            if cutting is not None:
                cutting.settle()

    def _cut(self, plan: CollectionPlan, record: RunRecord, partitions: Partitions) -> Cutting | None:
        """Have partitions entered, those that an earlier coordinator did not come to; None: all are there."""
        if self._runs.is_cut(record.id, plan.namespace):
            return None
        last = partitions.last()
        ranges: Iterator[Partition] = plan.partitions()
        if last is not None and plan.partitioner is not None and plan.indexed is not None:
            rest = CollectionSource(plan.source.raw(), after=last[1], retry=self._profile.retry)
            rest.end_at(plan.indexed.last_id())
            ranges = iter(()) if last[1] == rest.last_id() else plan.partitioner.partitions(rest)
        cutting = Cutting(
            partitions,
            self._runs,
            record.id,
            plan.namespace,
            self._stop,
            ranges,
            0 if last is None else last[0] + 1,
            self._profile.retry,
        )
        cutting.start()
        return cutting

    def _free_the_dead(self, record: RunRecord, partitions: Partitions) -> None:
        """End the leases of workers that are known to be gone from this machine."""
        for one in self._ledger.workers.find({"_id.run": record.id}):
            if one["host"] == record.host and not process_lives(one["pid"], one["started"]):
                partitions.abandon(one["_id"]["worker"])
                self._ledger.workers.delete_one({"_id": one["_id"]})

    def _after(
        self,
        plan: CollectionPlan,
        record: RunRecord,
        before: CollectionFacts,
        tally: Tally,
        quarantine: Quarantine,
    ) -> list[Checked]:
        choices = self._profile.validators
        source = plan.source, Where(self._deployments.source, plan.source.database, plan.source.collection)
        left_out: set[DocumentId] = {found for found, _ in quarantine.listed()}
        if plan.target is None or self._deployments.target is None:
            stored, came_after = stored_in_place(plan, plan.source.raw(), tally.quarantined)
            if came_after:
                self._tell(
                    Warned(
                        f"{plan.namespace}: {came_after} documents were inserted beyond the last _id after the run "
                        "began; they are not masked"
                    )
                )
            totals = replace(tally.totals(), stored=stored)
            damaged: list[Checked] = []
            if record.vault is not None:
                ranges = Partitions(self._ledger, record.id, plan.namespace).ranges()
                partial = record.query is not None or record.limit is not None
                originals = Originals(record.id, ranges, frozenset(left_out), partial)
                try:
                    return self._verifier.kept(plan, source, choices, originals, before, totals)
                except VaultError as error:
                    self._tell(Warned(str(error)))
                    damaged.append(Checked("vault", "after", 0, (Finding(NOT_READ),)))
            checks = Checks("after", validators(self._registry, choices, "after", plan.facts))
            checks.totals(totals)
            checks.collection(before, collection_facts(plan.source))
            return [*checks.results(), *damaged]
        target = plan.target, Where(self._deployments.target, plan.target.database, plan.target.collection)
        return self._verifier.copy(plan, source, target, choices, left_out, None)

    def _verify_shadow(
        self, plan: CollectionPlan, record: RunRecord, before: CollectionFacts, quarantine: Quarantine
    ) -> Verify:
        uri, ledger = self._deployments.source, self._ledger
        kept = Where(self._deployments.ledger_uri, ledger.database, ledger.prefix)

        def verify(shadow: Namespace, look: Look | None) -> list[Checked]:
            since = None if look is None else look.since
            unsettled = None if since is None else Unsettled(kept, record.id, since)
            return self._verifier.copy(
                plan,
                (plan.source, Where(uri, plan.source.database, plan.source.collection)),
                (shadow, Where(uri, shadow.database, shadow.collection)),
                self._profile.validators,
                {found for found, _ in quarantine.listed()},
                before,
                look,
                unsettled,
            )

        return verify

    def _conclude(
        self,
        plan: CollectionPlan,
        results: Sequence[Checked],
        tally: Tally,
        quarantine: Quarantine,
    ) -> int:
        """Tell what was found and how the collection ended. Quarantined documents are a finding too: in place,
        they are stored unmasked."""
        everything = _everything(plan, self._validators, results, tally)
        self._report.settle(plan.namespace, tally)
        for one in everything:
            self._report.verified(
                plan.namespace,
                one.validator,
                one.phase,
                one.checked,
                one.findings,
                one.unjudged,
                one.affected,
                one.of,
                judged=one.judged,
            )
            for finding in one.findings:
                self._tell(
                    FindingMade(
                        plan.namespace, one.validator, one.phase, finding.what, finding.path, finding.count
                    )
                )
        for found, _ in quarantine.listed():
            self._report.quarantined(plan.namespace, extended_json(found))
        self._tell(CollectionFinished(plan.namespace, self._report.entry(plan.namespace)))
        return sum(len(one.findings) for one in everything)


@contextlib.contextmanager
def _unless_answered(failing: bool) -> Iterator[None]:
    """Where something else ends the run already, a ledger that does not answer, either, is not what ended it."""
    try:
        yield
    except PyMongoError as error:
        if not failing:
            raise
        logger.warning("what the ledger counted is missing in the report: {}", error_name(error))


def _workers_of_use(cutting: Cutting | None, limit: int | None) -> int | None:
    """As many as there are partitions, if that is known; with a limit one, since each would count for itself."""
    if limit is not None:
        return 1
    return None if cutting is None else cutting.count()


def _everything(
    plan: CollectionPlan, names: Sequence[str], results: Sequence[Checked], tally: Tally
) -> list[Checked]:
    during = [
        Checked(name, "during", tally.checked[name], tally.found(name))
        for name in names
        if tally.checked[name] or tally.found(name)
    ]
    everything = [*during, *results]
    if tally.quarantined:
        left = "documents left unmasked" if plan.target is None else "documents not copied"
        finding = Finding(f"{left} (quarantined)", None, tally.quarantined)
        everything.append(Checked("quarantine", "during", tally.read, (finding,)))
    return everything
