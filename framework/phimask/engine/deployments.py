"""The deployments of a run: where documents are, where they go, and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from phimask.config.model import Secret
from phimask.engine.job import Where
from phimask.ledger.opening import Ledger
from phimask.planning.namespace import Namespace


@dataclass(frozen=True, slots=True)
class Deployments:
    """The connection strings of what a run works with, and the ledger, opened."""

    source: Secret
    target: Secret | None
    ledger_uri: Secret
    ledger: Ledger

    def of_source(self, namespace: Namespace) -> Where:
        """A collection beside the originals, as each process opens it."""
        return Where(self.source, namespace.database, namespace.collection)

    def of_target(self, namespace: Namespace | None) -> Where | None:
        """A collection that documents are copied into; None where they are masked in place."""
        if namespace is None or self.target is None:
            return None
        return Where(self.target, namespace.database, namespace.collection)

    def of_ledger(self) -> Where:
        """The ledger, whose prefix stands for a collection."""
        return Where(self.ledger_uri, self.ledger.database, self.ledger.prefix)
