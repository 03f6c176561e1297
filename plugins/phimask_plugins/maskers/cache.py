"""Memories of computed results that are bounded in bytes together, however long the values are."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MEGABYTE: Final = 1_000_000
"""The unit of the option `cache`."""

_ENTRY: Final = 160
"""Bytes that an entry takes in the table itself, generously."""
_TRIED: Final = ((512, 0.99), (4096, 2 / 3))
"""After so many values, it does not pay to look for them where more than this share of them were new."""
_RESTING: Final = 65_536
"""So many are then passed by."""


class Allowance:
    """The bytes that some memories may take, all of them together; the largest makes room when they are used up."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._spent = 0
        self._memos: weakref.WeakValueDictionary[int, Memo[Any, Any]] = weakref.WeakValueDictionary()

    def join(self, memo: Memo[Any, Any]) -> None:
        """Count this memory in, for as long as somebody has it."""
        self._memos[id(memo)] = memo

    def spend(self, weight: int) -> None:
        """A memory has grown by so many bytes: let the largest forget until all are within the limit."""
        self._spent += weight
        while self._spent > self.limit:
            # Counted anew only now: memories shrink, and go, without a word.
            memos = list(self._memos.values())
            self._spent = sum(memo.weight for memo in memos)
            if self._spent > self.limit:
                max(memos, key=lambda memo: memo.weight).age()


_SHARED: weakref.WeakValueDictionary[int, Allowance] = weakref.WeakValueDictionary()


def shared_allowance(limit: int) -> Allowance:
    """The allowance of so many bytes that all of this process share who ask for as many."""
    allowance = _SHARED.get(limit)
    if allowance is None:
        allowance = _SHARED[limit] = Allowance(limit)
    return allowance


class Memo(dict[K, V]):
    """A dict that computes what it lacks: `memo[key]`, at a dict's speed for what it has.

    There are two generations: when the young one has filled half of the allowance, or another memory needs the
    room, it becomes the old one, and the old one is forgotten, but for what is asked for again. A result too large
    for its share is not kept.
    """

    def __init__(self, compute: Callable[[K], V], allowance: Allowance | int) -> None:
        super().__init__()
        self._compute = compute
        self._allowance = Allowance(allowance) if isinstance(allowance, int) else allowance
        self._young_weight = self._old_weight = 0
        self._old: dict[K, V] = {}
        self._allowance.join(self)

    @property
    def weight(self) -> int:
        """The bytes that it takes, by estimate."""
        return self._young_weight + self._old_weight

    def age(self) -> None:
        """Forget the old generation, and let the young one be it."""
        self._old, self._old_weight = dict(self), self._young_weight
        self.clear()
        self._young_weight = 0

    def drop(self) -> None:
        """Forget everything."""
        self._old = {}
        self.clear()
        self._young_weight = self._old_weight = 0

    def __missing__(self, key: K) -> V:
        value = self._old[key] if key in self._old else self._compute(key)
        weight = _ENTRY + sys.getsizeof(key) + sys.getsizeof(value)
        limit = self._allowance.limit
        if weight <= limit // 16:
            if self._young_weight + weight > limit // 2:
                self.age()
            self[key] = value
            self._young_weight += weight
            self._allowance.spend(weight)
        return value

    def __repr__(self) -> str:  # its keys are originals
        return f"Memo({len(self)} entries)"


class Repeats:
    """The results of texts that come again, for many texts at a time, where enough of them do: names of towns come
    again, numbers of insured do not. `compute` answers for texts in their order, for each the same at all times."""

    def __init__(self, compute: Callable[[Sequence[str]], list[Any]], limit: int) -> None:
        self._compute = compute
        self._limit = limit
        self._known: dict[str, Any] = {}
        self._asked = self._new = self._resting = 0
        self.weight = 0
        """The bytes that it takes, by estimate."""

    def of(self, texts: Sequence[str]) -> list[Any]:
        """What `compute` makes of each."""
        if self._resting > 0:
            self._resting -= len(texts)
            return self._compute(texts)
        found = [*map(self._known.get, texts)]
        new = [*dict.fromkeys(text for text, result in zip(texts, found, strict=True) if result is None)]
        if new:
            made = dict(zip(new, self._compute(new), strict=True))
            found = [
                made[text] if result is None else result for text, result in zip(texts, found, strict=True)
            ]
            self._keep(made)
        self._asked += len(texts)
        self._new += len(new)
        self._judge()
        return found

    def _judge(self) -> None:
        in_vain = any(self._asked >= tried and self._new > share * self._asked for tried, share in _TRIED)
        if in_vain:
            self.drop()
            self._resting = _RESTING
        if in_vain or self._asked >= _TRIED[-1][0]:
            self._asked = self._new = 0

    def drop(self) -> None:
        """Forget everything."""
        self._known.clear()
        self.weight = 0

    def _keep(self, made: Mapping[str, Any]) -> None:
        weight = _ENTRY * len(made) + sum(map(sys.getsizeof, made)) + sum(map(sys.getsizeof, made.values()))
        if self.weight + weight > self._limit:
            self.drop()
        if weight <= self._limit:
            self._known.update(made)
            self.weight += weight

    def __repr__(self) -> str:  # its keys are originals
        return f"Repeats({len(self._known)} entries)"
