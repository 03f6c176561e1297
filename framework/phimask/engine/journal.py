"""One partition's steps on their way into the ledger: each batch announced before it is written, and closed after."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any, Final

from bson.binary import UUID_SUBTYPE, Binary
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.read_concern import ReadConcern

from phimask.engine.batches import Batch, fingerprints
from phimask.ledger.leases import Intent, Lease, LeaseLost
from phimask.ledger.opening import Documents
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.masking.fingerprints import Fingerprint
from phimask.observing.tally import Tally
from phimask.plugins.values import DocumentId

_CERTAIN_SECONDS: Final = 20
"""How long to wait for a majority to confirm what is read."""


class Journal:
    """For the holder of a lease. All methods raise LeaseLost where the partition is somebody else's by now.

    A batch's intent closes the batch before it: one small write a batch. `applied` tells, on the deployment that is
    masked, which batches' transactions were committed; `fingerprint` tells documents apart where there are no
    transactions; at most one of the two is there. Without either (`journal: false`, or a copy) only
    closed batches are noted.
    """

    def __init__(
        self,
        lease: Lease,
        partitions: Partitions,
        quarantine: Quarantine,
        *,
        applied: Applied | None = None,
        fingerprint: Fingerprint | None = None,
        intents: bool = True,
    ) -> None:
        self.lease = lease
        self.applied = applied
        self._partitions = partitions
        self._quarantine = quarantine
        self._fingerprint = fingerprint
        self._intents = intents
        self._lock = threading.Lock()
        self._lost = False
        self._announced = 0

    def announce(self, batch: Batch, instead_of: Batch | None = None) -> bool:
        """Write down what the batch is about to do. Called again for the same batch, it does nothing, and says so.

        `instead_of` one that was announced under the same number and of which nothing took effect, or of which that
        does no harm: the batch is the beginning of it.
        """
        self._mine()
        if instead_of is None and batch.number == self.lease.batch + 1 and self._announced == batch.number:
            return False
        batch.number = number = self.lease.batch + 1
        if batch.quarantined:
            self._quarantine.add(self.lease.number, number, batch.quarantined)
        if not self._intents:
            self.still_mine()
            self._announced = number
            return True
        intent = Intent(number, batch.upto, self.lease.tally.plus(batch.tally()))
        if self._fingerprint is not None:
            intent.identities = [write.identity for write in batch.writes]
            intent.before, intent.after = fingerprints(batch, self._fingerprint)
            intent.whole = [at for at, write in enumerate(batch.writes) if write.whole]
        intent.served = batch.served
        if batch.session is not None:
            intent.session = bytes(batch.session.session_id["id"])
        with self._lock:
            self._partitions.advance(self.lease, intent)
        self._announced = number
        if instead_of is not None:
            beyond = [found for found in instead_of.quarantined if found not in batch.quarantined]
            self._quarantine.take_back(self.lease.number, beyond)
        return True

    def still_mine(self) -> None:
        """Call right before a write that nothing else guards."""
        self._mine()
        if not self.lease.valid:
            self.renew()

    def close(self, batch: Batch, tally: Tally) -> None:
        """The batch is done, with these counts. The ledger learns it with the next batch's intent, or `finish`."""
        lease = self.lease
        with self._lock:
            if self._intents or not batch.closed:  # the ledger may not have answered then
                lease.watermark = batch.upto
                if lease.struck == batch.upto:
                    lease.struck = None  # it went through this time
                lease.batch = batch.number or lease.batch + 1
                lease.tally = lease.tally.plus(tally)
                batch.closed = True
        if not self._intents:
            with self._lock:
                self._partitions.advance(lease, None)

    def leave_out(self, found: DocumentId, reason: str) -> None:
        """Quarantine a document that cannot even be looked at, and go on behind it."""
        lease = self.lease
        self._quarantine.add(lease.number, lease.batch + 1, {found: reason})
        with self._lock:
            if lease.watermark != found:
                lease.watermark, lease.batch = found, lease.batch + 1
                lease.tally = lease.tally.plus(Tally(read=1, quarantined=1))
            lease.struck = lease.poison = None
            self._partitions.advance(lease, None)

    def pass_over(self, upto: DocumentId) -> None:
        """Nothing is left to be done up to there."""
        self.lease.watermark = upto

    def quarantine(self, batch: int, found: Mapping[DocumentId, str]) -> None:
        """Enter documents that turned out not to be writable."""
        self._quarantine.add(self.lease.number, batch, found)

    def give_up(self, batch: Batch) -> None:
        """The batch was announced and never will be written; its number is used up."""
        number = batch.number or 0
        self._quarantine.forget(self.lease.number, number)
        self.lease.batch, batch.number = number, None

    def forget(self, batch: int) -> None:
        """What a batch quarantined that never was written is to be found anew."""
        self._quarantine.forget(self.lease.number, batch)

    def suspect(self, found: DocumentId) -> None:
        """This document is masked alone next; if that ends the worker, it is the one."""
        with self._lock:
            self._partitions.suspect(self.lease, found)

    def renew(self) -> None:
        """Hold the partition for longer."""
        self._mine()
        try:
            with self._lock:
                self._partitions.renew(self.lease)
        except LeaseLost:
            self._lost = True
            raise

    def look(self) -> None:
        """Learn whether somebody wants half of the partition by now, which otherwise comes with the next write."""
        with self._lock:
            self._partitions.look(self.lease)

    def split(self, middle: DocumentId) -> None:
        """Give away what lies beyond."""
        with self._lock:
            self._partitions.split(self.lease, middle)

    def set_aside(self) -> None:
        """What is left waits in the lane of oversize documents; no batch is open."""
        with self._lock:
            self._partitions.set_aside(self.lease)

    def finish(self, *, done: bool) -> None:
        """The partition is done, or left for whoever comes next, who will have to see what became of an open batch: of
        this holder's, or of one before, where this one did not get as far as to find out."""
        lease = self.lease
        dead_before = lease.intent is not None or (lease.crashes > 0 and lease.batch == lease.first_batch)
        with self._lock:
            if self._announced > lease.batch or (dead_before and not done):
                self._partitions.leave(lease)
            elif done:
                self._partitions.finish(lease)
                if self.applied is not None:
                    self.applied.forget(lease)
            else:
                self._partitions.release(lease)

    def _mine(self) -> None:
        if self._lost:
            raise LeaseLost


