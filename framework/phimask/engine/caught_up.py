"""Documents that others have changed, put into the shadow as they are now: masked, or taken out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from phimask.engine.preparing import Preparer
from phimask.ledger.quarantine import Quarantine
from phimask.masking.core import MaskingCore
from phimask.masking.unmapped import Unmapped
from phimask.observing.tally import Tally
from phimask.planning.conditions import Conditions
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan
from phimask.planning.preflight import gone
from phimask.plugins.values import DocumentId
from phimask.store.raw import by_ids, identity, split
from phimask.store.source import ID_ORDER
from phimask.store.writing import insert

_QUARANTINED: Final = -1
"""In place of a partition's number, of documents that could not be masked when they were caught up."""


class CaughtUp:
    """One collection's; `tally` counts their values."""

    def __init__(self, plan: CollectionPlan, quarantine: Quarantine) -> None:
        drift = plan.rules[0].masker if plan.rules and isinstance(plan.rules[0].masker, Unmapped) else None
        self._source = plan.source.raw()
        self._quarantine = quarantine
        self.tally = Tally()
        self._preparer = Preparer(
            source=self._source,
            core=MaskingCore(plan.rules, plan.file.subject, plan.file.on_error),
            conditions=Conditions(plan.rules),
            sample=0,
            copies=True,
            drift=drift,
            halts=plan.file.unmapped == "halt",
            gone=lambda: gone(plan.source, plan.preflight.uuid),
        )

    def put(self, wanted: Sequence[DocumentId], shadow: Namespace) -> None:
        """These documents as they are now. May be done again. Raises SafeStop of rules, and PyMongo's errors."""
        target = shadow.raw()
        missing = dict.fromkeys(wanted)
        for reply in self._source.find_raw_batches(by_ids(wanted), hint=ID_ORDER):
            documents = list(split(reply))
            if not documents:
                continue
            batch = self._preparer.prepare(documents, whole=True)
            masked = {write.identity: write.bson for write in batch.writes}
            refused = insert(target, masked).refused if masked else {}
            if refused:
                # Two documents that exchange a unique value are in each other's way.
                target.delete_many(by_ids(refused))
                refused = insert(target, {one: masked[one] for one in refused}).refused
            left_out = {**batch.quarantined, **refused}
            if left_out:
                target.delete_many(by_ids(left_out))
            self._quarantine.take_back(_QUARANTINED, [identity(raw) for raw in documents])
            self._quarantine.add(_QUARANTINED, 0, left_out)
            self.tally.add(batch.tally())
            for one in batch.identities:
                missing.pop(one, None)
        if missing:
            self._quarantine.take_back(_QUARANTINED, list(missing))
            target.delete_many(by_ids(missing))

    def left_out(self) -> int:
        """How many are in quarantine."""
        return self._quarantine.count(_QUARANTINED)
