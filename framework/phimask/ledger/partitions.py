"""Partitions in the ledger: leased by one worker at a time, each step of theirs written under the lease's fence.

A lease is a claim that ends by itself: whoever holds it renews it, and who finds it expired takes it over, with a
higher fence. Every write of a holder asks for its own fence, so that one who was taken for dead, and is not, changes
nothing any more. All times are compared by the server that keeps them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, get_args

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from phimask.errors import SafeStop
from phimask.ledger.identities import packed, unpacked
from phimask.ledger.leases import Intent, Lease, LeaseLost
from phimask.ledger.opening import Ledger
from phimask.observing.tally import Tally, total
from phimask.plugins.values import DocumentId, Lane, Partition

LEASE_SECONDS: Final = 30.0
"""How long a lease lasts unless it is renewed."""
RENEWAL_SECONDS: Final = 5.0
"""How often a holder renews it."""
_MARGIN_SECONDS: Final = 5.0
"""By so much earlier than the server a holder regards its own lease as expired."""
_LONG_AGO: Final = datetime(2000, 1, 1)  # noqa: DTZ001  (as PyMongo decodes dates)


class Partitions:
    """One collection's partitions in one run."""

    def __init__(
        self, ledger: Ledger, run: str, namespace: str, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._kept = ledger.partitions
        self._runs = ledger.runs
        self._run = run
        self._namespace = namespace
        self._lease_seconds = lease_seconds
        self._all = {"_id.run": run, "_id.namespace": namespace}

    def add(self, partitions: Iterable[Partition], first: int = 0) -> Iterator[Partition]:
        """Enter partitions as they are cut, numbered from `first` on; gives back each that was entered.

        Raises SafeStop where somebody else cuts the collection too.
        """
        for number, one in enumerate(partitions, first):
            self._enter(number, one.after, one.upto, one.documents)
            yield Partition(number, one.after, one.upto, one.documents)

    def _enter(
        self,
        number: int,
        after: DocumentId | None,
        upto: DocumentId | None,
        documents: int | None,
        *,
        split_off: bool = False,
    ) -> None:
        document = {
            "_id": self._id(number),
            "split_off": split_off,
            "lane": "ordinary",
            "after": packed(after),
            "upto": packed(upto),
            "end": packed(upto),  # stays, whatever is split off
            "documents": documents,
            "state": "open",
            "worker": None,
            "fence": 0,
            "renewed": _LONG_AGO,
            "watermark": packed(after),
            "batch": 0,
            "tally": None,
            "intent": None,
            "crashes": 0,
            "suspect": None,
            "struck": None,
            "poison": None,
            "split_wanted": False,
            "split": None,
        }
        try:
            self._kept.insert_one(document)
        except DuplicateKeyError:
            # Entered before, by an attempt whose answer was lost; or by another who cuts elsewhere. A majority may not
            # have it yet, so that a read might not find it; a write does, and waits for them.
            there = self._kept.find_one_and_update(
                {"_id": document["_id"]}, {"$set": {"split_off": split_off}}
            )
            if there is None or (unpacked(there["after"]), unpacked(there["end"])) != (after, upto):
                raise SafeStop(
                    f"partitions of {self._namespace} are being cut by two coordinators of run {self._run}; this one "
                    "stops, since ranges of both together would leave documents out"
                ) from None

    def last(self) -> tuple[int, DocumentId | None] | None:
        """The number and end of the range that was cut last; None where there is none."""
        found = self._kept.find_one({**self._all, "split_off": False}, sort=[("_id.number", -1)])
        return None if found is None else (found["_id"]["number"], unpacked(found["end"]))

    def ranges(self) -> list[Partition]:
        """All partitions as they are, in the order of their numbers."""
        fields = {"after": True, "upto": True}
        return [
            Partition(one["_id"]["number"], unpacked(one["after"]), unpacked(one["upto"]))
            for one in self._kept.find(self._all, fields, sort=[("_id", 1)])
        ]

    def batches(self) -> dict[int, int]:
        """How many batches of each were written, by its number."""
        return {
            one["_id"]["number"]: int(one["batch"]) for one in self._kept.find(self._all, {"batch": True})
        }

    def lease(self, worker: str, lane: Lane = "ordinary", besides: int | None = None) -> Lease | None:
        """The lane's first partition that nobody holds, or whose holder's lease expired; None: there is none now.
        `besides`: the number of one that the worker has still in hand."""
        expired = {"$lt": ["$renewed", {"$subtract": ["$$NOW", int(self._lease_seconds * 1000)]}]}
        free: list[dict[str, Any]] = [
            {"state": "open"},
            {"state": "leased", "worker": worker},
            {"state": "leased", "$expr": expired},
        ]
        # A worker that asks again since an answer was lost has not died; one that was replaced under its name has.
        anothers = {"$or": [{"$ne": ["$worker", {"$literal": worker}]}, expired]}
        taken_over = {"$and": [{"$eq": ["$state", "leased"]}, anothers]}
        in_hand = {"$and": [taken_over, {"$ne": ["$suspect", None]}]}
        again = {"$and": [in_hand, {"$eq": ["$suspect", "$struck"]}]}
        asked = time.monotonic()
        found = self._kept.find_one_and_update(
            {**self._all, **_in_lane(lane), "_id.number": {"$ne": besides}, "$or": free},
            [
                {
                    "$set": {
                        "state": "leased",
                        "worker": {"$literal": worker},
                        "fence": {"$add": ["$fence", 1]},
                        "renewed": "$$NOW",
                        "crashes": {"$add": ["$crashes", {"$cond": [taken_over, 1, 0]}]},
                        "struck": {"$cond": [in_hand, "$suspect", "$struck"]},
                        "poison": {"$cond": [again, "$suspect", "$poison"]},
                        "suspect": None,
                        "split_wanted": False,
                    }
                }
            ],
            sort=[("_id.number", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        lease = Lease(
            number=found["_id"]["number"],
            fence=found["fence"],
            after=unpacked(found["after"]),
            upto=unpacked(found["upto"]),
            documents=found["documents"],
            watermark=unpacked(found["watermark"]),
            batch=found["batch"],
            tally=Tally.of(found["tally"]),
            intent=None if found["intent"] is None else Intent.of(found["intent"]),
            crashes=found["crashes"],
            struck=unpacked(found["struck"]),
            poison=unpacked(found["poison"]),
            expires=self._expiry(asked),
            first_batch=found["batch"],
            split=found["split"],
            lane=found.get("lane", "ordinary"),
        )
        with contextlib.suppress(LeaseLost):  # as its first write will find
            self._finish_split(lease)
        return lease

    def renew(self, lease: Lease) -> None:
        """Hold it for longer. Raises LeaseLost."""
        self._write(lease, {})

    def advance(self, lease: Lease, intent: Intent | None) -> None:
        """Close what the lease says is done, and open the next batch, in one write. Raises LeaseLost."""
        self._write(lease, {**self._progress(lease), "intent": None if intent is None else intent.document()})

    @staticmethod
    def _progress(lease: Lease) -> dict[str, Any]:
        return {
            "watermark": packed(lease.watermark),
            "batch": lease.batch,
            "tally": lease.tally.document(),
            "crashes": 0 if lease.batch > lease.first_batch else lease.crashes,
            "suspect": None,
            "struck": packed(lease.struck),
            "poison": packed(lease.poison),
        }

    def suspect(self, lease: Lease, found: DocumentId) -> None:
        """Remember a document that is about to be masked alone, since one of them ended workers before."""
        self._write(lease, {"suspect": packed(found)})

    def finish(self, lease: Lease) -> None:
        """The partition is done. Raises LeaseLost."""
        self._close(lease, "done")

    def release(self, lease: Lease) -> None:
        """The holder ends at a batch's end; whoever comes next goes on there. Raises LeaseLost."""
        self._close(lease, "open")

    def set_aside(self, lease: Lease) -> None:
        """What is left of it waits for whoever takes the lane of oversize documents. Raises LeaseLost.

        As `release`; the lane changes in the same write.
        """
        self._close(lease, "open", lane="oversize")

    def leave(self, lease: Lease) -> None:
        """The holder ends with a batch open; whoever comes next finds out what became of it. Raises LeaseLost."""
        self._write(lease, {"state": "open", "worker": None})

    def _close(self, lease: Lease, state: str, **besides: Any) -> None:
        self._write(
            lease,
            {
                **self._progress(lease),
                "intent": None,
                "crashes": 0,
                "state": state,
                "worker": None,
                **besides,
            },
        )

    def _write(self, lease: Lease, fields: dict[str, Any]) -> None:
        update: dict[str, Any] = {"$currentDate": {"renewed": True}}
        if fields:
            update["$set"] = fields
        asked = time.monotonic()
        found = self._kept.find_one_and_update(
            {"_id": self._id(lease.number), "fence": lease.fence}, update, projection={"split_wanted": 1}
        )
        if found is None:
            raise LeaseLost
        lease.split_wanted = bool(found["split_wanted"])
        lease.expires = self._expiry(asked)

    def _expiry(self, asked: float) -> float:
        return asked + self._lease_seconds - min(_MARGIN_SECONDS, self._lease_seconds / 4)

    def want_splits(self) -> None:
        """Ask all holders to give away half of what they have left: somebody has nothing to do."""
        self._kept.update_many({**self._all, "state": "leased"}, {"$set": {"split_wanted": True}})

    def look(self, lease: Lease) -> None:
        """See whether that is asked of this holder. Raises LeaseLost."""
        found = self._kept.find_one(
            {"_id": self._id(lease.number), "fence": lease.fence}, {"split_wanted": 1}
        )
        if found is None:
            raise LeaseLost
        lease.split_wanted = bool(found["split_wanted"])

    def split(self, lease: Lease, middle: DocumentId) -> None:
        """Give away what lies beyond `middle`, which nothing was read of yet. Raises LeaseLost.

        May be called again after an error that passes: what was given away then is entered now.
        """
        if lease.split is None:
            self._give_away(lease, middle)
        self._finish_split(lease)

    def _give_away(self, lease: Lease, middle: DocumentId) -> None:
        numbered = self._runs.find_one_and_update(
            {"_id": self._run}, {"$inc": {"splits": 1}}, return_document=ReturnDocument.AFTER
        )
        number = _FIRST_SPLIT + (numbered["splits"] if numbered else 0)
        split = {"number": number, "after": packed(middle), "upto": packed(lease.upto)}
        self._write(lease, {"upto": packed(middle), "documents": None, "split": split, "split_wanted": False})
        lease.upto, lease.documents, lease.split = middle, None, split

    def _finish_split(self, lease: Lease) -> None:
        split = lease.split
        if split is not None:
            self._enter(
                split["number"], unpacked(split["after"]), unpacked(split["upto"]), None, split_off=True
            )
            self._write(lease, {"split": None})
            lease.split = None

    def abandon(self, worker: str) -> None:
        """That worker is dead for certain: its leases end now."""
        self._kept.update_many(
            {**self._all, "state": "leased", "worker": worker}, {"$set": {"renewed": _LONG_AGO}}
        )

    def holders(self) -> list[str]:
        """The workers that hold a partition."""
        return sorted(self._kept.distinct("worker", {**self._all, "state": "leased"}))

    def states(self, *lanes: Lane) -> dict[str, int]:
        """How many partitions are open, leased, done, withdrawn: in these lanes, or in all."""
        chosen: list[Mapping[str, Any]] = [_in_lane(lane) for lane in lanes or get_args(Lane)]
        pipeline: list[Mapping[str, Any]] = [
            {"$match": {**self._all, "$or": chosen}},
            {"$group": {"_id": "$state", "count": {"$sum": 1}}},
        ]
        counts = {one["_id"]: int(one["count"]) for one in self._kept.aggregate(pipeline)}
        return {state: counts.get(state, 0) for state in ("open", "leased", "done", "withdrawn")}

    def left(self) -> int:
        """How many are not finished."""
        states = self.states()
        return states["open"] + states["leased"]

    def touched(self) -> bool:
        """Whether any batch was begun."""
        begun = {"$or": [{"batch": {"$gt": 0}}, {"intent": {"$ne": None}}]}
        return self._kept.find_one({**self._all, **begun}, {"_id": 1}) is not None

    def tally(self) -> Tally:
        """All counts so far, of closed batches."""
        return total(Tally.of(one["tally"]) for one in self._kept.find(self._all, {"tally": 1}))

    def _id(self, number: int) -> dict[str, Any]:
        return {"run": self._run, "namespace": self._namespace, "number": number}


def _in_lane(lane: Lane) -> dict[str, Any]:
    return {"lane": "oversize" if lane == "oversize" else {"$ne": "oversize"}}


_FIRST_SPLIT: Final = 1_000_000_000
"""Parts that were split off get numbers from here on, so that they never meet those of the partitioner."""
