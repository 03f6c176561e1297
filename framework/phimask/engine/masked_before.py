"""The run that masked a collection in place, as far as the ledger still knows it: what the collection had, and its
vault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pymongo.errors import PyMongoError

from phimask.engine.collection_facts import as_it_was
from phimask.engine.deployments import Deployments
from phimask.engine.left_out import LeftOut
from phimask.engine.originals import Originals
from phimask.errors import PreflightError
from phimask.ledger.remembered import Remembered
from phimask.ledger.run_record import Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.masking.keys import MaskingKey
from phimask.plugins.values import CollectionFacts
from phimask.store.indexes import decoded


@dataclass(frozen=True, slots=True)
class MaskedBefore:
    """The last run that masked a collection to its end, in place or into this target, and the ledger that knows it."""

    record: RunRecord
    deployments: Deployments
    namespace: str

    @classmethod
    def of(cls, pin: Pin, open_ledger: Callable[[], Deployments]) -> MaskedBefore | None:
        """None where no ledger can be read, or it knows of none."""
        try:
            deployments = open_ledger()
            record = Runs(deployments.ledger).completed(pin.claim)
        except (PreflightError, PyMongoError):
            return None
        return None if record is None else cls(record, deployments, pin.namespace)

    def collection(self) -> CollectionFacts | None:
        """The collection as it was when the run began; None where nobody wrote that down."""
        found = [
            decoded(one) for pin in self.record.pins if pin.namespace == self.namespace for one in pin.indexes
        ]
        return as_it_was(self.namespace, found) if found else None

    def remembered(self, keys: Sequence[MaskingKey]) -> Remembered | None:
        """What validators remember of its originals; None where they do not, or it was masked under another key."""
        mine = keys[0].fingerprint if keys else None
        if mine is None or self.record.key_fingerprint != mine or self.record.vault is not None:
            return None
        return Remembered(self.deployments.ledger, self.record.id, self.namespace)

    def originals(self) -> Originals | None:
        """Where they are; None where the run kept none, or they are destroyed. Raises PyMongo's errors."""
        record = self.record
        if record.vault is None or record.state != "completed":
            return None
        return Originals.of(self.deployments.ledger, record, self.namespace, self.left_out())

    def left_out(self) -> LeftOut:
        """The documents that it left out. Raises PyMongo's errors."""
        return LeftOut.of(self.deployments, self.record.id, self.namespace)
