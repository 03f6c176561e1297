"""One collection of a run: partitions through the ledger and the executor, verification, and what became of it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loguru import logger
from pymongo.errors import PyMongoError

from phimask.config.model import Configuration
from phimask.engine.afterwards import Afterwards
from phimask.engine.checking import Checked
from phimask.engine.collection_facts import as_it_was
from phimask.engine.control import StopSignal
from phimask.engine.cutting import Cutting
from phimask.engine.deployments import Deployments
from phimask.engine.indexes import Away
from phimask.engine.job import MaskingJob
from phimask.engine.remembering import why_nothing
from phimask.engine.shadow import Shadow, not_swapped
from phimask.engine.verification import Verifier
from phimask.errors import StoreError
from phimask.ledger.indexes import KeptIndexes
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.remembered import Remembered
from phimask.ledger.run_record import RunRecord, process_lives
from phimask.ledger.runs import Runs
from phimask.masking.keys import MaskingKey
from phimask.observing.collection_entry import MOST_IDS
from phimask.observing.report import ReportBuilder
from phimask.observing.tally import Tally
from phimask.planning.components import remembering
from phimask.planning.plan import CollectionPlan, reported_rules
from phimask.planning.prediction import predict
from phimask.plugins.events import CollectionFinished, CollectionStarted, Event, FindingMade, Warned
from phimask.plugins.registry import Registry
from phimask.plugins.values import Finding, Partition
from phimask.store.raw import extended_json
from phimask.store.retry import error_name
from phimask.store.source import CollectionSource


@dataclass(frozen=True, slots=True)
class RunMeans:
    """What all collections of a run are masked and verified with. `ceiling`: the memory governor's."""

    configuration: Configuration
    registry: Registry
    keys: tuple[MaskingKey, ...]
    deployments: Deployments
    stop: StopSignal
    tell: Callable[[Event], None]
    report: ReportBuilder
    verifier: Verifier
    ceiling: int | None


