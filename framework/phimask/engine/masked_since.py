"""Runs that masked a collection after another run had: they have to be undone before that one can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from phimask.engine.shadow_end import ShadowEnd, is_shadowed
from phimask.ledger.partitions import Partitions
from phimask.ledger.run_record import Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.ledger.swaps import Swaps
from phimask.store.connect import Client
from phimask.store.definition import uuids


@dataclass(frozen=True, slots=True)
class MaskedSince:
    """One collection of a run, and one that masked it later. `undoable`: its originals are still there."""

    namespace: str
    run: str
    undoable: bool


def masked_since(client: Client, runs: Runs, record: RunRecord) -> list[MaskedSince]:
    """What later runs masked of this one's collections and nobody rolled back, the newest first.

    Nothing is written. Raises PyMongo's errors.
    """
    names = {pin.namespace: set(_claims(client, pin)) for pin in record.pins}
    later = runs.later(record, set().union(*names.values()))
    return [
        MaskedSince(namespace, other.id, _undoable(client, runs, other))
        for other in later
        for namespace, claims in names.items()
        if any(_masked(runs, other, pin) for pin in other.pins if pin.claim in claims)
    ]


def _claims(client: Client, pin: Pin) -> Iterator[str]:
    """What tells the collection in the ledger: its own UUID, and that of a shadow which has its name by now."""
    yield pin.claim
    database, _, name = pin.namespace.partition(".")
    now = uuids(client, database, [name]).get(name)
    if now is not None:
        yield now


def _masked(runs: Runs, other: RunRecord, pin: Pin) -> bool:
    if pin.shadow:
        swap = Swaps(runs.ledger, other.id).of(pin.namespace)
        return swap is not None and swap.step == "swapped"
    return Partitions(runs.ledger, other.id, pin.namespace).touched()


def _undoable(client: Client, runs: Runs, other: RunRecord) -> bool:
    if other.state == "finalized":
        return False
    if is_shadowed(other):
        return bool(ShadowEnd(client, runs, other).originals())
    return other.vault is not None
