"""Which documents a run left out (quarantined), for whoever verifies it: asked for by the batch, since there may be
millions, and by each process for itself, wherever the ledger is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from phimask.engine.deployments import Deployments
from phimask.engine.job import Where
from phimask.ledger.opening import Ledger
from phimask.ledger.quarantine import Quarantine
from phimask.plugins.values import DocumentId
from phimask.store.connect import Client


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Those of one collection of a run. `count`: how many there were when it was made."""

    ledger: Where
    run: str
    namespace: str
    count: int

    @classmethod
    def of(cls, deployments: Deployments, run: str, namespace: str) -> LeftOut:
        """As many as there are now. Raises PyMongo's errors."""
        count = Quarantine(deployments.ledger, run, namespace).count()
        return cls(deployments.of_ledger(), run, namespace, count)

    def asked_by(
        self, client: Callable[[Where], Client]
    ) -> Callable[[Sequence[DocumentId]], Collection[DocumentId]]:
        """What tells which of some documents are among them. `client` opens the ledger, which is not asked where there
        are none: then nothing is slower for it."""
        if not self.count:
            return none_of
        ledger = Ledger(client(self.ledger), self.ledger.database, self.ledger.collection)
        return Quarantine(ledger, self.run, self.namespace).among


def none_of(found: Sequence[DocumentId]) -> Collection[DocumentId]:
    """Where none were left out."""
    del found
    return ()