class CollectionRun:
    """Masks what one plan describes, the `position`-th of the configuration. `trouble` says what has become of a
    collection that is not the one any more that was planned for; `still_mine` raises where another coordinator has
    the run."""

    def __init__(
        self,
        means: RunMeans,
        record: RunRecord,
        position: int,
        plan: CollectionPlan,
        shadow: Shadow | None,
        trouble: Callable[[], str | None],
        still_mine: Callable[[], None],
    ) -> None:
        self._means = means
        self._profile = means.configuration.profile
        self._tell = means.tell
        self._report = means.report
        self._record = record
        self._position = position
        self._plan = plan
        self._shadow = shadow
        self._trouble = trouble
        self._still_mine = still_mine
        ledger = means.deployments.ledger
        self._runs = Runs(ledger)
        self._partitions = Partitions(ledger, record.id, plan.namespace)
        self._quarantine = Quarantine(ledger, record.id, plan.namespace)
        self._kept = KeptIndexes(ledger, record.id)
        self._away = Away(plan, self._kept, means.report, self._warn)

    def mask(self) -> int:
        """All of it; how many findings there were. Raises PhimaskError's kinds and PyMongo's errors."""
        self._announce()
        shadow, results = self._shadow, list[Checked]()
        failing = True
        try:
            results = self._masked_and_verified()
            failing = False
        finally:
            self._away.mind(self._record.id, resumable=self._record.journal)
            if shadow is not None:
                self._report.shadow(self._plan.namespace, shadow.entry())
            with _unless_answered(failing):
                tally = self._partitions.tally()
                if shadow is not None:
                    tally.add_values(shadow.caught_up)
                    results = [*results, *shadow.lost]
                found = self._conclude(results, tally)
        if shadow is not None:
            self._mind_the_name(shadow, found)
        return found

    def _mind_the_name(self, shadow: Shadow, found: int) -> None:
        """Raises StoreError where the shadow was to have it, and has it not, or not all that was written."""
        if shadow.lost:
            raise StoreError(
                f"{self._plan.namespace}: its shadow has its name, but not all that was written in the moment of the "
                f"swap is in it; see the report, and end the run with `phimask finalize {self._record.id}`"
            )
        if not shadow.swapped and not self._means.stop.stopping:
            said = f"verification found something ({found} finding(s), see the report)"
            raise StoreError(not_swapped(self._plan.namespace, self._record.id, said))

    def _announce(self) -> None:
        plan, report = self._plan, self._report
        target = str(plan.target) if plan.target else None
        path = "copy" if plan.target is not None else plan.write_path.path
        report.collection(
            plan.namespace, target, reported_rules(plan), plan.documents, self._means.ceiling, path
        )
        classifier = plan.scan.classifier
        check = None if classifier is None else classifier.check.report()
        report.complexity(plan.namespace, plan.scan.classes, check)
        if plan.scan.documents:
            report.predicted(plan.namespace, predict(plan, self._profile).as_data())
        done = self._partitions.tally().read
        self._tell(CollectionStarted(plan.namespace, target, plan.documents, plan.bytes, done))
        for warning in plan.warnings:
            self._warn(warning)

    def _masked_and_verified(self) -> list[Checked]:
        """What verification came to; nothing where a stop was asked for."""
        plan, shadow = self._plan, self._shadow
        if shadow is not None and shadow.swapped:  # by a coordinator before this one
            return shadow.results
        if shadow is not None:
            shadow.begin()
        away = self._kept.waiting(plan.namespace)
        before = as_it_was(plan.namespace, plan.preflight.indexes, away, expiring=plan.shadow is None)
        if self._indexes_are_to_go():
            self._away.take()
        self._work()
        lost = self._trouble()
        if lost is not None:
            raise StoreError(lost)
        if self._means.stop.stopping:
            return []
        self._away.bring_back()
        means = self._means
        afterwards = Afterwards(
            plan,
            self._record,
            self._profile,
            means.registry,
            means.deployments,
            means.verifier,
            before,
            self._warn,
        )
        if shadow is None:
            return afterwards.verify(self._partitions.tally())
        during = self._everything((), self._partitions.tally())
        return shadow.bring_in(afterwards.shadow(), self._still_mine, during)

    def _indexes_are_to_go(self) -> bool:
        """Unless an earlier coordinator came as far as to build them again."""
        if self._plan.target is not None or self._profile.write.indexes != "rebuild":
            return False
        cut = self._runs.is_cut(self._record.id, self._plan.namespace)
        return not cut or bool(self._partitions.left())

    def _work(self) -> None:
        self._free_the_dead()
        cutting = self._cut()
        plan, means, record = self._plan, self._means, self._record
        job = MaskingJob(
            run=record.id,
            configuration=means.configuration,
            collection=self._position,
            keys=means.keys,
            source=means.deployments.of_source(plan.source),
            target=means.deployments.of_target(plan.target),
            ledger=means.deployments.of_ledger(),
            query=plan.scope.query,
            uuid=plan.preflight.uuid,
            projection=plan.reads,
            classifier=plan.scan.classifier,
            path=plan.write_path.path,
            mean_bytes=plan.bytes / plan.documents if plan.documents else 0.0,
            guard=record.guard,
            journal=record.journal,
            vault=record.vault is not None,
            remembers=self._remembers(),
            salt=secrets.token_bytes(32) if record.salt is None else record.salt,
            partitions=self._workers_of_use(cutting),
            limit=plan.scope.limit,
            registry=means.registry,
        )
        chosen = self._profile.executor
        executor = means.registry.create("executor", chosen.name, chosen.options)
        try:
            executor.run(job, means.stop, self._tell)
        finally:
            if cutting is not None:
                cutting.settle()

    def _workers_of_use(self, cutting: Cutting | None) -> int | None:
        """As many as there are partitions left, if that is known; with a limit one, since each would count for
        itself."""
        if self._plan.scope.limit is not None:
            return 1
        return self._partitions.left() if cutting is None else cutting.left()

    def _remembers(self) -> bool:
        """Whether validators are to remember originals, since nothing else keeps them."""
        plan, means = self._plan, self._means
        if plan.target is not None or self._record.vault is not None:
            return False
        chosen = remembering(means.registry, self._profile.validators)
        wanted = bool(chosen) and why_nothing(plan, means.keys) is None
        remembered = Remembered(means.deployments.ledger, self._record.id, plan.namespace)
        remembered.begin(wanted=wanted, begun=self._partitions.touched())
        return wanted

    def _cut(self) -> Cutting | None:
        """Have partitions entered, those that an earlier coordinator did not come to; None: all are there."""
        plan, run = self._plan, self._record.id
        if self._runs.is_cut(run, plan.namespace):
            return None
        last = self._partitions.last()
        ranges: Iterator[Partition] = plan.partitions()
        if last is not None and plan.partitioner is not None and plan.indexed is not None:
            rest = CollectionSource(plan.source.raw(), after=last[1], retry=self._profile.retry)
            rest.end_at(plan.indexed.last_id())
            ranges = iter(()) if last[1] == rest.last_id() else plan.partitioner.partitions(rest)
        cutting = Cutting(
            self._partitions,
            self._runs,
            run,
            plan.namespace,
            self._means.stop,
            ranges,
            0 if last is None else last[0] + 1,
            self._profile.retry,
        )
        cutting.start()
        return cutting

    def _free_the_dead(self) -> None:
        """End the leases of workers that are known to be gone from this machine."""
        workers = self._means.deployments.ledger.workers
        for one in workers.find({"_id.run": self._record.id}):
            if one["host"] == self._record.host and not process_lives(one["pid"], one["started"]):
                self._partitions.abandon(one["_id"]["worker"])
                workers.delete_one({"_id": one["_id"]})

    def _conclude(self, results: Sequence[Checked], tally: Tally) -> int:
        """Tell what was found and how the collection ended. Quarantined documents are a finding too: in place,
        they are stored unmasked."""
        namespace = self._plan.namespace
        everything = self._everything(results, tally)
        self._report.settle(namespace, tally)
        for one in everything:
            self._report.verified(
                namespace,
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
                        namespace, one.validator, one.phase, finding.what, finding.path, finding.count
                    )
                )
        for found, _ in self._quarantine.listed(MOST_IDS):
            self._report.quarantined(namespace, extended_json(found))
        self._tell(CollectionFinished(namespace, self._report.entry(namespace)))
        return sum(len(one.findings) for one in everything)

    def _everything(self, results: Sequence[Checked], tally: Tally) -> list[Checked]:
        during = [
            Checked(one.name, "during", tally.checked[one.name], tally.found(one.name))
            for one in self._profile.validators
            if tally.checked[one.name] or tally.found(one.name)
        ]
        everything = [*during, *results]
        if tally.quarantined:
            left = "documents left unmasked" if self._plan.target is None else "documents not copied"
            finding = Finding(f"{left} (quarantined)", None, tally.quarantined)
            everything.append(Checked("quarantine", "during", tally.read, (finding,)))
        return everything

    def _warn(self, message: str) -> None:
        self._tell(Warned(message))


@contextlib.contextmanager
def _unless_answered(failing: bool) -> Iterator[None]:
    """Where something else ends the run already, a ledger that does not answer, either, is not what ended it."""
    try:
        yield
    except PyMongoError as error:
        if not failing:
            raise
        logger.warning("what the ledger counted is missing in the report: {}", error_name(error))
