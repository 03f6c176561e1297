"""A worker that goes one command at a time: held before each is sent and after each is answered, or killed there.

It is made of the engine's own parts, and talks to a real server; only the loop around them is the test's, in one
thread, so that what it sends next depends on nothing but the server's answers.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pymongo import MongoClient, monitoring
from pymongo.errors import PyMongoError

from masking_trials import SUCCESSOR, TILDE, Rules, bound
from phimask import BatchBudget, OriginalValues, Validator
from phimask.engine.batches import Batch
from phimask.engine.checking import Checks
from phimask.engine.commit import Committer, PlainCommitter
from phimask.engine.deadline import Deadline
from phimask.engine.journal import Applied, Journal
from phimask.engine.preparing import Preparer
from phimask.engine.remembering import Remembering
from phimask.engine.takeover import take_up_plain, take_up_transactions
from phimask.engine.transactions import TransactionCommitter
from phimask.ledger.leases import Lease, LeaseLost
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.remembered import Remembered
from phimask.masking.core import MaskingCore
from phimask.masking.covered import covered_values
from phimask.masking.fingerprints import Fingerprint
from phimask.planning.conditions import Conditions
from phimask.plugins.values import DocumentId, Lane
from phimask.store.connect import raw_collection
from phimask.store.raw import identity
from phimask.store.reading import BatchReader
from phimask.store.retry import classify
from replica_set import Client

Answer = TypeVar("Answer")
RULES: Rules = [(("Count",), SUCCESSOR), (("Name",), TILDE)]
RUN = "run"
DOCUMENTS = "documents"
PREFIX = "ledger"
PROJECTION: Mapping[str, Any] = {"Count": 1, "Name": 1, "Pad": 1}
BATCH = 3
OVERSIZE = 80
"""Documents of more bytes are set aside."""
_NO_TIME = 1e-9
_BLOCKED = 100.0
"""Longer than the server takes to end a transaction that nobody goes on with: a minute, looked at every half."""


class Killed(BaseException):
    """What a worker's thread ends with in place of being killed; nothing catches it, and nothing is sent after it."""


