"""The report: what a run did and what proves it, added up from events while the run goes on.

It is counts, names and times, as schemas/report.schema.json describes; the one exception is the quarantine list,
which a person needs to find the documents again, and which never goes to observers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, Final, Literal

from phimask.observing.alerts_told import AlertsTold
from phimask.observing.collection_entry import MOST_IDS, CollectionEntry, ReportedPath, ReportedRule
from phimask.observing.moments import iso
from phimask.observing.tally import Tally
from phimask.observing.verified import Verified
from phimask.plugins.events import (
    AlertRaised,
    BatchFinished,
    BreakerTripped,
    CollectionStarted,
    Event,
    Paused,
    Scaled,
    Warned,
    WorkerEnded,
    WorkerStarted,
)
from phimask.plugins.values import ComplexityClass, Finding, Phase

Status = Literal["completed", "stopped", "failed"]

MOST_WARNINGS: Final = 100


class ReportBuilder:
    """Adds up a run: `begin`, a `collection` each, every event through `notify`, at last `finish`.

    `clock`: seconds, never going back; `cpu`: this process's CPU seconds; `now`: the time of day, with a zone.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._clock = clock
        self._cpu = cpu
        self._now = now
        self._head: dict[str, Any] = {}
        self._collections: dict[str, CollectionEntry] = {}
        self._current: CollectionEntry | None = None
        self._warnings: dict[str, None] = {}
        self._breaker_trips = 0
        self._workers = 1
        self._at_work: set[str] = set()
        self._restarts = 0
        self._alerts = AlertsTold()

    def begin(
        self,
        *,
        run_id: str,
        profile: str,
        version: str,
        config_digest: str,
        key_fingerprint: str | None,
        workers: int = 1,
        started: datetime | None = None,
        resumed: int = 0,
        software: Mapping[str, str] = MappingProxyType({}),
        accepted: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """The run starts now, or began at `started` (UTC) and was resumed so often. `key_fingerprint` is None where no
        masker uses a key. `accepted`: hazards that a person decided on."""
        self._head = {
            "run_id": run_id,
            "profile": profile,
            "started": iso(self._now() if started is None else started.replace(tzinfo=timezone.utc)),
            "resumed": resumed,
            "phimask_version": version,
            "software": dict(software),
            "config_digest": config_digest,
            "key_fingerprint": key_fingerprint,
            "accepted": [dict(one) for one in accepted],
        }
        self._workers = workers

    def collection(
        self,
        namespace: str,
        target: str | None,
        rules: Sequence[ReportedRule],
        documents: int,
        ceiling_bytes: int | None = None,
        path: ReportedPath = "set",
    ) -> None:
        """A collection comes next: its target namespace (None: in place), its rules in the order that events
        count them, how many documents there are to mask, the memory governor's ceiling, by which way
        documents are written: of what the server masks by itself, nobody counts the values."""
        one = CollectionEntry(namespace, target, documents, rules, self._times(), path, ceiling_bytes)
        self._collections[namespace] = one
        self._current = one

    def indexes_rebuilt(self, namespace: str, names: Sequence[str], seconds: float) -> None:
        """Indexes that were dropped are there again; building them took so long."""
        self._collections[namespace].indexes = {
            "rebuilt": list(names),
            "missing": [],
            "seconds": round(seconds, 3),
        }

    def indexes_missing(self, namespace: str, names: Sequence[str]) -> None:
        """Indexes that were dropped are not there again."""
        self._collections[namespace].indexes = {"rebuilt": [], "missing": list(names), "seconds": None}

    def shadow(self, namespace: str, entry: Mapping[str, str | None]) -> None:
        """How the collection's shadow ended, and where the original is."""
        self._collections[namespace].shadow = entry

    def complexity(
        self,
        namespace: str,
        classes: Mapping[ComplexityClass, int],
        check: Mapping[str, Any] | None = None,
    ) -> None:
        """Documents by class in the sample taken before, which those of the batches replace where they are told, and
        how well classes are told (None: nobody tried)."""
        one = self._collections[namespace]
        one.sampled, one.complexity_check = dict(classes), check

    def predicted(self, namespace: str, ranges: Mapping[str, Any]) -> None:
        """What the plan expected of the collection, as `phimask plan --json` has it."""
        self._collections[namespace].predicted = ranges

    def notify(self, event: Event) -> None:
        """Add what an event tells; the kinds that tell nothing new pass by.

        Findings among them: `verified` tells those, with how much was checked. Raises KeyError for a batch of a
        collection that was not begun.
        """
        if isinstance(event, BatchFinished):
            self._collections[event.namespace].batch(event, self._times())
        elif isinstance(event, CollectionStarted):
            self._current = self._collections[event.namespace]
            self._current.began = self._times()
        elif isinstance(event, Paused):
            if self._current is not None:
                waited = self._current.throttled
                waited[event.reason] = waited.get(event.reason, 0.0) + event.seconds
        elif isinstance(event, Scaled):
            self._scaled(event)
        elif isinstance(event, WorkerStarted):
            self._at_work.add(event.worker)
            self._workers = max(self._workers, len(self._at_work))
        elif isinstance(event, WorkerEnded):
            self._worker_ended(event)
        elif isinstance(event, BreakerTripped):
            self._breaker_trips += 1
        elif isinstance(event, AlertRaised):
            self._alerts.take(event)
        elif isinstance(event, Warned):
            if event.message in self._warnings or len(self._warnings) < MOST_WARNINGS:
                self._warnings[event.message] = None
            else:
                self._warnings["further warnings are in the log"] = None

    def verified(
        self,
        namespace: str,
        validator: str,
        phase: Phase,
        checked: int,
        findings: Sequence[Finding],
        unjudged: Sequence[Finding] = (),
        affected: int = 0,
        of: int | None = None,
        *,
        judged: bool = True,
    ) -> None:
        """A validator's result over `checked` documents; of the same validator and phase, results add up. `unjudged`,
        `affected`, `of`, `judged`: see `phimask.observing.verified`."""
        results = self._collections[namespace].verification
        one = results.setdefault((validator, phase), Verified(of=of, judged=judged))
        one.add(checked, findings)
        one.affected += affected
        for finding in unjudged:
            one.unjudged[finding.what, finding.path] += finding.count

    def settle(self, namespace: str, tally: Tally) -> None:
        """What the ledger has counted goes over what events told: it knows of batches before a resume, too."""
        self._collections[namespace].settle(tally)

    def quarantined(self, namespace: str, identity: str) -> None:
        """A document was left out, by its `_id` as Extended JSON; its batch counts it."""
        ids = self._collections[namespace].quarantined_ids
        if len(ids) < MOST_IDS:
            ids.append(identity)

    def entry(self, namespace: str) -> dict[str, Any]:
        """A collection's part of the report so far, for observers: its quarantine list is empty."""
        return {**self._collections[namespace].entry(), "quarantined_ids": []}

    @property
    def warnings(self) -> list[str]:
        """Those so far, each once."""
        return list(self._warnings)

    def finish(self, status: Status, stopped_because: str | None = None) -> dict[str, Any]:
        """The whole report, quarantine lists included. `stopped_because` holds no value: a phimask error's text,
        or what `phimask.log.describe_error` says of any other."""
        documents = sum(one.told for one in self._collections.values())  # not those before a resume
        seconds = sum(one.worked[0] for one in self._collections.values())
        cpu = sum(one.worked[1] + one.workers_cpu for one in self._collections.values())
        return {
            **self._head,
            "status": status,
            "stopped_because": stopped_because,
            "finished": iso(self._now()),
            "collections": [one.entry() for one in self._collections.values()],
            "throughput": {
                "documents_per_second": round(documents / seconds, 3) if seconds > 0 else None,
                "seconds": round(seconds, 3),
                "workers": self._workers,
                "cpu_percent": round(cpu / seconds * 100, 1) if seconds > 0 else None,
            },
            "restarts": self._restarts,
            "breaker_trips": self._breaker_trips,
            "undo": None,
            "alerts": self._alerts.entries(),
            "warnings": self.warnings,
        }

    def _scaled(self, event: Scaled) -> None:
        one = self._current
        if one is not None:
            seconds = round(self._clock() - one.began[0], 1)
            one.scaling.append({"seconds": seconds, "workers": event.workers, "because": event.because})

    def _worker_ended(self, event: WorkerEnded) -> None:
        self._at_work.discard(event.worker)
        self._restarts += event.replaced
        one = self._current
        if one is not None:
            one.workers_cpu += event.cpu_seconds
            if event.peak_rss_bytes:
                one.peak_rss = max(one.peak_rss or 0, event.peak_rss_bytes)

    def _times(self) -> tuple[float, float]:
        return self._clock(), self._cpu()


def without_ids(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report as observers get it: with empty quarantine lists."""
    return {**report, "collections": [{**one, "quarantined_ids": []} for one in report["collections"]]}
