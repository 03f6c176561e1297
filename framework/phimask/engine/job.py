"""A job: what a worker of whatever process needs to mask one collection of a run. It can be pickled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, get_args

from pymongo.errors import PyMongoError

from phimask.config.model import ChosenPath, Configuration, Secret
from phimask.engine.batches import Batch, originals
from phimask.engine.breaker import CircuitBreaker
from phimask.engine.canary import CanaryWatch
from phimask.engine.checking import Checks
from phimask.engine.commit import Committer, CopyCommitter, Keep, PlainCommitter
from phimask.engine.journal import Applied, Journal
from phimask.engine.left_open import end_transactions
from phimask.engine.means import Means
from phimask.engine.preparing import Preparer
from phimask.engine.remembering import VALIDATORS_DOMAIN, Remembering
from phimask.engine.resident import return_large_blocks
from phimask.engine.served import READS, ServedCommitter, ServedPreparer, take_up_served
from phimask.engine.takeover import (
    KeepNothing,
    take_up_copies,
    take_up_plain,
    take_up_transactions,
    take_up_unjournaled,
)
from phimask.engine.transactions import TransactionCommitter
from phimask.engine.worker import Worker
from phimask.errors import PreflightError
from phimask.ledger.leases import Lease
from phimask.ledger.opening import APPLIED, Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.remembered import Remembered
from phimask.masking.core import MaskingCore
from phimask.masking.covered import covered_values
from phimask.masking.fingerprints import FINGERPRINT_DOMAIN, Fingerprint
from phimask.masking.keys import MaskingKey
from phimask.masking.unmapped import Unmapped
from phimask.planning.binding import bind, facts
from phimask.planning.classifier import Classifier
from phimask.planning.components import remembering, validators
from phimask.planning.conditions import Conditions
from phimask.planning.namespace import Namespace
from phimask.planning.preflight import gone
from phimask.planning.served import served_update
from phimask.plugins.events import BreakerTripped, Event, Paused, Warned
from phimask.plugins.given import Control
from phimask.plugins.loading import disabled_plugins, load_registry
from phimask.plugins.registry import Registry
from phimask.plugins.values import Lane
from phimask.store.connect import Client, connect, raw_collection
from phimask.store.retry import terminal_error
from phimask.vault.records import Place
from phimask.vault.vault import Vault, open_vault


@dataclass(frozen=True, slots=True)
class Where:
    """A collection of a deployment that each process opens for itself."""

    uri: Secret
    database: str
    collection: str


@dataclass(frozen=True, slots=True)
class MaskingJob:
    """Implements phimask.Job. `collection` is the collection file's place among the configuration's.

    `guard`: batches are transactions; `journal`: they are announced; `vault`: originals are kept; `remembers`: what
    validators learn of them is. `salt` stands in for a masking key in fingerprints where there is none. `limit`: at
    most so many documents in all, by the one worker of such a job. `classifier` tells documents' classes where a meter
    asks. `path`: by which way documents are changed in place; `mean_bytes`: of a document, as far as is known.
    `registry`: what this process has loaded already.
    """

    run: str
    configuration: Configuration
    collection: int
    keys: tuple[MaskingKey, ...]
    source: Where
    target: Where | None
    ledger: Where
    query: Mapping[str, Any] | None
    uuid: str | None
    projection: Mapping[str, Any] | None
    guard: bool
    journal: bool
    vault: bool
    remembers: bool
    salt: bytes
    partitions: int | None
    limit: int | None = None
    classifier: Classifier | None = None
    path: ChosenPath = "set"
    mean_bytes: float = 0.0
    registry: Registry | None = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process loads plugins for itself."""
        names = [one.name for one in fields(self) if one.name != "registry"]
        return MaskingJob, tuple(getattr(self, name) for name in names)

    @property
    def namespace(self) -> str:
        """Of the source."""
        return f"{self.source.database}.{self.source.collection}"

    def abandon(self, worker: str) -> None:
        """That worker is dead for certain: its leases end now, and its transactions; by themselves, where a deployment
        does not answer."""
        with contextlib.ExitStack() as stack, contextlib.suppress(PreflightError, PyMongoError):
            client = stack.enter_context(connect(self.ledger.uri, self.run))
            ledger = Ledger(client, self.ledger.database, self.ledger.collection)
            Partitions(ledger, self.run, self.namespace).abandon(worker)
            ledger.workers.delete_one({"_id": {"run": self.run, "worker": worker}})
            if self.guard:
                same = self.source.uri == self.ledger.uri
                source = client if same else stack.enter_context(connect(self.source.uri, self.run))
                end_transactions(source, self.run, worker)

    def set_aside(self) -> int:
        """How many partitions wait in the lane of oversize documents. Raises StoreError."""
        try:
            with connect(self.ledger.uri, self.run) as client:
                ledger = Ledger(client, self.ledger.database, self.ledger.collection)
                states = Partitions(ledger, self.run, self.namespace).states("oversize")
        except PyMongoError as error:
            raise terminal_error(error, "asking the ledger for documents that were set aside") from None
        return states["open"] + states["leased"]

    def work(
        self, worker: str, control: Control, tell: Callable[[Event], None], lane: Lane | None = None
    ) -> None:
        """Lease partitions and mask them, in this process, until none is left or `control.stopping`."""
        return_large_blocks()
        with contextlib.ExitStack() as stack:
            opened: dict[str, Client] = {}

            def client(uri: Secret) -> Client:
                text = uri.reveal()
                if text not in opened:
                    opened[text] = stack.enter_context(connect(uri, self.run, worker))
                return opened[text]

            vault = None
            if self.vault and self.keys and (setting := self.configuration.profile.undo.vault) is not None:
                vault = stack.enter_context(open_vault(setting, self.run, self.keys[0], create=False))
            lanes = get_args(Lane) if lane is None else (lane,)
            self._worker(worker, control, tell, client, vault, lanes).work()

    def _keep(self, vault: Vault, fingerprint: Fingerprint) -> Keep:
        def keep(journal: Journal, batch: Batch) -> None:
            lease = journal.lease
            place = Place(self.run, self.namespace, lease.number, batch.number or 0, lease.fence)
            vault.keep(place, originals(batch, fingerprint))

        return keep

    def _keep_nothing(self, vault: Vault) -> KeepNothing:
        def keep_nothing(journal: Journal, batch: int) -> None:
            lease = journal.lease
            vault.keep(Place(self.run, self.namespace, lease.number, batch, lease.fence), ())

        return keep_nothing

    def _worker(
        self,
        worker: str,
        control: Control,
        tell: Callable[[Event], None],
        client: Callable[[Secret], Client],
        vault: Vault | None,
        lanes: Sequence[Lane],
    ) -> Worker:
        profile = self.configuration.profile
        project = self.configuration.project
        registry = self.registry or load_registry(
            project.plugins, project.directory, disabled_plugins(os.environ), checked=True
        )
        file = self.configuration.collections[self.collection]
        rules = bind(file, registry, self.keys)
        drift = rules[0].masker if rules and isinstance(rules[0].masker, Unmapped) else None
        judged = facts(bind(file, registry, self.keys), file.subject)
        checks = Checks("during", validators(registry, profile.validators, "during", judged))
        source_client = client(self.source.uri)
        source = raw_collection(source_client, self.source.database, self.source.collection)
        ledger = Ledger(client(self.ledger.uri), self.ledger.database, self.ledger.collection)
        tells_apart = Fingerprint(self.keys[0].derive(FINGERPRINT_DOMAIN) if self.keys else self.salt)
        fingerprint = tells_apart if self.target is None and not self.guard and self.journal else None
        keep = None if vault is None else self._keep(vault, tells_apart)
        nothing = None if vault is None else self._keep_nothing(vault)
        note = None
        if self.remembers:
            chosen, key = remembering(registry, profile.validators), self.keys[0].derive(VALIDATORS_DOMAIN)
            memory = Remembering(
                validators(registry, chosen, "after", judged, key),
                rules,
                Remembered(ledger, self.run, self.namespace),
            )
            note, keep = memory.note, memory.keep
        preparer = Preparer(
            source=source,
            core=MaskingCore(
                rules,
                file.subject,
                file.on_error,
                originals=vault is not None,
                covered=fingerprint is not None,
                note=note,
            ),
            conditions=Conditions(rules),
            sample=profile.check_sample if checks.wanted else 0,
            copies=self.target is not None,
            drift=drift,
            halts=file.unmapped == "halt",
            gone=lambda: gone(
                Namespace(source_client, self.source.database, self.source.collection), self.uuid
            ),
            replaces=self.target is None and self.path == "replace",
        )
        committer: Committer
        applied: Applied | None = None
        take_up: Callable[[Journal], None]
        if self.target is not None:
            target = raw_collection(client(self.target.uri), self.target.database, self.target.collection)
            committer = CopyCommitter(preparer, checks, target)
            take_up = take_up_copies
        elif self.guard:
            committer = TransactionCommitter(
                source_client,
                self.projection,
                self.query,
                preparer,
                checks,
                keep,
                waited=lambda reason, seconds: tell(Paused(reason, seconds, worker=worker)),
                nothing=nothing,
            )
            applied = self._applied(source_client) if self.journal else None
            take_up = partial(take_up_transactions, nothing=nothing) if self.journal else take_up_unjournaled
        else:
            committer = plain = PlainCommitter(preparer, checks, keep)
            take_up = take_up_unjournaled
            if fingerprint is not None:
                looking = covered_values(rules)
                known = fingerprint

                def take_up(journal: Journal) -> None:
                    take_up_plain(journal, preparer, plain, looking, known, self.projection, nothing)

        served = self.path == "server" and self.target is None
        if served:
            way, ordinary = committer, take_up
            range_preparer = ServedPreparer(
                source, preparer.core, preparer.conditions, preparer.sample, copies=False, gone=preparer.gone
            )
            range_preparer.mean_bytes = self.mean_bytes

            def recounted(documents: int) -> None:
                tell(
                    Warned(
                        f"{self.namespace}: {documents:,} documents were masked once more, since nobody knows how far "
                        "the server had come with them; those that were done already count as unchanged"
                    )
                )

            committer = ServedCommitter(
                range_preparer,
                served_update(rules),
                way,
                self.query,
                self.projection,
                recounted,
                source_client if self.guard else None,
            )

            def take_up(journal: Journal) -> None:
                take_up_served(journal, ordinary, recounted)

        breaker = CircuitBreaker(profile.breaker, lambda reason, detail: tell(BreakerTripped(reason, detail)))
        means = Means(
            worker=worker,
            namespace=self.namespace,
            source=source,
            projection=READS if served else self.projection,
            query=self.query,
            committer=committer,
            sizer=registry.create("batch_sizer", profile.batch_sizer.name, profile.batch_sizer.options),
            governor=registry.create(
                "memory_governor", profile.memory_governor.name, profile.memory_governor.options
            ),
            breaker=breaker,
            canary=CanaryWatch(profile.canary) if profile.canary else None,
            retry=profile.retry,
            control=control,
            emit=tell,
            remaining=self.limit,
            classify=None if self.classifier is None or served else self.classifier.classify,
            memory=profile.memory,
        )
        quarantine = Quarantine(ledger, self.run, self.namespace)

        def journal(lease: Lease, partitions: Partitions) -> Journal:
            return Journal(
                lease,
                partitions,
                quarantine,
                applied=applied,
                fingerprint=fingerprint,
                intents=self.journal,
            )

        return Worker(means, ledger, self.run, journal, take_up, lanes)

    def _applied(self, client: Client) -> Applied:
        """Beside the documents, in the database and under the prefix that the ledger has."""
        kept = Ledger(client, self.ledger.database, self.ledger.collection).named(APPLIED)
        return Applied(kept, self.run, self.namespace)