class Gate(monitoring.CommandListener):
    """Holds one thread before each of its commands and after each answer."""

    def __init__(self) -> None:
        self.killed = False
        self.over = False
        self._thread: threading.Thread | None = None
        self._go = threading.Semaphore(0)
        self._held = threading.Semaphore(0)

    def hold(self, thread: threading.Thread) -> None:
        """This is the thread to hold."""
        self._thread = thread

    def step(self) -> None:
        """Let the thread go on to where it is held next, or to its end."""
        if not self.over:
            self._go.release()
            assert self._held.acquire(timeout=_BLOCKED), "the server does not answer: a lock is held"

    def end(self) -> None:
        """The thread is at its end."""
        self.over = True
        self._held.release()

    def wait(self) -> None:
        """What the thread begins with."""
        self._go.acquire()

    def _pause(self) -> None:
        if threading.current_thread() is not self._thread:
            return
        if not self.killed:
            self._held.release()
            self._go.acquire()
        if self.killed:
            raise Killed

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Before a command is sent."""
        self._pause()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """After its answer, before the worker knows it."""
        self._pause()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """After an error."""
        self._pause()


class Names(Validator):
    """Learns names as they were, each once."""

    name = "names"
    remembers = True
    most_kept = 1 << 30

    def __init__(self) -> None:
        super().__init__({})
        self._seen: set[str] = set()
        self._news: list[str] = []

    def remember(self, originals: Sequence[OriginalValues]) -> None:
        for column in originals:
            if column.path == "Name":
                self._news += [name for name in column.values if name not in self._seen]
                self._seen.update(column.values)

    def learnt(self) -> Iterator[bytes]:
        news, self._news = self._news, []
        if news:
            yield " ".join(news).encode()


class SteppedWorker:
    """Leases partitions and masks them until it finds none. `guard`: in transactions, else by fingerprints.
    `remembers`: it keeps the names that it masks. `cuts`: each batch is cut after its second slice."""

    def __init__(
        self, uri: str, database: str, name: str, *, guard: bool, remembers: bool = False, cuts: bool = False
    ) -> None:
        self.name = name
        self.gate = Gate()
        self.error: BaseException | None = None
        # Nothing is tried again behind the test's back.
        self.client: Client = MongoClient(
            uri,
            event_listeners=[self.gate],
            appname=name,
            retryWrites=False,
            retryReads=False,
            heartbeatFrequencyMS=500,
        )
        self._guard, self._cuts = guard, cuts
        ledger = Ledger(self.client, database, PREFIX)
        namespace = f"{database}.{DOCUMENTS}"
        self._source = raw_collection(self.client, database, DOCUMENTS)
        self._partitions = Partitions(ledger, RUN, namespace)
        self._quarantine = Quarantine(ledger, RUN, namespace)
        self._applied = Applied(ledger.named("applied"), RUN, namespace)
        self._fingerprint = Fingerprint(b"test")
        checks = Checks("during", [])
        rules = bound(RULES)
        memory = Remembering([Names()], rules, Remembered(ledger, RUN, namespace)) if remembers else None
        note, keep = (memory.note, memory.keep) if memory else (None, None)
        made = MaskingCore(rules, None, "redact", covered=not guard, note=note)
        self._preparer = Preparer(
            source=self._source, core=made, conditions=Conditions(()), sample=0, copies=False
        )
        self._committer: Committer = (
            TransactionCommitter(self.client, PROJECTION, None, self._preparer, checks, keep)
            if guard
            else PlainCommitter(self._preparer, checks, keep)
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.gate.hold(self._thread)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it found nothing more to do, or is dead."""
        return self.gate.over

    def step(self, count: int = 1) -> None:
        """Go on by so many halves of a command, or to the end."""
        for _ in range(count):
            if self.over:
                return
            self.gate.step()
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """Nothing of it happens any more; what it sent stays sent."""
        self.gate.killed = True
        self.step()

    def _run(self) -> None:
        try:
            self.gate.wait()
            if not self.gate.killed:
                self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  (raised again in the test's thread)
            self.error = error
        finally:
            self.gate.end()

    def _work(self) -> None:
        for lane in get_args(Lane):
            while (lease := self._persist(lambda: self._partitions.lease(self.name, lane))) is not None:  # noqa: B023
                with contextlib.suppress(LeaseLost):
                    self._one(lease)

    def _one(self, lease: Lease) -> None:
        journal = Journal(
            lease,
            self._partitions,
            self._quarantine,
            applied=self._applied if self._guard else None,
            fingerprint=None if self._guard else self._fingerprint,
        )
        self._persist(lambda: self._take_up(journal))
        giant = self._mask(journal)
        if giant is None:
            self._persist(lambda: journal.finish(done=True))
            return
        if giant != lease.upto:
            self._persist(lambda: journal.split(giant))
        self._persist(journal.set_aside)

    @staticmethod
    def _persist(ask: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return ask()
            except PyMongoError as error:
                if classify(error) != "transient":
                    raise

    def _take_up(self, journal: Journal) -> None:
        if self._guard:
            take_up_transactions(journal)
        else:
            assert isinstance(self._committer, PlainCommitter)
            take_up_plain(
                journal,
                self._preparer,
                self._committer,
                covered_values(bound(RULES)),
                self._fingerprint,
                PROJECTION,
            )

    def _mask(self, journal: Journal) -> DocumentId | None:
        """As the engine's loop does it: the next batch is read and masked before the last one is written. Answers with
        a document that is to be set aside, if one comes."""
        lease = journal.lease
        oversize = None if lease.lane == "oversize" else OVERSIZE
        reader = BatchReader(self._source, lease.partition, None, PROJECTION, oversize=oversize)
        pending: Batch | None = None
        while True:
            batch = self._persist(lambda: self._read(reader, oversize))
            if isinstance(batch, Batch):
                reader.position = batch.upto
            rest = None if pending is None else self._commit(pending, journal)
            if rest is not None:
                if isinstance(batch, Batch):
                    self._committer.drop(batch)
                reader.position, pending = rest, None
                continue
            if not isinstance(batch, Batch):
                return batch
            pending = batch

    def _commit(self, batch: Batch, journal: Journal) -> DocumentId | None:
        if self._cuts:
            batch.deadline = Deadline(_NO_TIME)
        return self._persist(lambda: self._committer.commit(batch, journal)).upto

    def _read(self, reader: BatchReader, oversize: int | None) -> Batch | DocumentId | None:
        with self._committer.reading() as reading:
            documents = reader.read(BatchBudget(BATCH, 1 << 20), reading.session)
            if documents and oversize is not None and len(documents[0]) > oversize:
                return identity(documents[0])
            if not documents:
                return None
            return reading.kept_by(self._preparer.prepare(documents, whole=False, session=reading.session))
