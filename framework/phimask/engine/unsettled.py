"""Which documents of an original others may have changed since they were masked: for whoever verifies its shadow
meanwhile, in whatever process. Only what nobody can have changed is the same in both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from phimask.engine.following import now
from phimask.engine.job import Where
from phimask.errors import Interrupted, StoreError
from phimask.ledger.changes import Changes
from phimask.ledger.opening import Ledger
from phimask.ledger.swaps import Swaps
from phimask.plugins.values import DocumentId
from phimask.store.connect import Client

_LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Those that were changed after the change of this number, by what the run follows of others' writes."""

    ledger: Where
    run: str
    since: int

    def among(
        self,
        source: Client,
        ledger: Ledger,
        namespace: str,
        found: Sequence[DocumentId],
        stopping: Callable[[], bool],
    ) -> set[DocumentId]:
        """Those of documents that were read before this is asked.

        Waits until what was written up to now is known. Raises Interrupted at a stop, and PyMongo's errors.
        """
        moment, swaps = now(source), Swaps(ledger, self.run)
        while True:
            swap = swaps.of(namespace)
            if swap is None:
                raise StoreError(f"{namespace}: the ledger knows no shadow of it any more")
            passed = swap.watch.get("passed")
            if passed is not None and passed >= moment:
                return Changes(ledger, self.run, namespace).among(found, self.since)
            if stopping():
                raise Interrupted("stopped during verification; the masking itself is complete")
            time.sleep(_LOOK_SECONDS)
