"""How complex a document is: its fields, depth and array elements, counted exactly, and the class that follows."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import Final

from phimask import compiled
from phimask.config.model import ClassLimits, Limits
from phimask.plugins.values import ComplexityClass
from phimask.rawbson import ARRAY, DOCUMENT, FIXED_SIZES, LENGTH, STRING, MalformedBsonError, size_of

CLASSES: Final[tuple[ComplexityClass, ...]] = ("simple", "medium", "complex")
"""From the least to the most."""

_ALL: Final = ClassLimits(sys.maxsize, sys.maxsize, sys.maxsize)
_SIZES: Final = tuple(FIXED_SIZES.get(kind, -1) for kind in range(256))
_FEW: Final = 64
"""Bytes: a shorter array is walked sooner than measured."""


@dataclass(slots=True)
class Shape:
    """Counts over a whole document: keys at every level, levels (1 for a flat document), array elements.

    An array's elements stand at the array's own depth: indices are no level of a path.
    """

    fields: int = 0
    depth: int = 0
    elements: int = 0

    def within(self, most: ClassLimits) -> bool:
        """Whether it has no more of anything."""
        return self.fields <= most.fields and self.depth <= most.depth and self.elements <= most.elements

    def complexity(self, limits: Limits) -> ComplexityClass:
        """Its class."""
        if self.within(limits.simple):
            return "simple"
        return "medium" if self.within(limits.medium) else "complex"


def shape(raw: bytes, most: ClassLimits = _ALL) -> Shape:
    """The shape of a raw document; nothing is decoded. The counting ends where it is past any of `most`.

    Raises MalformedBsonError.
    """
    if compiled.shape is not None:
        counts = compiled.shape.counted(raw, most.fields, most.depth, most.elements)
        if counts is None:
            raise MalformedBsonError
        return Shape(*counts)
    found = Shape()
    longest = max(most.fields, most.elements)
    todo = [(0, 1, False)]
    try:
        while todo:
            start, depth, is_array = todo.pop()
            at, end = start + 4, start + LENGTH.unpack_from(raw, start)[0] - 1
            if at > end or raw[end]:
                raise MalformedBsonError
            count = _uniform(raw, at, end) if is_array and end - at > _FEW else None
            if count is None:
                count = _walked(raw, at, end, depth, todo, longest)
            if is_array:
                found.elements += count
            else:
                found.fields += count
                found.depth = max(found.depth, depth)
            if not found.within(most):
                break
    except (struct.error, ValueError, IndexError):
        raise MalformedBsonError from None
    return found


def zeros_of(raw: bytes) -> int:
    """How many of its bytes are zero: Python looks for one after the other."""
    return raw.count(0) if compiled.shape is None else int(compiled.shape.zeros(raw))


def _walked(
    raw: bytes, at: int, end: int, depth: int, todo: list[tuple[int, int, bool]], longest: int
) -> int:
    """How many elements there are up to `end`, or `longest` and one more; what holds others is added to `todo`."""
    sizes, index, length_at = _SIZES, raw.index, LENGTH.unpack_from
    count = 0
    while at < end and count <= longest:
        kind = raw[at]
        at = index(0, at + 1, end) + 1
        size = sizes[kind]
        if size < 0:
            if kind == STRING:
                size = 4 + length_at(raw, at)[0]
            elif kind in (DOCUMENT, ARRAY):
                size = length_at(raw, at)[0]
                todo.append((at, depth + (kind == DOCUMENT), kind == ARRAY))
            else:
                size = size_of(raw, kind, at)
            if size < 0:
                raise MalformedBsonError
        at += size
        count += 1
    if at > end:
        raise MalformedBsonError
    return count


def _uniform(raw: bytes, at: int, end: int) -> int | None:
    """How many elements an array has whose values are all of one type and size, as a series of numbers is.

    Such elements stand at equal distances as long as their indices have as many digits, so that slices with a step
    tell in C what a walk would tell element by element. None: it is another kind of array.
    """
    kind = raw[at]
    size = _SIZES[kind]
    if size < 0:
        return None
    count, digits, group = 0, 1, 10
    while at < end:
        step = 2 + digits + size
        here = min(group, (end - at) // step)
        stop = at + here * step
        if (
            not here
            or raw[at:stop:step].count(kind) < here
            or raw[at + 1 + digits : stop : step].count(0) < here
        ):
            return None
        at = stop
        count += here
        digits, group = digits + 1, 9 * 10**digits
    return count
