"""Counts by path: of values that no rule names by BSON type, of findings by kind; in memory that is bounded.

A key may be data: a sub-document of visits by patients' names has as many keys as there are patients. One with more
different keys than a schema has is taken for such, and all its keys become one, `*`. What they come to does not
depend on the order in which documents are met, nor on which worker meets them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

ANY: Final = "*"
"""Stands for a key that may be data."""
_ALL: Final = "**"
"""The same where all keys of a sub-document do, as the ledger keeps it. No field's name looks like either."""

MOST_KEYS: Final = 64
"""A sub-document with more different keys than this, over all documents, holds data in them."""
MOST_FIELDS: Final = 1000
"""The same of documents themselves, whose keys are hardly ever data: some are tables of hundreds of columns."""
_MOST_PATHS: Final = 10_000
"""Beyond so many all that is new is counted under `*`: no schema has them."""


class _Node:
    """What was counted at a path, by kind, and below it. `joined`: its keys have become one, since they were more than
    `most`; `below`: the same of its children."""

    __slots__ = ("below", "children", "joined", "kinds", "most")

    def __init__(self, most: int, below: int) -> None:
        self.most = most
        self.below = below
        self.children: dict[str, _Node] = {}
        self.kinds: dict[str, int] = {}
        self.joined = False

    def find(self, key: str) -> _Node | None:
        """Where values of this key are counted; None: they need a place first."""
        if self.joined:
            key = ANY
        return self.children.get(key) if key != _ALL else None

    def make(self, key: str) -> _Node:
        """The same with a place made for them."""
        if key == _ALL and not self.joined:
            self._make_one()
        found = self.find(ANY if self.joined else key)
        if found is None:
            found = self.children[ANY if self.joined else key] = _Node(self.below, self.below)
            if len(self.children) > self.most:
                self._make_one()
                found = self.children[ANY]
        return found

    def _make_one(self) -> None:
        """Put what stands under all keys together."""
        self.joined = True
        parts = [*self.children.values()]
        self.children = {ANY: parts[0]} if parts else {}
        for other in parts[1:]:
            parts[0]._take_in(other)

    def _take_in(self, other: _Node) -> None:
        for kind, values in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + values
        for key, child in other.children.items():
            self.make(_ALL if other.joined else key)._take_in(child)

    def listed(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, int]]:
        """Paths, kinds and counts, here and below."""
        for kind, values in self.kinds.items():
            yield path, kind, values
        for key, child in self.children.items():
            yield from child.listed((*path, _ALL if self.joined else key))


class PathCounts:
    """How many there are at a path, by kind: a BSON type, what a validator found. A sub-document with more keys than
    `most_keys` has data in them."""

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._root = _Node(MOST_FIELDS, most_keys)
        self._made = 0
        self._full = False

    def __bool__(self) -> bool:
        return bool(self._root.children or self._root.kinds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathCounts) and sorted(self.kept()) == sorted(other.kept())

    __hash__ = None  # type: ignore[assignment]

    def count(self, path: Sequence[str], kind: str, values: int = 1) -> None:
        """So many more at a path of keys, those that may be data by their look given as ANY."""
        node = self._root
        for key in path:
            found = node.find(key)
            if found is None:
                node = self._made_for(path)
                break
            node = found
        node.kinds[kind] = node.kinds.get(kind, 0) + values

    def _made_for(self, path: Sequence[str]) -> _Node:
        if self._made >= _MOST_PATHS and not self._full:
            # Of what was made, some may have become one since.
            self._made = sum(1 for _ in self._root.listed())
            self._full = self._made > _MOST_PATHS // 2
        node = self._root.make(ANY if self._full else path[0])
        for key in () if self._full else path[1:]:
            node = node.make(key)
        self._made += 1
        return node

    def add(self, other: PathCounts) -> None:
        """Take another's counts in."""
        for path, kind, values in other._root.listed():
            self.count(path, kind, values)

    def told(self) -> dict[tuple[str, str], int]:
        """By dotted path and kind, as people are told it: `*` for keys that may be data."""
        counts: Counter[tuple[str, str]] = Counter()
        for path, kind, values in self._root.listed():
            counts[".".join(ANY if key == _ALL else key for key in path), kind] += values
        return dict(counts)

    def kept(self) -> list[list[Any]]:
        """As the ledger keeps it: dotted path, kind and count."""
        return [[".".join(path), kind, values] for path, kind, values in self._root.listed()]

    @classmethod
    def of(cls, kept: Iterable[Sequence[Any]]) -> PathCounts:
        """From what the ledger keeps."""
        found = cls()
        for path, kind, values in kept:
            found.count(path.split(".") if path else (), kind, values)
        return found


def with_few_paths(found: Mapping[tuple[str, str | None], int]) -> Counter[tuple[str, str | None]]:
    """How often what was found at which path, by validators or detectors: the same bound for keys that may be data."""
    few: Counter[tuple[str, str | None]] = Counter()
    paths = PathCounts()
    for (what, path), count in found.items():
        if path is None or _ALL in path or '"' in path:  # a rule's own spelling
            few[what, path] += count
        else:
            paths.count(path.split("."), what, count)
    for (path, what), count in paths.told().items():
        few[what, path] += count
    return few
