"""An excerpt: the values at some dotted paths of a document, as a raw document {path: value}; cut out, and put back.

Paths are those of `$set`: keys, and in arrays the places of elements. Everything is bytes, so that what is put back is
what was there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import bson
from bson.code import Code
from bson.dbref import DBRef

from phimask.masking.bson_types import LOSSLESS
from phimask.masking.splice import Edit, Spot, apply
from phimask.rawbson import ARRAY, DOCUMENT, elements, wrap

_Tree: TypeAlias = dict[bytes, Any]
"""Paths by their keys: at a path's end its place among the paths, before that another tree."""

_CONTAINERS: Final = (DOCUMENT, ARRAY)
_MISSING: Final = object()


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
    tree = _tree(wanted)
    with contextlib.suppress(_NeedsBytes):
        return _decoded(raw, wanted, tree)
    parts: list[bytes | None] = [None] * len(wanted)
    for place, spot in _spots(raw, 0, tree, ()):
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


class _NeedsBytes(Exception):
    """What PyMongo makes of this document is not all of it."""


def _decoded(raw: bytes, paths: Sequence[bytes], tree: _Tree) -> bytes | None:
    """As `excerpt`, by PyMongo's C extension, for documents that decode and encode back to the same bytes: some ten
    times as fast."""
    try:
        document = bson.decode(raw, LOSSLESS)
        exact = bson.encode(document, codec_options=LOSSLESS) == raw
        names = [path.decode() for path in paths]
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold values)
        raise _NeedsBytes from None
    if not exact or "_id" in names:  # which PyMongo would put in front
        raise _NeedsBytes
    found: list[Any] = [_MISSING] * len(names)
    _gather(document, tree, found)
    if any(value is _MISSING for value in found):
        return None
    return bson.encode(dict(zip(names, found, strict=True)), codec_options=LOSSLESS)


def _gather(container: Any, tree: _Tree, found: list[Any]) -> None:
    kind = type(container)
    if kind in (DBRef, Code):
        raise _NeedsBytes
    for name, below in tree.items():
        key = name.decode()
        value = _MISSING
        if kind is dict:
            value = container.get(key, _MISSING)
        elif kind is list and key.isdecimal() and (at := int(key)) < len(container) and str(at) == key:
            value = container[at]
        if isinstance(below, int):
            found[below] = value
        elif value is not _MISSING:
            _gather(value, below, found)


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
