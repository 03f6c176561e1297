"""Classification trees over whole numbers, grown from examples, small enough to be read in a ledger.

Source: L. Breiman and others, Classification and Regression Trees, 1984 (binary cuts by Gini impurity).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any, Final, TypeAlias

from phimask.plugins.values import ComplexityClass

_LEVELS: Final = 8
_LEAST_LEAF: Final = 8
_BELIEVED_TO: Final = 0.04
"""A leaf's expected share of errors up to which it is believed."""

Features: TypeAlias = tuple[int, ...]
Example: TypeAlias = tuple[Features, ComplexityClass]


@dataclass(frozen=True, slots=True)
class Leaf:
    """Examples whose features lay between `least` and `most`: `kind` is the class of most of them, and where it is
    `believed` of so many that the next one is expected to be of it, too."""

    kind: ComplexityClass
    believed: bool
    least: Features
    most: Features

    def knows(self, features: Features) -> bool:
        """Whether it has seen the like: nothing less, nothing more of any feature."""
        return all(map(le, self.least, features)) and all(map(le, features, self.most))


@dataclass(frozen=True, slots=True)
class Split:
    """Where a feature is `at` most, `low` knows more, else `high`."""

    feature: int
    at: int
    low: Tree
    high: Tree


Tree: TypeAlias = "Leaf | Split"


def leaf_of(tree: Tree, features: Features) -> Leaf:
    """Where these features lead."""
    while isinstance(tree, Split):
        tree = tree.low if features[tree.feature] <= tree.at else tree.high
    return tree


def leaves(tree: Tree) -> Iterator[Leaf]:
    """All leaves."""
    if isinstance(tree, Split):
        yield from leaves(tree.low)
        yield from leaves(tree.high)
    else:
        yield tree


def grown(examples: Sequence[Example], levels: int = _LEVELS) -> Tree:
    """A tree from examples, of which there is one at least."""
    counts = Counter(actual for _, actual in examples)
    if levels and len(counts) > 1 and (cut := _best_cut(examples)) is not None:
        feature, at = cut
        return Split(
            feature,
            at,
            grown([one for one in examples if one[0][feature] <= at], levels - 1),
            grown([one for one in examples if one[0][feature] > at], levels - 1),
        )
    kind, right = counts.most_common(1)[0]
    # Laplace's rule of succession: the chance that the next one is of another class. A few right ones prove little.
    believed = (len(examples) - right + 1) / (len(examples) + 2) <= _BELIEVED_TO
    by_feature = list(zip(*(features for features, _ in examples), strict=True))
    return Leaf(kind, believed, tuple(map(min, by_feature)), tuple(map(max, by_feature)))


def _best_cut(examples: Sequence[Example]) -> tuple[int, int] | None:
    """The feature and the place where a cut leaves the two sides purest."""
    best: tuple[float, int, int] | None = None
    for feature in range(len(examples[0][0])):
        ordered = sorted((features[feature], actual) for features, actual in examples)
        low: Counter[str] = Counter()
        high = Counter(actual for _, actual in ordered)
        for number in range(1, len(ordered)):
            at, actual = ordered[number - 1]
            low[actual] += 1
            high[actual] -= 1
            following = ordered[number][0]
            if at == following or not _LEAST_LEAF <= number <= len(ordered) - _LEAST_LEAF:
                continue
            impurity = _impurity(low.values(), number) + _impurity(high.values(), len(ordered) - number)
            if best is None or impurity < best[0]:
                best = impurity, feature, (at + following) // 2
    return None if best is None else best[1:]


def _impurity(counts: Iterable[int], total: int) -> float:
    """Gini's, times the examples."""
    return total - sum(count * count for count in counts) / total


def as_data(tree: Tree | None) -> Mapping[str, Any] | None:
    """A tree as the ledger keeps it."""
    if tree is None:
        return None
    if isinstance(tree, Split):
        return {"feature": tree.feature, "at": tree.at, "low": as_data(tree.low), "high": as_data(tree.high)}
    return {
        "kind": tree.kind,
        "believed": tree.believed,
        "least": list(tree.least),
        "most": list(tree.most),
    }


def from_data(kept: Mapping[str, Any] | None) -> Tree | None:
    """From what `as_data` gave."""
    return None if kept is None else _from_data(kept)


def _from_data(kept: Mapping[str, Any]) -> Tree:
    if "kind" in kept:
        return Leaf(kept["kind"], kept["believed"], tuple(kept["least"]), tuple(kept["most"]))
    return Split(kept["feature"], kept["at"], _from_data(kept["low"]), _from_data(kept["high"]))
