"""Documents that were left out, by `_id`: entered before their batch is written, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bson.binary import Binary
from pymongo import UpdateOne

from phimask.ledger.identities import packed, unpacked
from phimask.ledger.opening import Ledger
from phimask.plugins.values import DocumentId


class Quarantine:
    """One collection's quarantine list in one run."""

    def __init__(self, ledger: Ledger, run: str, namespace: str) -> None:
        self._kept = ledger.quarantine
        self._all = {"_id.run": run, "_id.namespace": namespace}
        self._run, self._namespace = run, namespace

    def forget(self, partition: int, batch: int) -> None:
        """What was entered for this batch, which never was written, or for one behind it."""
        self._kept.delete_many({**self._all, "partition": partition, "batch": {"$gte": batch}})

    def add(self, partition: int, batch: int, found: Mapping[DocumentId, str]) -> None:
        """These documents of this batch."""
        if found:
            self._kept.bulk_write(
                [
                    UpdateOne(
                        {"_id": self._id(one)},
                        {"$set": {"partition": partition, "batch": batch, "reason": reason}},
                        upsert=True,
                    )
                    for one, reason in found.items()
                ],
                ordered=False,
            )

    def take_back(self, partition: int, found: Sequence[DocumentId]) -> None:
        """These documents, if they were entered for this partition."""
        these = {"_id": {"$in": [self._id(one) for one in found]}, "partition": partition}
        self._kept.delete_many(these)

    def listed(self, most: int) -> Iterator[tuple[DocumentId, str]]:
        """So many of them at most, with the reasons."""
        for one in self._kept.find(self._all, limit=most):
            found = unpacked(one["_id"]["document"])
            if found is not None:
                yield found, one["reason"]

    def among(self, wanted: Sequence[DocumentId]) -> set[DocumentId]:
        """Those of the wanted that were entered."""
        found = self._kept.find({"_id": {"$in": [self._id(one) for one in wanted]}}, {"_id": 1})
        return {one for each in found if (one := unpacked(each["_id"]["document"])) is not None}

    def partitions(self) -> set[int]:
        """Those in which documents were left out."""
        return set(self._kept.distinct("partition", self._all))

    def count(self, partition: int | None = None) -> int:
        """How many there are, of one partition or of all."""
        return self._kept.count_documents(self._all | ({} if partition is None else {"partition": partition}))

    def _id(self, found: DocumentId) -> dict[str, str | Binary | None]:
        return {"run": self._run, "namespace": self._namespace, "document": packed(found)}
