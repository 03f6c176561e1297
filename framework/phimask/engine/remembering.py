"""What a worker's validators remember of originals, on its way into the ledger before the batch that masks these."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Final

from bson import ObjectId

from phimask.engine.batches import Batch
from phimask.engine.journal import Journal
from phimask.ledger.remembered import Remembered
from phimask.masking.columns import BoundRule, Gathered, Place
from phimask.masking.keys import MaskingKey
from phimask.masking.unmapped import Unmapped
from phimask.planning.plan import CollectionPlan
from phimask.plugins.interfaces import Validator
from phimask.plugins.values import OriginalValues

VALIDATORS_DOMAIN: Final = "verification"
"""What `MaskingKey.derive` is asked for to get the key of validators' fingerprints."""

_MOST_PATHS: Final = 10_000
_DOCUMENT: Final = itemgetter(2)


def why_nothing(plan: CollectionPlan, keys: Sequence[MaskingKey]) -> str | None:
    """Why nothing can be remembered of a collection that is masked in place; None: it can."""
    if not keys:
        return "originals are remembered by fingerprints under the masking key, and there is none: name one (key)"
    if plan.write_path.path == "server":
        return "MongoDB masked by itself (write.path: server), so nobody has seen the originals"
    return None


class Remembering:
    """One worker's. `note` is told what is about to be masked, batches ahead; `keep` makes safe all that was noted by
    then: nothing is written of which nothing is remembered, whatever becomes of batches meanwhile.

    Once there are more bytes than a validator's `most_kept`, no more is noted, and documents are counted instead.
    """

    def __init__(
        self, validators: Sequence[Validator], rules: Sequence[BoundRule], remembered: Remembered
    ) -> None:
        self._validators = validators
        self._rules = rules
        self._remembered = remembered
        self._most = min(one.most_kept for one in validators)
        self._unkept: list[tuple[ObjectId, str, bytes]] = []
        self._ungrown = 0
        self._full = False
        self._fields: dict[str, tuple[str, str]] = {}

    def note(self, gathered: Sequence[Gathered]) -> None:
        """The values of some documents, a column a rule. Called by one thread at a time."""
        if self._full:
            return
        columns = [
            OriginalValues(
                rule.path,
                column.values,
                partial(map, _DOCUMENT, column.places),
                partial(self._standing, column.places),
            )
            for rule, column in zip(self._rules, gathered, strict=True)
            if column.values and not isinstance(rule.masker, Unmapped)
        ]
        for one in self._validators:
            one.remember(columns)

    def keep(self, journal: Journal, batch: Batch) -> None:
        """See phimask.engine.commit.Keep. Raises PyMongo's errors; then it is called again, or nothing is written."""
        del journal
        if self._full:
            self._remembered.count_beyond(len(batch.identities))
        for one in self._validators:
            self._unkept += [(ObjectId(), one.name, learnt) for learnt in one.learnt()]
        while self._unkept:
            part, name, learnt = self._unkept[-1]
            self._remembered.add(part, name, learnt)
            self._ungrown += len(learnt)
            self._unkept.pop()
        if self._ungrown:
            total = self._remembered.grow(self._ungrown)
            self._ungrown = 0
            self._full = total >= self._most

    def _standing(self, places: Sequence[Place]) -> Iterator[tuple[Hashable, str]]:
        known = self._fields
        for target, key, number, _, path in places:
            if path:
                field = known.get(path)
                if field is None:
                    if len(known) >= _MOST_PATHS:
                        known.clear()
                    field = known[path] = _field(path)
                yield (number, field[0]), field[1]
            else:
                yield id(target), key if type(key) is str else ""


def _field(path: str) -> tuple[str, str]:
    """The path of the sub-document, and the field's name; an array's elements stand where the array does."""
    around, _, name = path.rpartition(".")
    while around and name.isdigit():
        around, _, name = around.rpartition(".")
    return around, name
