"""Undoing a run: every original that its vault holds is put back, partition by partition, however often cut off.

The whole vault is read and opened before the first document is written: what is damaged or missing is said then. How
far it is, and which documents are not what masking left, stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Any, Final

from pymongo.errors import PyMongoError

from phimask.config.model import Retry
from phimask.engine.control import StopSignal
from phimask.engine.indexes import bring_back
from phimask.engine.restoring import COLLIDES, Restored, Restorer
from phimask.errors import Interrupted, PreflightError, StoreError, VaultError
from phimask.ledger.indexes import KeptIndexes
from phimask.ledger.opening import Ledger
from phimask.ledger.rollbacks import Place, Progress, Rollbacks
from phimask.ledger.run_record import RunRecord
from phimask.ledger.runs import Runs
from phimask.masking.fingerprints import FINGERPRINT_DOMAIN, Fingerprint
from phimask.masking.keys import MaskingKey
from phimask.plugins.values import DocumentId
from phimask.store.connect import Client, raw_collection
from phimask.store.raw import extended_json
from phimask.store.retry import retrying, terminal_error
from phimask.vault.contents import Contents, Copy, read, survey
from phimask.vault.records import Original
from phimask.vault.vault import Vault

MOST_LISTED: Final = 10_000
"""So many conflicts of a collection are listed in the report; the ledger has them all."""

_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 8 << 20

_Shared = dict[DocumentId, list[tuple[int, Original]]]
"""Documents that may have been kept several times, with the number of the copy that each original is from."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a rollback works with. `client` is of the deployment that was masked; `tell` gets lines for a person."""

    client: Client
    ledger: Ledger
    vault: Vault
    key: MaskingKey
    retry: Retry
    stop: StopSignal
    tell: Callable[[str], None]


