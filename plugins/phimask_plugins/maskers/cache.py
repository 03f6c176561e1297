"""A memory of computed results that is bounded in bytes, however long the values are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_ENTRY: Final = 128
"""Bytes that an entry takes in the table itself, generously."""


class Memo(dict[K, V]):
    """A dict that computes what it lacks: `memo[key]`, at a dict's speed for what it has.

    There are two generations: when the young one has filled half of `limit` bytes it becomes the old one, and
    the old one is forgotten, but for what is asked for again. A result too large for its share is not kept.
    """

    def __init__(self, compute: Callable[[K], V], limit: int) -> None:
        super().__init__()
        self._compute = compute
        self._half = limit // 2
        self._weight = 0
        self._old: dict[K, V] = {}

    def __missing__(self, key: K) -> V:
        value = self._old[key] if key in self._old else self._compute(key)
        weight = _ENTRY + sys.getsizeof(key) + sys.getsizeof(value)
        if weight <= self._half // 8:
            if self._weight + weight > self._half:
                self._old = dict(self)
                self.clear()
                self._weight = 0
            self[key] = value
            self._weight += weight
        return value

    def __repr__(self) -> str:  # its keys are originals
        return f"Memo({len(self)} entries)"
