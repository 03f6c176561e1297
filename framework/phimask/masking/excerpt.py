"""An excerpt: the values at some dotted paths of a document, as a raw document {path: value}; cut out, and put back.

Paths are those of `$set`: keys, and in arrays the places of elements. Everything is bytes, so that what is put back is
what was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from phimask.masking.splice import Edit, Spot, apply
from phimask.rawbson import ARRAY, DOCUMENT, elements, wrap

_Tree: TypeAlias = dict[bytes, Any]
"""Paths by their keys: at a path's end its place among the paths, before that another tree."""

_CONTAINERS: Final = (DOCUMENT, ARRAY)


class Overlap(ValueError):
    """One of the paths leads into another's value."""


def paths_of(excerpt: bytes) -> list[bytes]:
    """The paths of an excerpt, in order. Raises MalformedBsonError."""
    return [element.key for element in elements(excerpt)]


def excerpt(raw: bytes, paths: Iterable[bytes]) -> bytes | None:
    """The values at these paths, in their order; None where one is missing.

    Raises MalformedBsonError, and Overlap.
    """
    wanted = list(paths)
    parts: list[bytes | None] = [None] * len(wanted)
    for place, spot in _spots(raw, 0, _tree(wanted), ()):
        found = spot.element
        parts[place] = bytes((found.kind,)) + wanted[place] + b"\0" + raw[found.value : found.end]
    if any(part is None for part in parts):
        return None
    return wrap(b"".join(part for part in parts if part is not None))


def put_back(raw: bytes, values: bytes) -> bytes:
    """The document with an excerpt's values at its paths, all else as it is.

    A path that is missing stays so. Raises MalformedBsonError, and Overlap.
    """
    new = list(elements(values))
    edits: list[Edit] = []
    for place, spot in _spots(raw, 0, _tree([element.key for element in new]), ()):
        value = new[place]
        edits.append(Edit(spot, (value.kind, values[value.value : value.end])))
    return apply(raw, edits)


def _tree(paths: Iterable[bytes]) -> _Tree:
    root: _Tree = {}
    for place, path in enumerate(paths):
        node: Any = root
        *before, last = path.split(b".")
        for key in before:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                raise Overlap
        if last in node:
            raise Overlap
        node[last] = place
    return root


def _spots(
    raw: bytes, start: int, tree: Mapping[bytes, Any], around: tuple[int, ...], *, in_array: bool = False
) -> Iterator[tuple[int, Spot]]:
    inside = (*around, start)
    left = dict(tree)
    for position, element in enumerate(elements(raw, start)):
        # Taken out, since of a key that is there twice an update means the first.
        below = left.pop(str(position).encode() if in_array else element.key, None)
        if isinstance(below, int):
            yield below, Spot(element, inside, None, in_array)
        elif below is not None and element.kind in _CONTAINERS:
            yield from _spots(raw, element.value, below, inside, in_array=element.kind == ARRAY)
        if not left:
            return