class Rollback:
    """One run's rollback. With `skip_damaged`, what is damaged or missing in the vault stays masked, and everything
    else is put back."""

    def __init__(self, means: Means, record: RunRecord, *, skip_damaged: bool = False) -> None:
        self._means = means
        self._record = record
        self._skip_damaged = skip_damaged
        self._fingerprint = Fingerprint(means.key.derive(FINGERPRINT_DOMAIN))
        self._kept = Rollbacks(means.ledger, record.id)
        self._started = _now()

    def examine(self) -> Contents:
        """What the vault holds; nothing is written. Raises VaultError where it is not whole, and PreflightError where
        a collection is gone."""
        contents = survey(self._means.vault)
        damage = contents.damage + contents.missing(self._written(), self._left_out())
        if damage and not self._skip_damaged:
            advice = (
                "nothing was put back; restore the vault, or give --skip-damaged to put back all but this"
            )
            raise VaultError("\n".join([*damage, advice]))
        contents.damage[:] = damage
        gone = [pin.namespace for pin in self._record.pins if not self._is_there(pin.namespace)]
        if gone:
            raise PreflightError([f"{name} is gone: there is nothing to put originals into" for name in gone])
        return contents

    def _written(self) -> dict[Place, int]:
        """How many batches of each partition are known to be written."""
        found = self._means.ledger.partitions.find({"_id.run": self._record.id}, {"batch": 1})
        return {(one["_id"]["namespace"], one["_id"]["number"]): int(one["batch"]) for one in found}

    def _left_out(self) -> dict[Place, set[int]]:
        """Batches in which documents were left out: nothing else may have been in them, and nothing be kept."""
        left_out: dict[Place, set[int]] = {}
        found = self._means.ledger.quarantine.find({"_id.run": self._record.id}, {"partition": 1, "batch": 1})
        for one in found:
            left_out.setdefault((one["_id"]["namespace"], one["partition"]), set()).add(one["batch"])
        return left_out

    def _is_there(self, namespace: str) -> bool:
        database, _, name = namespace.partition(".")
        return bool(self._means.client[database].list_collection_names(filter={"name": name}))

    def run(self, contents: Contents) -> dict[str, Any]:
        """Put everything back; the report. Raises Interrupted at a stop: another Rollback goes on from there."""
        runs = Runs(self._means.ledger)
        runs.begin_rollback(self._record)
        if self._kept.begin():
            self._means.tell("going on with the rollback that was cut off")
        collections: list[dict[str, Any]] = []
        try:
            for pin in self._record.pins:
                places = {
                    place: copies for place, copies in contents.copies.items() if place[0] == pin.namespace
                }
                self._collection(pin.namespace, places)
                collections.append(self._entry(pin.namespace))
            self._bring_indexes_back()
        except PyMongoError as error:
            self._kept.leave()
            raise terminal_error(error, "rolling back") from None
        except (Interrupted, StoreError):
            self._kept.leave()
            raise
        report = {
            "run_id": self._record.id,
            "started": self._started,
            "finished": _now(),
            "vault": {
                "segments": contents.segments,
                "bytes": contents.bytes,
                "damage": list(contents.damage),
            },
            "collections": collections,
        }
        self._kept.end(report)
        runs.mark(self._record.id, "rolled_back")
        return report

    def _bring_indexes_back(self) -> None:
        """Those that the run dropped and did not come to build again."""
        tell = self._means.tell
        built = bring_back(self._means.client, KeptIndexes(self._means.ledger, self._record.id), warn=tell)
        for namespace, names in built.items():
            tell(f"{namespace}: built again: {', '.join(names)}")

    def _collection(self, namespace: str, places: Mapping[Place, Sequence[Copy]]) -> None:
        database, _, name = namespace.partition(".")
        means = self._means
        restorer = Restorer(
            means.client,
            raw_collection(means.client, database, name),
            self._fingerprint,
            means.retry,
            self._waited,
            lambda: means.stop.stopping,
        )
        for place in sorted(places):
            self._partition(place, places[place], restorer)
        # Under a unique index a value may have to wait until another document has got its own back.
        while self._colliding(namespace, places, restorer):
            pass

    def _partition(self, place: Place, copies: Sequence[Copy], restorer: Restorer) -> None:
        done = self._kept.of(place)
        if done.complete:
            return
        shared = self._shared(copies)
        for number, originals in self._originals(copies, lambda copy: copy.settled or shared is None):
            if number < done.copies and not shared:
                continue
            own = (one for one in originals if not _put_aside(shared, number, one))
            if number < done.copies:
                for _ in own:
                    pass
                continue
            self._restore(place, done, ((one.identity, [one]) for one in own), restorer)
            done.copies = number + 1
            self._kept.save(place, done)
        self._restore(place, done, _in_order(shared), restorer)
        done.complete = True
        self._kept.save(place, done)

    def _shared(self, copies: Sequence[Copy]) -> _Shared | None:
        """The documents of batches of which it is not known that they were written, where these overlap with others;
        None where no two copies can hold the same document."""
        if len({copy.part for copy in copies}) < 2 and len({copy.batch for copy in copies}) == len(copies):
            return None
        shared: _Shared = {}
        for number, originals in self._originals(copies, lambda copy: not copy.settled):
            for one in originals:
                shared.setdefault(one.identity, [])
                _put_aside(shared, number, one)
        return shared

    def _originals(
        self, copies: Sequence[Copy], wanted: Callable[[Copy], bool]
    ) -> Iterator[tuple[int, Iterator[Original]]]:
        """The copies that are wanted, each with its number among all."""
        chosen = [(number, copy) for number, copy in enumerate(copies) if wanted(copy)]
        found = read(self._means.vault, [copy for _, copy in chosen])
        for (number, _), (_, originals) in zip(chosen, found, strict=True):
            yield number, originals

    def _restore(
        self,
        place: Place,
        done: Progress,
        kept: Iterable[tuple[DocumentId, list[Original]]],
        restorer: Restorer,
    ) -> Restored:
        everything = Restored()
        for slice_ in _slices(kept):
            if self._means.stop.stopping:
                raise Interrupted("the rollback was interrupted; give the same command again, and it goes on")
            result = restorer.restore(slice_)
            self._tried(self._kept.list, place, result.conflicts)
            done.restored += result.restored
            done.unmasked += result.unmasked
            everything.add(result)
        return everything

    def _tried(self, do: Callable[..., None], *arguments: Any) -> None:
        stop = self._means.stop
        retrying(self._means.retry, self._waited, lambda: stop.stopping)(do, *arguments)

    def _waited(self, reason: str, seconds: float) -> None:
        self._means.tell(f"waited {seconds:.1f} s ({reason})")

    def _colliding(self, namespace: str, places: Mapping[Place, Sequence[Copy]], restorer: Restorer) -> bool:
        """Try those once more that met another's value in a unique index; false where none of them got further."""
        waiting: dict[Place, set[DocumentId]] = {}
        for place, found, _ in self._kept.conflicts(namespace, COLLIDES):
            waiting.setdefault(place, set()).add(found)
        further = False
        for place, wanted in waiting.items():
            kept: _Shared = {found: [] for found in wanted}
            for number, originals in self._originals(places.get(place, ()), lambda _: True):
                for one in originals:
                    _put_aside(kept, number, one)
            done = self._kept.of(place)
            result = self._restore(place, done, _in_order(kept), restorer)
            settled = wanted - result.conflicts.keys()
            self._kept.settle(place, settled)
            self._kept.save(place, done)
            further = further or bool(settled)
        return further

    def _entry(self, namespace: str) -> dict[str, Any]:
        restored, unmasked, conflicts = self._kept.totals(namespace)
        listed = islice(self._kept.conflicts(namespace), MOST_LISTED)
        return {
            "namespace": namespace,
            "documents": {"restored": restored, "already_original": unmasked, "conflicts": conflicts},
            "conflicts": [{"_id": extended_json(found), "reason": reason} for _, found, reason in listed],
        }


def _put_aside(shared: _Shared | None, number: int, one: Original) -> bool:
    """Whether the document is one of those; then its original is with the others. Twice the same counts once."""
    kept = shared.get(one.identity) if shared else None
    if kept is None:
        return False
    if not kept or (kept[-1][1].restore, kept[-1][1].masked) != (one.restore, one.masked):
        kept.append((number, one))
    else:
        kept[-1] = number, one
    return True


def _in_order(shared: _Shared | None) -> Iterator[tuple[DocumentId, list[Original]]]:
    """Each document with its originals as they were kept, one after the other."""
    for found, kept in (shared or {}).items():
        yield found, [one for _, one in sorted(kept, key=lambda numbered: numbered[0])]


def _slices(
    kept: Iterable[tuple[DocumentId, list[Original]]],
) -> Iterator[dict[DocumentId, list[Original]]]:
    """As much at a time as a transaction may well hold."""
    held: dict[DocumentId, list[Original]] = {}
    size = 0
    for found, originals in kept:
        held[found] = originals
        size += sum(len(one.restore) for one in originals)
        if len(held) >= _AT_ONCE or size >= _BYTES_AT_ONCE:
            yield held
            held, size = {}, 0
    if held:
        yield held


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
