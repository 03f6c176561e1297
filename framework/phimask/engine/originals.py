"""What is to be there of a run's originals, for whoever holds what was masked in place against its vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phimask.engine.left_out import LeftOut
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.run_record import RunRecord
from phimask.plugins.values import Partition


@dataclass(frozen=True, slots=True)
class Originals:
    """A run whose vault has the originals of what was masked in place: its id, its partitions, the quarantined, and
    whether it had a query or a limit. `batches`: how many batches of a partition were written, by its number; left out
    are partitions in which there may be batches with nothing to keep."""

    run: str
    partitions: Sequence[Partition]
    left_out: LeftOut
    partial: bool
    batches: Mapping[int, int]

    @classmethod
    def of(cls, ledger: Ledger, record: RunRecord, namespace: str, left_out: LeftOut) -> Originals:
        """As the ledger has it now. Raises PyMongo's errors."""
        partitions = Partitions(ledger, record.id, namespace)
        uncertain = Quarantine(ledger, record.id, namespace).partitions()
        batches = {number: count for number, count in partitions.batches().items() if number not in uncertain}
        partial = record.query is not None or record.limit is not None
        return cls(record.id, partitions.ranges(), left_out, partial, batches)
