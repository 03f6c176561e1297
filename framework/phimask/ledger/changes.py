"""Documents that others changed while a shadow of their collection was made: a set by `_id`, each with the number and
the kind of its last change. What was changed again has a greater number, so that no change is taken for done by
mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bson.binary import Binary
from pymongo import UpdateOne

from phimask.ledger.identities import packed, unpacked
from phimask.ledger.opening import Ledger
from phimask.plugins.values import DocumentId

_BY_NUMBER: Final = [("_id.run", 1), ("_id.namespace", 1), ("number", 1)]


_PIECE: Final = 100


class Changes:
    """One collection's in one run, in the ledger's collection `changes`."""

    def __init__(self, ledger: Ledger, run: str, namespace: str) -> None:
        self._kept = ledger.named("changes")
        self._all = {"_id.run": run, "_id.namespace": namespace}
        self._run, self._namespace = run, namespace

    def begin(self) -> None:
        """Make the index by which they are read."""
        self._kept.create_index(_BY_NUMBER)

    def record(self, changed: Mapping[DocumentId, tuple[int, str]]) -> None:
        """These documents were changed: number and kind of each one's last change. May be said again."""
        if changed:
            self._kept.bulk_write(
                [
                    UpdateOne(
                        {"_id": self._id(one)},
                        {"$max": {"number": number}, "$set": {"kind": kind}},
                        upsert=True,
                    )
                    for one, (number, kind) in changed.items()
                ],
                ordered=False,
            )

    def listed(
        self, after: int, upto: int | None, limit: int, kind: str | None = None
    ) -> list[tuple[DocumentId, int, str]]:
        """The first of those whose number lies behind `after`, and not behind `upto`, in their order; with `kind`, of
        those whose last change was of it."""
        cursor = self._kept.find(self._between(after, upto, kind), sort=[("number", 1)], limit=limit)
        found = [(unpacked(one["_id"]["document"]), one["number"], one["kind"]) for one in cursor]
        return [(one, number, kind) for one, number, kind in found if one is not None]

    def among(self, wanted: Sequence[DocumentId], after: int) -> set[DocumentId]:
        """Those of the wanted that were changed since."""
        found = self._kept.find({"_id": {"$in": [self._id(one) for one in wanted]}, "number": {"$gt": after}})
        return {one for each in found if (one := unpacked(each["_id"]["document"])) is not None}

    def count(self, after: int = 0, kind: str | None = None) -> int:
        """How many documents were changed since; with `kind`, those whose last change was of it."""
        return self._kept.count_documents(self._between(after, None, kind))

    def forget(self) -> None:
        """They are not needed any more."""
        self._kept.delete_many(self._all)

    def _between(self, after: int, upto: int | None, kind: str | None) -> dict[str, Any]:
        until = {} if upto is None else {"$lte": upto}
        of_kind = {} if kind is None else {"kind": kind}
        return {**self._all, "number": {"$gt": after, **until}, **of_kind}

    def _id(self, found: DocumentId) -> dict[str, str | Binary | None]:
        return {"run": self._run, "namespace": self._namespace, "document": packed(found)}


class Pieces:
    """All that `Changes.listed` has, some at a time, each time they are asked for."""

    def __init__(self, changes: Changes, after: int, upto: int | None, kind: str | None = None) -> None:
        self._changes, self._after, self._upto, self._kind = changes, after, upto, kind

    def __iter__(self) -> Iterator[tuple[DocumentId, ...]]:
        after = self._after
        while found := self._changes.listed(after, self._upto, _PIECE, self._kind):
            yield tuple(one for one, _, _ in found)
            after = found[-1][1]
