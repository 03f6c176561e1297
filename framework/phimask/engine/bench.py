"""A short benchmark on the user's own deployment and rules, in a scratch database that is gone when it ends.

A random sample of the documents is copied there, with the collection's indexes, and masked again and again by real
runs: with one worker, with two and so on, then in batches of several sizes. They mask in place, or into another
collection where the user's go into a target or a shadow. Nothing of the collection itself is written, nor of its
target.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, TypeAlias

from phimask.config.model import Configuration, Secret
from phimask.engine.beginning import begin
from phimask.engine.control import StopSignal
from phimask.engine.deployments import Deployments
from phimask.engine.run import Run
from phimask.engine.scratch import LEDGER, MASKED, OWNER, PRISTINE, SCRATCH
from phimask.errors import FindingsError, Interrupted, PreflightError, SafeStop, UsageError
from phimask.ledger.opening import open_ledger
from phimask.ledger.runs import Runs
from phimask.masking.keys import MaskingKey
from phimask.masking.outcomes import Masked, NeedsWhole
from phimask.planning.binding import core
from phimask.planning.hazards import acceptable
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan, Scope
from phimask.planning.planner import plan_collection
from phimask.plugins.events import BatchFinished, Event
from phimask.plugins.interfaces import Observer
from phimask.plugins.registry import Registry
from phimask.plugins.values import DocumentId
from phimask.store import writing
from phimask.store.definition import create_bare, read_definition
from phimask.store.indexes import build_indexes, decoded
from phimask.store.raw import identity
from phimask.store.reading import sampled_documents

_AT_A_TIME: Final = 500
_THREADS: Final = 2

Settings = tuple[str, ...]
Prepared: TypeAlias = tuple[DocumentId, bytes, bool]
"""What is written of a document: an update, or, where the last is true, the whole of it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One way: with so many workers, which masked so many documents at `rate` documents a second. `peak` is the
    resident memory of the largest worker in bytes."""

    workers: int
    documents: int
    rate: float
    peak: int | None = None


class Watch(Observer):
    """Notes when each worker's batches were in hand, and asks for the end so many seconds after the first began."""

    name: ClassVar[str] = "bench"

    def __init__(self, stop: StopSignal, seconds: float) -> None:
        super().__init__({})
        self._stop = stop
        self._seconds = seconds
        self.batches: list[tuple[str, float, float, int]] = []
        self.peak = 0

    def notify(self, event: Event) -> None:
        """Keep what is told of a batch."""
        if isinstance(event, BatchFinished):
            now = time.perf_counter()
            self.batches.append((event.worker, now - event.seconds, now, event.documents))
            self.peak = max(self.peak, event.rss_bytes, event.peak_bytes)
            if now - self.batches[0][1] > self._seconds:
                self._stop.stop()

    def rate(self) -> float:
        """Documents a second in the time in which all workers were at work; of all of it, where that is short."""
        if not self.batches:
            return 0.0
        names = {worker for worker, *_ in self.batches}
        begins = [min(start for who, start, _, _ in self.batches if who == name) for name in names]
        ends = [max(end for who, _, end, _ in self.batches if who == name) for name in names]
        first, last = max(begins), min(ends)
        if last - first < 0.25 * (max(ends) - min(begins)):
            first, last = min(begins), max(ends)
        done = sum(
            count * max(0.0, min(end, last) - max(start, first)) / max(end - start, 1e-9)
            for _, start, end, count in self.batches
        )
        return done / max(last - first, 1e-9)


class _Within(StopSignal):
    """The end of one run, which does not end what it is part of."""

    def __init__(self, whole: StopSignal) -> None:
        super().__init__()
        self._whole = whole

    @property
    def stopping(self) -> bool:
        """True once the end of either was asked for."""
        return super().stopping or self._whole.stopping