class Applied:
    """A document for each batch whose transaction was committed, written by that very transaction.

    It lies on the deployment that is masked, since a transaction covers one deployment. Of a holder that is slow and
    one that took the partition over, the first to write a batch's document decides what became of the batch: the
    other's write fails, and with it all of its transaction.
    """

    def __init__(self, kept: Documents, run: str, namespace: str) -> None:
        self._kept = kept
        self._certain = kept.with_options(read_concern=ReadConcern("linearizable"))
        self._run, self._namespace = run, namespace
        self._wrote = False

    def end_transaction(self, session: bytes) -> None:
        """Of a holder before, which would keep documents locked for a minute and more, whether it is dead or alive."""
        with contextlib.suppress(OperationFailure):  # where it is not allowed, they have to be waited for
            self._kept.database.client.admin.command("killSessions", [{"id": Binary(session, UUID_SUBTYPE)}])

    def settle(self, lease: Lease, batch: int) -> bool:
        """Whether a batch was committed of which nobody knows; if it was not, it never will be.

        Raises LeaseLost where a later holder settled that it is not to be.
        """
        place = self._id(lease, batch)
        self._wrote = True
        try:
            self._kept.insert_one({"_id": place, "void": True, "fence": lease.fence})
        except DuplicateKeyError:
            found = self._certain.find_one({"_id": place}, max_time_ms=_CERTAIN_SECONDS * 1000)
            if found is not None and found["void"] and found["fence"] > lease.fence:
                raise LeaseLost from None
            return found is not None and not found["void"]
        return False

    def mark(self, lease: Lease, batch: int, session: ClientSession) -> None:
        """Within the batch's transaction. Raises LeaseLost where somebody settled that it is not to be."""
        self._wrote = True
        try:
            self._kept.insert_one({"_id": self._id(lease, batch), "void": False}, session=session)
        except DuplicateKeyError:
            raise LeaseLost from None

    def forget(self, lease: Lease) -> None:
        """The partition is done: nobody will ask any more. Of what the server masked by itself, nothing is there."""
        if not self._wrote and lease.fence == 1:
            return
        bounds = {"$gte": self._id(lease, 0), "$lte": self._id(lease, lease.batch)}
        self._kept.delete_many({"_id": bounds})

    def _id(self, lease: Lease, batch: int) -> dict[str, Any]:
        return {"run": self._run, "namespace": self._namespace, "number": lease.number, "batch": batch}
