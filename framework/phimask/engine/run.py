"""A run: collections one after the other, the coordinator beside them, and its end.

Whatever ends it, what is in flight is settled, observers are told, and there is a report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from loguru import logger
from pymongo.errors import PyMongoError

import phimask
from phimask.config.model import Configuration
from phimask.engine.announce import Announcer
from phimask.engine.beginning import accepted
from phimask.engine.collection import CollectionRun, RunMeans
from phimask.engine.control import StopSignal
from phimask.engine.coordinator import Coordinator
from phimask.engine.deployments import Deployments
from phimask.engine.processes import processes_for
from phimask.engine.recording import Recorder
from phimask.engine.shadow import Shadow
from phimask.engine.throttle import Throttle
from phimask.engine.verification import Verifier
from phimask.errors import FindingsError, Interrupted, PhimaskError, SafeStop
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.run_record import RunRecord, State
from phimask.ledger.runs import Runs
from phimask.ledger.series import RunSeries
from phimask.log import describe_error
from phimask.masking.keys import MaskingKey
from phimask.observing.alerting import Alerting
from phimask.observing.report import ReportBuilder, Status, without_ids
from phimask.observing.series import Series
from phimask.observing.software import software
from phimask.planning.plan import CollectionPlan
from phimask.planning.preflight import gone
from phimask.plugins.events import (
    RunFinished,
    RunStarted,
)
from phimask.plugins.interfaces import Observer
from phimask.plugins.registry import Registry
from phimask.store.retry import terminal_error


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
            self._tell.end_alerts()
            reason = None if error is None or status == "completed" else str(error)
            report = self._report.finish(status, reason)
            if record.vault is not None:
                report["undo"] = {"state": "kept", "at": report["finished"]}
            self._tell(RunFinished(status, without_ids(report)))
            error = self._enter_end(coordinator, record, state, report, error)
            self._close(coordinator, report)
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

    def _close(self, coordinator: Coordinator, report: dict[str, Any]) -> None:
        """Close observers, which may take its time: the ledger knows of the end already, and learns afterwards what
        they said meanwhile."""
        self._tell.close()
        if report["warnings"] == self._report.warnings:
            return
        report["warnings"] = self._report.warnings
        try:
            coordinator.said_at_the_end(report["warnings"])
        except PyMongoError as failure:
            logger.warning("the report in the ledger lacks the last warnings: {}", describe_error(failure))

    def _collections(
        self, plans: Sequence[CollectionPlan], record: RunRecord, coordinator: Coordinator
    ) -> None:
        found = 0
        means = RunMeans(
            self._configuration,
            self._registry,
            self._keys,
            self._deployments,
            self._stop,
            self._tell,
            self._report,
            self._verifier,
            self._ceiling,
        )
        for position, plan in enumerate(plans):
            found += CollectionRun(
                means,
                record,
                position,
                plan,
                self._shadows.get(plan.namespace),
                partial(self._any_trouble, [plan]),
                coordinator.still_mine,
            ).mask()
            if self._stop.stopping:
                raise coordinator.why_stopped()
        if found:
            raise FindingsError(f"done, but verification found something: {found} finding(s), see the report")
