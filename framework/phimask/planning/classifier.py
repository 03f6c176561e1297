"""Tells a document's class from its raw bytes as they were read, with as little looking as is enough.

What is cheap comes first: how many bytes there are, and how many of them are zero. Keys, lengths and small numbers
bring zeros and text brings none, so that the two together tell many fields from much text. A decision tree over them is
grown from the pre-scan's sample, and believed only where the sample says that it is right; all else is walked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from phimask.config.model import ClassLimits, Limits
from phimask.planning.complexity import CLASSES, Shape, shape, zeros_of
from phimask.planning.trees import Tree, as_data, from_data, grown, leaf_of, leaves
from phimask.plugins.values import ComplexityClass
from phimask.rawbson import MalformedBsonError

_PARTS: Final = 4
"""Parts of a sample: each is told by trees that were grown from the others."""


class Seen(NamedTuple):
    """A document of the sample: its bytes and zero bytes as a run reads it, the shape of what it reads, and the class
    of the whole document."""

    size: int
    zeros: int
    part: Shape
    actual: ComplexityClass


@dataclass(frozen=True, slots=True)
class Check:
    """How well documents of the sample were told by trees that had not seen them.

    `matrix`: by actual class, then by the one that was told, documents; `walked`: how many had to be looked at closer.
    """

    walked: int
    matrix: Mapping[ComplexityClass, Mapping[ComplexityClass, int]]

    def report(self) -> dict[str, Any] | None:
        """As the report has it; None where nothing was tried."""
        tried = sum(sum(told.values()) for told in self.matrix.values())
        if not tried:
            return None
        right = sum(self.matrix[kind][kind] for kind in CLASSES)
        return {
            "sample": tried,
            "accuracy_percent": round(100 * right / tried, 2),
            "walked_percent": round(100 * self.walked / tried, 2),
            "matrix": {kind: dict(told) for kind, told in self.matrix.items()},
        }


@dataclass(frozen=True, slots=True)
class Classifier:
    """Tells classes. It can be pickled, and goes to the workers with their job.

    `check`: what the sample says about it. Where documents are read whole, a walk knows their class and no second tree
    has to guess it from the part that is read.
    """

    limits: Limits
    check: Check
    _cheap: Tree | None = field(repr=False)
    _closer: Tree | None = field(repr=False)

    @property
    def learned(self) -> bool:
        """False: the sample was not enough for any class to be told at once, and every document is walked."""
        return self._cheap is not None and any(leaf.believed for leaf in leaves(self._cheap))

    def classify(self, raw: bytes) -> ComplexityClass:
        """The class of the whole document, as far as what was read of it tells. Malformed bytes are complex."""
        size, zeros = len(raw), zeros_of(raw)
        found = self._at_once(size, zeros)
        if found is not None:
            return found
        try:
            part = shape(raw, self.limits.medium)  # past these it is complex, whatever else was to come
        except MalformedBsonError:
            return "complex"
        return self._after_walk(size, zeros, part)

    def at_once(self, raw: bytes) -> ComplexityClass | None:
        """The class, if numbers of bytes are enough to tell it."""
        return self._at_once(len(raw), zeros_of(raw))

    def _at_once(self, size: int, zeros: int) -> ComplexityClass | None:
        if self._cheap is None:
            return None
        features = size, zeros
        leaf = leaf_of(self._cheap, features)
        return leaf.kind if leaf.believed and leaf.knows(features) else None

    def _after_walk(self, size: int, zeros: int, part: Shape) -> ComplexityClass:
        """A document is never simpler than what was read of it."""
        found = part.complexity(self.limits)
        if self._closer is None:
            return found
        leaf = leaf_of(self._closer, (size, zeros, part.fields, part.depth, part.elements))
        return max(found, leaf.kind, key=CLASSES.index)

    def checked(self, held_out: Sequence[Seen]) -> Check:
        """How well it tells documents that it was not made from."""
        matrix = {actual: dict.fromkeys(CLASSES, 0) for actual in CLASSES}
        walked = 0
        for one in held_out:
            found = self._at_once(one.size, one.zeros)
            walked += found is None
            matrix[one.actual][found or self._after_walk(one.size, one.zeros, one.part)] += 1
        return Check(walked, matrix)

    def document(self) -> dict[str, Any]:
        """As the ledger keeps it: numbers and names of classes."""
        return {
            "limits": asdict(self.limits),
            "check": asdict(self.check),
            "cheap": as_data(self._cheap),
            "closer": as_data(self._closer),
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Classifier:
        """From what the ledger keeps."""
        return cls(
            Limits(**{name: ClassLimits(**most) for name, most in kept["limits"].items()}),
            Check(**kept["check"]),
            from_data(kept["cheap"]),
            from_data(kept["closer"]),
        )


def seen(raw: bytes, actual: ComplexityClass) -> Seen:
    """A document as a run reads it, and the class of all of it. Raises MalformedBsonError."""
    return Seen(len(raw), zeros_of(raw), shape(raw), actual)


def learn(sample: Sequence[Seen], limits: Limits, *, whole: bool) -> Classifier:
    """A classifier from all of a sample; its check is of classifiers from parts of it, each on the part left out."""
    total = Check(0, {actual: dict.fromkeys(CLASSES, 0) for actual in CLASSES})
    for part in range(_PARTS):
        rest = [one for number, one in enumerate(sample) if number % _PARTS != part]
        total = _sum(total, _learned(rest, limits, total, whole=whole).checked(sample[part::_PARTS]))
    return _learned(sample, limits, total, whole=whole)


def _learned(sample: Sequence[Seen], limits: Limits, check: Check, *, whole: bool) -> Classifier:
    if not sample:
        return Classifier(limits, check, None, None)
    cheap = grown([((one.size, one.zeros), one.actual) for one in sample])
    if whole:
        return Classifier(limits, check, cheap, None)
    closer = grown(
        [
            ((one.size, one.zeros, one.part.fields, one.part.depth, one.part.elements), one.actual)
            for one in sample
        ]
    )
    return Classifier(limits, check, cheap, closer)


def _sum(one: Check, other: Check) -> Check:
    return Check(
        one.walked + other.walked,
        {
            actual: {kind: told[kind] + other.matrix[actual][kind] for kind in CLASSES}
            for actual, told in one.matrix.items()
        },
    )
