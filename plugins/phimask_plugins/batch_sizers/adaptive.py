"""Batches of even time, whatever the documents look like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import BatchBudget, BatchCost, BatchSizer, Meter
from phimask_plugins.batch_sizers.metered import CLASSES, Metered, even

_GROWTH: Final = 2.0
_RECOVERY: Final = 1.1
_LEAST_RELIEF: Final = 1 / 64
_DOCUMENT_IN_BYTES: Final = 4_000
"""How many bytes of BSON cost as much as a document does by itself: the guess that the first batch begins with. An
update takes a server some 0.1 ms whatever its size; masking and moving a megabyte takes some 30 ms."""
_FULL: Final = 0.9
"""Of the bytes allowed: a batch that holds so many was ended by them."""
_LEAST_SECONDS: Final = 1e-6


class AdaptiveBatchSizer(BatchSizer):
    """Ends a batch where what its documents and their bytes cost comes to `target` seconds.

    A batch costs a part for its documents (finding each, updating its indexes) and a part for its bytes (masking,
    moving, logging them): seconds = a * documents + b * bytes. A batch is reckoned document by document as it is
    read, and ends as near to `target` as its documents allow, and not below two thirds of it. This holds for any
    documents, without a guess at the size of the next ones, and is why sizes may swing a thousandfold.

    `a` and `b` are learnt from the ratio of a batch's seconds to those expected, each in proportion to its share of
    them: small documents teach `a`, large ones teach `b`, and a long run of one kind does not unlearn the other.
    The newest batch has the weight `smoothing`, as in an EWMA, here of logarithms, and while few were seen as much as
    in their mean; one that took half of the way from `target` to `longest` is believed at once. Batches far smaller
    than the budget, as at a partition's end, count for little: what they take is mostly fixed.

    Where `documents` or `bytes`, the ceilings, end batches before `target`, all batches are aimed at a tenth more than
    those take: if 2,000 small documents take 0.4 s, batches of large ones are cut to match. Not below 0.15 s, where
    a batch's fixed cost (round trips) would outweigh what evenness is worth.

    Of a batch that would take more than `longest`, the rest is not written once three quarters of that have passed: it
    is read again for the next one.

    From one batch to the next no limit grows more than twofold, unless the last batch was so quick that, scaled up in
    documents and bytes alike, it would still take no more than half of `target`. Neither limit may cost more than
    half of `longest` even if all the time of the cheapest batch seen was its doing, so that the first large document
    after many small ones, or the other way round, finds no budget that rests on a guess alone. A batch over
    `longest` cuts both limits to half of what it held, or less. `shrink` cuts all at once; a tenth of what is left
    comes back with every batch.
    """

    name: ClassVar[str] = "adaptive"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "target": {
                "format": "duration",
                "default": "4s",
                "description": "the time a batch should take",
            },
            "longest": {
                "format": "duration",
                "default": "8s",
                "description": "the time that a batch may take: what would go beyond is left for the next, which is "
                "halved",
            },
            "documents": {
                "type": "integer",
                "minimum": 1,
                "default": 2000,
                "description": "the most documents a batch may hold",
            },
            "first_documents": {
                "type": "integer",
                "minimum": 1,
                "default": 100,
                "description": "how many documents the first batch holds, when nothing is known yet",
            },
            "bytes": {
                "format": "size",
                "default": "16MB",
                "description": "the most BSON bytes a batch may hold, unless one document alone is larger",
            },
            "smoothing": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1,
                "default": 0.3,
                "description": "the weight of the newest batch in what is expected of the next",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._target: float = options["target"]
        self._longest: float = options["longest"]
        self._most_documents: int = options["documents"]
        self._most_bytes: int = options["bytes"]
        self._smoothing: float = options["smoothing"]
        first: int = options["first_documents"]
        if self._target <= 0:
            raise ValueError("target is no time; give it a positive duration such as 4s")
        if self._longest < self._target:
            raise ValueError("longest is below target; make it target or more")
        if self._most_bytes <= 0:
            raise ValueError("bytes is no size; give it a positive size such as 16MB")
        if first > self._most_documents:
            raise ValueError("first_documents is above documents; make it documents or less")
        self._documents = float(first)
        self._bytes = self._most_bytes * first / self._most_documents
        self._per_document = 0.0
        self._per_byte = 0.0
        self._document_at_most = self._byte_at_most = math.inf
        self._at_ceiling = math.inf
        self._relief = 1.0
        self._seen = 1

    def budget(self) -> BatchBudget:
        """Both limits, at least 1 and never above the ceilings."""
        return BatchBudget(max(1, int(self._documents)), max(1, int(self._bytes)))

    def meter(self) -> Meter:
        """Ends the next batch at the seconds aimed at; admits everything while nothing is known."""
        aim = self._aim() * self._relief if self._per_document else math.inf
        return Metered(0.0, dict.fromkeys(CLASSES, (self._per_document, self._per_byte)), aim)

    def longest(self) -> float:
        """The option of this name."""
        return self._longest

    def record(self, cost: BatchCost) -> None:
        """Learn from the batch, then set the next limits."""
        if cost.documents < 1 or cost.bytes < 1:
            return
        seconds = max(cost.seconds, _LEAST_SECONDS)
        self._learn(cost.documents, cost.bytes, seconds)
        self._notice_ceiling(cost.documents, cost.bytes, seconds)
        self._relief = min(1.0, self._relief * _RECOVERY)
        aim = self._aim()
        self._document_at_most = min(self._document_at_most, seconds / cost.documents)
        self._byte_at_most = min(self._byte_at_most, seconds / cost.bytes)
        spare = self._longest / 2
        documents = self._relief * min(self._most_documents, spare / self._document_at_most)
        size = self._relief * min(self._most_bytes, spare / self._byte_at_most)
        scale = aim / 2 / seconds
        self._documents = min(documents, max(self._documents * _GROWTH, cost.documents * scale))
        self._bytes = min(size, max(self._bytes * _GROWTH, cost.bytes * scale))
        # One document alone cannot be halved: its time is its own.
        if seconds > self._longest and cost.documents > 1:
            cut = min(0.5, self._target / seconds)
            self._documents = min(self._documents, cost.documents * cut)
            self._bytes = min(self._bytes, cost.bytes * cut)
        self._documents = max(1.0, self._documents)
        self._bytes = max(1.0, self._bytes)

    def shrink(self, factor: float) -> None:
        """Cut both limits by `factor` at once."""
        relief = max(_LEAST_RELIEF, self._relief * factor)
        factor, self._relief = relief / self._relief, relief
        self._documents = max(1.0, self._documents * factor)
        self._bytes = max(1.0, self._bytes * factor)

    def _aim(self) -> float:
        """Seconds: `target`, or half of `longest`, or a little more than what the batches take that a ceiling ends."""
        return even(min(self._target, self._longest / 2), self._at_ceiling)

    def _notice_ceiling(self, documents: int, size: int, seconds: float) -> None:
        if documents < self._most_documents and size < _FULL * self._most_bytes:
            return
        if self._at_ceiling == math.inf:
            self._at_ceiling = seconds
        self._at_ceiling *= (seconds / self._at_ceiling) ** self._smoothing

    def _learn(self, documents: int, size: int, seconds: float) -> None:
        if self._per_document == 0.0:
            share = 1 / (1 + size / documents / _DOCUMENT_IN_BYTES)
            self._per_document = share * seconds / documents
            self._per_byte = (1 - share) * seconds / size
            return
        for_documents = self._per_document * documents
        for_bytes = self._per_byte * size
        expected = for_documents + for_bytes
        ratio = seconds / expected
        if seconds > (self._target + self._longest) / 2:
            weight = 1.0
        else:
            self._seen += 1
            weight = max(self._smoothing, 1 / self._seen) * min(
                1.0, max(seconds, expected) / (self._aim() * self._relief)
            )
        share = for_documents / expected
        # With these exponents a weight of 1 takes the expectation all the way to the seconds, to first order.
        weight /= share**2 + (1 - share) ** 2
        self._per_document *= ratio ** (weight * share)
        self._per_byte *= ratio ** (weight * (1 - share))
