"""Tells a document's class from its raw bytes as they were read, with as little looking as is enough.

What is cheap comes first: how many bytes there are, and how many of them are zero. Keys, lengths and small numbers
bring zeros and text brings none, so that the two together tell many fields from much text. A decision tree over them is
grown from the pre-scan's sample, and believed only where the sample says that it is right; all else is walked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from phimask.config.model import Limits
from phimask.planning.complexity import CLASSES, Shape, shape
from phimask.plugins.values import ComplexityClass
from phimask.rawbson import MalformedBsonError

_BELIEVED_FROM: Final = 0.04
"""A leaf's expected share of errors, by the rule of succession, up to which nobody looks closer."""
_LEVELS: Final = 5
_LEAST_LEAF: Final = 8
_PARTS: Final = 4
"""Parts of a sample: each is told by a tree that was grown from the others."""
_CHEAP: Final = 2
"""Features that need no walk; the others are those of the shape."""

Features: TypeAlias = tuple[int, ...]


class Seen(NamedTuple):
    """A document of the sample: its bytes and zero bytes as a run reads it, the shape of what it reads, and the class
    of the whole document."""

    size: int
    zeros: int
    part: Shape
    actual: ComplexityClass

    @property
    def features(self) -> Features:
        """What trees judge by, the cheap ones first."""
        return self.size, self.zeros, self.part.fields, self.part.depth, self.part.elements


@dataclass(frozen=True, slots=True)
class _Leaf:
    """Documents whose features lie between `least` and `most` are of this class, as far as the sample knows."""

    kind: ComplexityClass
    believed: bool
    least: Features
    most: Features


@dataclass(frozen=True, slots=True)
class _Split:
    """Features up to `at` go one way, greater ones the other."""

    feature: int
    at: int
    low: _Tree
    high: _Tree


_Tree: TypeAlias = "_Leaf | _Split"


@dataclass(frozen=True, slots=True)
class Check:
    """How well documents are told that the trees were not grown from.

    `matrix`: by actual class, then by predicted one, documents; `walked`: how many had to be looked at closer.
    """

    sample: int
    walked: int
    matrix: dict[ComplexityClass, dict[ComplexityClass, int]]

    @property
    def accuracy_percent(self) -> float | None:
        """Documents whose class was told right, of 100; None where there was no sample."""
        right = sum(self.matrix[kind][kind] for kind in CLASSES)
        return 100 * right / self.sample if self.sample else None


@dataclass(frozen=True, slots=True)
class Classifier:
    """Tells classes. It can be pickled, and goes to the workers with their job.

    `whole`: documents are read whole, so that a walk knows their class. `check`: what a sample says about it.
    `learned`: whether the sample was enough for any class to be told without a walk.
    """

    limits: Limits
    whole: bool
    check: Check
    _cheap: _Tree | None = field(repr=False)
    _closer: _Tree | None = field(repr=False)

    @property
    def learned(self) -> bool:
        """False: every document is walked."""
        return self._cheap is not None and any(leaf.believed for leaf in _leaves(self._cheap))

    def classify(self, raw: bytes) -> ComplexityClass:
        """The class of the whole document, as far as what was read of it tells. Malformed bytes are complex."""
        size = len(raw)
        zeros = zero_bytes(raw)
        found = _believed(self._cheap, (size, zeros))
        if found is not None:
            return found
        try:
            part = shape(raw, self.limits.medium) if self.whole else shape(raw)
        except MalformedBsonError:
            return "complex"
        return _closer(self._closer, (size, zeros, part.fields, part.depth, part.elements), part, self.limits)


def zero_bytes(raw: bytes) -> int:
    """How many bytes of a document are zero."""
    import numpy as np  # noqa: PLC0415  (a quarter of a second of each start, and most runs never ask)

    return len(raw) - int(np.count_nonzero(np.frombuffer(raw, np.uint8)))


def learn(sample: Sequence[Seen], limits: Limits, *, whole: bool) -> Classifier:
    """A classifier from all of a sample, checked on each part of it by trees of the other parts."""
    cheap, closer = _grown(sample, whole=whole)
    return Classifier(limits, whole, _checked(sample, limits, whole=whole), cheap, closer)


