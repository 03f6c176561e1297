"""Claims: which run has a collection, so that no two mask it at a time."""

from __future__ import annotations

from collections.abc import Callable

from pymongo.errors import DuplicateKeyError

from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import ENDED, Pin, RunRecord


class Claims:
    """All claims of a ledger; `find` knows runs by their ids."""

    def __init__(self, ledger: Ledger, find: Callable[[str], RunRecord | None]) -> None:
        self._kept = ledger.claims
        self._find = find

    def take_all(self, record: RunRecord) -> list[str]:
        """Take all of a run's collections; what stands in the way of some."""
        return [hazard for pin in record.pins if (hazard := self._take(pin, record.id)) is not None]

    def _take(self, pin: Pin, run: str) -> str | None:
        """None where the collection is the run's now, else what stands in the way."""
        for _ in range(3):
            try:
                self._kept.update_one(
                    {"_id": pin.claim, "run": {"$in": [run, None]}}, {"$set": {"run": run}}, upsert=True
                )
            except DuplicateKeyError:
                held = self._kept.find_one({"_id": pin.claim})
                if held is None or held["run"] is None:
                    continue
                other = self._find(held["run"])
                if other is not None and other.state not in ENDED:
                    return _taken(pin, other)
                # It ended, and was killed before it could say so here.
                self._kept.update_one({"_id": pin.claim, "run": held["run"]}, {"$set": {"run": None}})
            else:
                return None
        return f"{pin.namespace}: another run is beginning on it just now; try again"

    def take_also(self, run: str, claim: str) -> None:
        """A collection that the run has made is nobody else's."""
        self._kept.update_one({"_id": claim}, {"$set": {"run": run}}, upsert=True)

    def holder(self, pin: Pin) -> str | None:
        """What another run that has the collection means for a new one; None: nobody has it."""
        held = self._kept.find_one({"_id": pin.claim})
        other = None if held is None or held["run"] is None else self._find(held["run"])
        return None if other is None or other.state in ENDED else _taken(pin, other)

    def give_back(self, run: str) -> None:
        """The run ended for good: its collections are free."""
        self._kept.update_many({"run": run}, {"$set": {"run": None}})


def _taken(pin: Pin, other: RunRecord) -> str:
    if other.live:
        return (
            f"{pin.namespace}: run {other.id} is masking it, on {other.place}; wait for it, or steer it with `phimask "
            f"status`, `pause` and `stop`"
        )
    if other.state == "rolling_back":
        return f"{pin.namespace}: the rollback of run {other.id} was cut off; go on with `phimask rollback {other.id}`"
    return (
        f"{pin.namespace}: run {other.id} is not finished ({other.standing}); go on with `phimask resume "
        f"{other.id}`, or give it up for good with `phimask finalize {other.id}`"
    )