class Bench:
    """Measures one collection. `configured` gives the run's configuration with further settings of the profile laid
    over it; `plan` is of the user's own collection, on the deployment at `uri`, and its target's is at `target_uri`;
    `stop` ends it early."""

    def __init__(
        self,
        configured: Callable[[Settings], Configuration],
        registry: Registry,
        keys: tuple[MaskingKey, ...],
        uri: Secret,
        target_uri: Secret | None,
        plan: CollectionPlan,
        stop: StopSignal,
        *,
        documents: int,
        seconds: float,
    ) -> None:
        self._configured = configured
        self._registry = registry
        self._keys = keys
        self._uri = uri
        self._target_uri = uri if plan.shadow is not None else target_uri
        self._plan = plan
        self._stop = stop
        self._most = documents
        self._seconds = seconds
        self._client = plan.source.client
        self._work = Namespace(self._client, SCRATCH, plan.source.collection)
        self._into = None if plan.target is None else Namespace(plan.target.client, SCRATCH, MASKED)
        self._documents = 0
        self._sample: list[bytes] = []

    def copy(self) -> int:
        """Copy the sample; how many documents it has. Raises UsageError where there is none."""
        seen: set[DocumentId] = set()
        pristine = Namespace(self._client, SCRATCH, PRISTINE).raw()
        batch: dict[DocumentId, bytes] = {}

        def put() -> None:
            if batch:
                writing.insert(pristine, batch)
                batch.clear()
            self._go_on()

        for raw in sampled_documents(self._plan.source.raw(), self._most, self._plan.scope.query):
            found = identity(raw)
            if found in seen:
                continue
            seen.add(found)
            batch[found] = raw
            if len(self._sample) < 2 * _AT_A_TIME:
                self._sample.append(raw)
            if len(batch) == _AT_A_TIME:
                put()
        put()
        if not seen:
            raise UsageError(f"{self._plan.namespace}: there are no documents to measure with")
        self._documents = len(seen)
        return self._documents

    def write_limit(self) -> Measured:
        """What the server takes: prepared updates, or inserts where masked copies are made, by two threads, nothing
        else."""
        prepared = self._prepared()
        into = self._into or self._work
        write = _updated if self._into is None else _inserted
        done, spent = 0, 0.0
        with ThreadPoolExecutor(_THREADS, "phimask-bench") as threads:
            while spent < self._seconds and prepared and not self._stop.stopping:
                self._refill()
                collection = into.raw()
                start = time.perf_counter()
                parts = [prepared[part::_THREADS] for part in range(_THREADS)]
                list(threads.map(write, [collection] * _THREADS, parts))
                spent += time.perf_counter() - start
                done += len(prepared)
        self._go_on()
        return Measured(_THREADS, done, done / spent if spent else 0.0)

    def _prepared(self) -> list[Prepared]:
        """What a run writes of each document, without those that the server would refuse."""
        masking = core(self._plan.file, self._plan.rules)
        if self._into is not None:
            made = zip(self._sample, masking.mask(self._sample, "whole").outcomes, strict=True)
            return [
                (identity(raw), outcome.bson if isinstance(outcome, Masked) else raw, True)
                for raw, outcome in made
            ]
        prepared: list[Prepared] = []
        unnamed = self._sample
        if self._plan.write_path.path != "replace":
            unnamed = []
            made = zip(self._sample, masking.mask(self._sample, "update").outcomes, strict=True)
            for raw, outcome in made:
                if isinstance(outcome, Masked):
                    prepared.append((identity(raw), outcome.bson, False))
                elif isinstance(outcome, NeedsWhole):
                    unnamed.append(raw)
        for raw, outcome in zip(unnamed, masking.mask(unnamed, "whole").outcomes, strict=True):
            if isinstance(outcome, Masked) and not (
                writing.why_not_replaced(outcome.bson) or writing.has_dollar_key(outcome.bson)
            ):
                prepared.append((identity(raw), outcome.bson, True))
        return prepared

    def masking(self, workers: int, *settings: str) -> Measured:
        """A real run, of which the start of processes is not counted, for so many seconds at most."""
        self._go_on()
        self._refill()
        parts = max(1, self._documents // (4 * workers))
        configuration = self._configured(
            (
                "canary=null",
                "undo.vault=null",
                "observers=[]",
                "strict=false",
                "prescan.documents=200",
                f"partitioner={{name: paginate, options: {{documents: {parts}}}}}",
                f"executor={{name: local, options: {{workers: {workers}}}}}",
                *settings,
            )
        )
        stop = _Within(self._stop)
        watch = Watch(stop, self._seconds)
        plan = plan_collection(
            configuration.collections[0], configuration.profile, self._registry, self._keys, self._work, self._into,
            Scope(), detect=False, accepts=frozenset(acceptable()),
        )  # fmt: skip
        if plan.stopping:
            raise PreflightError([str(one) for one in plan.stopping])
        ledger = open_ledger(self._client, SCRATCH, LEDGER)
        deployments = Deployments(self._uri, self._target_uri, self._uri, ledger)
        record, epoch = begin(
            Runs(ledger),
            f"bench-{secrets.token_hex(3)}",
            [plan],
            configuration,
            self._keys,
            again=True,
        )
        run = Run(configuration, self._registry, self._keys, deployments, stop, observers=[watch])
        outcome = run.mask([plan], record, epoch)
        self._go_on()
        if outcome.error is not None and not isinstance(
            outcome.error, SafeStop | FindingsError | Interrupted
        ):
            raise outcome.error
        return Measured(workers, sum(one[3] for one in watch.batches), watch.rate(), watch.peak or None)

    def _refill(self) -> None:
        """The sample again as it was, in a collection like the user's own, without what deletes documents."""
        database = self._client[SCRATCH]
        for name in database.list_collection_names():
            if name not in (OWNER, PRISTINE):
                database.drop_collection(name)
        source = self._plan.source
        self._create(self._work, source)
        # Unlike $merge, it takes any _id, and keys with dots as they are.
        list(database[PRISTINE].aggregate([{"$out": self._work.collection}]))
        if self._into is None or self._plan.target is None:
            return
        self._into.client[SCRATCH].drop_collection(MASKED)
        if self._plan.shadow is not None:
            self._create(self._into, source, indexes=False)  # they are built when it is filled
        else:
            self._create(self._into, self._plan.target, there=False)

    def _create(self, made: Namespace, like: Namespace, *, indexes: bool = True, there: bool = True) -> None:
        """Without `there`: it may be missing, as a target that the run is to make."""
        definition = read_definition(like.client, like.database, like.collection)
        if definition is None:
            if there:
                raise PreflightError([f"{like} is gone"])
            return
        plain = {
            key: value for key, value in definition.options.items() if key not in ("capped", "size", "max")
        }
        create_bare(made.client, SCRATCH, made.collection, replace(definition, options=plain))
        if indexes:
            lasting = [one for one in definition.indexes.values() if "expireAfterSeconds" not in decoded(one)]
            build_indexes(made.client, SCRATCH, made.collection, lasting)

    def _go_on(self) -> None:
        if self._stop.stopping:
            raise Interrupted(
                f"interrupted; the scratch database {SCRATCH} is dropped, and nothing else was written"
            )


def _inserted(collection: Any, prepared: Sequence[Prepared]) -> None:
    writing.insert(collection, {found: raw for found, raw, _ in prepared})


def _updated(collection: Any, prepared: Sequence[Prepared]) -> None:
    for write, chosen in ((writing.update, False), (writing.replace, True)):
        part = [(found, raw) for found, raw, whole in prepared if whole == chosen]
        if part:
            write(collection, part)


def best(measured: Sequence[Measured]) -> Measured:
    """The fewest workers with nearly the highest rate: more would take from others and gain nothing."""
    most = max(one.rate for one in measured)
    return next(one for one in measured if one.rate >= 0.95 * most)