def _grown(sample: Sequence[Seen], *, whole: bool) -> tuple[_Tree | None, _Tree | None]:
    if not sample:
        return None, None
    cheap = _tree(sample, _CHEAP, _LEVELS)
    return cheap, None if whole else _tree(sample, len(sample[0].features), _LEVELS)


def _checked(sample: Sequence[Seen], limits: Limits, *, whole: bool) -> Check:
    matrix = {actual: dict.fromkeys(CLASSES, 0) for actual in CLASSES}
    walked = 0
    for part in range(_PARTS if len(sample) >= _PARTS else 0):
        cheap, closer = _grown(
            [one for number, one in enumerate(sample) if number % _PARTS != part], whole=whole
        )
        for one in sample[part::_PARTS]:
            found = _believed(cheap, one.features)
            if found is None:
                walked += 1
                found = _closer(closer, one.features, one.part, limits)
            matrix[one.actual][found] += 1
    return Check(len(sample), walked, matrix)


def _believed(tree: _Tree | None, features: Features) -> ComplexityClass | None:
    """The class, where the sample knew such documents and all but few of them were of it."""
    if tree is None:
        return None
    while isinstance(tree, _Split):
        tree = tree.low if features[tree.feature] <= tree.at else tree.high
    if not tree.believed:
        return None
    (least_size, least_zeros), (most_size, most_zeros) = tree.least, tree.most
    known = least_size <= features[0] <= most_size and least_zeros <= features[1] <= most_zeros
    return tree.kind if known else None


def _closer(tree: _Tree | None, features: Features, part: Shape, limits: Limits) -> ComplexityClass:
    """After a walk. A document is never simpler than what was read of it."""
    seen = part.complexity(limits)
    if tree is None:
        return seen
    while isinstance(tree, _Split):
        tree = tree.low if features[tree.feature] <= tree.at else tree.high
    return max(seen, tree.kind, key=CLASSES.index)


def _leaves(tree: _Tree) -> Iterator[_Leaf]:
    if isinstance(tree, _Split):
        yield from _leaves(tree.low)
        yield from _leaves(tree.high)
    else:
        yield tree


def _tree(sample: Sequence[Seen], features: int, levels: int) -> _Tree:
    """A classification tree by Gini impurity (Breiman and others, Classification and Regression Trees, 1984)."""
    counts = Counter(one.actual for one in sample)
    if levels and len(counts) > 1 and (cut := _best_cut(sample, features)) is not None:
        feature, at = cut
        return _Split(
            feature,
            at,
            _tree([one for one in sample if one.features[feature] <= at], features, levels - 1),
            _tree([one for one in sample if one.features[feature] > at], features, levels - 1),
        )
    kind, right = counts.most_common(1)[0]
    by_feature = list(zip(*(one.features[:_CHEAP] for one in sample), strict=True))
    # The rule of succession (Laplace): what the next document's chance of another class is, not what it was.
    believed = (len(sample) - right + 1) / (len(sample) + 2) <= _BELIEVED_FROM
    return _Leaf(kind, believed, tuple(map(min, by_feature)), tuple(map(max, by_feature)))


def _best_cut(sample: Sequence[Seen], features: int) -> tuple[int, int] | None:
    """The feature and the place where a cut leaves the two sides purest."""
    best: tuple[float, int, int] | None = None
    for feature in range(features):
        ordered = sorted((one.features[feature], one.actual) for one in sample)
        low: Counter[str] = Counter()
        high = Counter(actual for _, actual in ordered)
        for number in range(len(ordered) - 1):
            at, actual = ordered[number]
            low[actual] += 1
            high[actual] -= 1
            following = ordered[number + 1][0]
            if at == following or not _LEAST_LEAF <= number + 1 <= len(ordered) - _LEAST_LEAF:
                continue
            impurity = _impurity(low.values(), number + 1) + _impurity(
                high.values(), len(ordered) - number - 1
            )
            if best is None or impurity < best[0]:
                best = impurity, feature, (at + following) // 2
    return None if best is None else best[1:]


def _impurity(counts: Iterable[int], total: int) -> float:
    """Gini's, times the documents."""
    return total - sum(count * count for count in counts) / total
