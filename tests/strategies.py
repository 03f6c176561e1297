"""Hypothesis strategies: raw BSON documents of every kind, and rules' paths that hit their keys."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from oracle import Node, build
from phimask import Wildcard

PLAIN_KEYS = (b"a", b"b", b"Name", b"SSN", b"Visits", b"Date")
ODD_KEYS = (b"", b"a.b", b"$set", b"$", b"0", b"_id", "Größe".encode(), b"bad\xff")

Path = tuple[str | Wildcard, ...]


@functools.cache
def keys(*, odd: bool = True) -> st.SearchStrategy[bytes]:
    """Field names from a small set, so that rules hit them and documents repeat them."""
    plain = st.sampled_from(PLAIN_KEYS)
    return st.one_of(plain, plain, st.sampled_from(ODD_KEYS)) if odd else plain


def _counted(content: bytes) -> bytes:
    return struct.pack("<i", len(content) + 1) + content + b"\0"


_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(str.encode),
    st.sampled_from([b"", b"Ada Lovelace", b"1999-12-31", b"[REDACTED]", "Zoë 🩺".encode()]),
)
_ODD_TEXTS = st.one_of(_TEXTS, st.binary(max_size=6))
_INT32S = st.integers(-(2**31), 2**31 - 1)
_INT64S = st.integers(-(2**63), 2**63 - 1)
_DATES = st.integers(-62_135_596_800_000, 253_402_300_799_999)
_ODD_DATES = st.one_of(
    _DATES, st.sampled_from([0, -1, 253_402_300_800_000, -62_135_596_800_001, 2**63 - 1, -(2**63)])
)
_TWELVE = st.binary(min_size=12, max_size=12)
_CSTRINGS = st.sampled_from([b"", b"^a", b"i", b"x+"])
_SCOPE = build([(0x02, b"Name", _counted(b"x"))])

_COMMON_TYPES = (0x02, 0x02, 0x02, 0x10, 0x12, 0x01, 0x09, 0x08, 0x07, 0x0A, 0x05, 0x11)
_ALL_TYPES = (*_COMMON_TYPES, *_COMMON_TYPES, 0x13, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x06, 0x7F, 0xFF)


@functools.cache
@st.composite
def scalars(draw: st.DrawFn, *, odd: bool = True) -> tuple[int, bytes]:
    """Types and value bytes of everything but sub-documents and arrays.

    Without `odd`: only what PyMongo decodes and encodes back to the same bytes.
    """
    kind = draw(st.sampled_from(_ALL_TYPES if odd else _COMMON_TYPES))
    texts = _ODD_TEXTS if odd else _TEXTS
    if kind in (0x02, 0x0D, 0x0E):
        return kind, _counted(draw(texts))
    if kind == 0x10:
        return kind, struct.pack("<i", draw(_INT32S))
    if kind == 0x12:
        return kind, struct.pack("<q", draw(_INT64S))
    if kind == 0x01:
        number = st.floats(allow_nan=False).map(lambda value: struct.pack("<d", value))
        return kind, draw(st.one_of(number, st.binary(min_size=8, max_size=8)) if odd else number)
    if kind == 0x09:
        return kind, struct.pack("<q", draw(_ODD_DATES if odd else _DATES))
    if kind == 0x08:
        return kind, bytes([draw(st.booleans())])
    if kind == 0x07:
        return kind, draw(_TWELVE)
    if kind == 0x11:
        return kind, draw(st.binary(min_size=8, max_size=8))
    if kind == 0x13:
        return kind, draw(st.binary(min_size=16, max_size=16))
    if kind == 0x05:
        data = draw(st.binary(max_size=8))
        return kind, struct.pack("<iB", len(data), draw(st.integers(0, 255)) if odd else 0) + data
    if kind == 0x0B:
        return kind, draw(_CSTRINGS) + b"\0" + draw(_CSTRINGS) + b"\0"
    if kind == 0x0C:
        return kind, _counted(b"db.c") + draw(_TWELVE)
    if kind == 0x0F:
        code = _counted(draw(texts))
        return kind, struct.pack("<i", 4 + len(code) + len(_SCOPE)) + code + _SCOPE
    return kind, b""


@functools.cache
@st.composite
def _value(draw: st.DrawFn, depth: int, *, odd: bool) -> tuple[int, bytes | list[Node]]:
    shape = draw(st.integers(0, 5)) if depth else 5
    if shape in (0, 1):
        return 0x03, draw(_fields(depth - 1, odd=odd))
    if shape == 2:
        values = draw(st.lists(_value(depth - 1, odd=odd), max_size=3))
        return 0x04, [(kind, str(index).encode(), value) for index, (kind, value) in enumerate(values)]
    return draw(scalars(odd=odd))


@functools.cache
@st.composite
def _fields(draw: st.DrawFn, depth: int, *, odd: bool) -> list[Node]:
    names = draw(st.lists(keys(odd=odd), max_size=4, unique=not odd))
    nodes: list[Node] = []
    for name in names:
        kind, value = draw(_value(depth, odd=odd))
        nodes.append((kind, name, value))
    return nodes


@functools.cache
@st.composite
def trees(draw: st.DrawFn, *, odd: bool = True) -> list[Node]:
    """Documents as trees, most of them with an `_id` in front.

    With `odd`: duplicate, dotted, empty and `$` keys, deprecated types, bad UTF-8, dates of any year. Without:
    only what PyMongo decodes and encodes back to the same bytes.
    """
    nodes = draw(_fields(4, odd=odd))
    if draw(st.integers(0, 4)) or not odd:
        nodes = [(0x07, b"_id", draw(st.binary(min_size=12, max_size=12))), *nodes]
    return nodes


@functools.cache
def documents(*, odd: bool = True) -> st.SearchStrategy[bytes]:
    """Documents as raw BSON; see `trees`."""
    return trees(odd=odd).map(build)


def places(nodes: Sequence[Node], around: tuple[bytes, ...] = ()) -> Iterator[tuple[bytes, ...]]:
    """The paths of all values in a tree, as keys; array indices are no part of them."""
    for bson_type, key, value in nodes:
        here = (*around, key)
        yield here
        if not isinstance(value, bytes):
            if bson_type == 0x03:
                yield from places(value, here)
            else:
                yield from _element_places(value, here)


def _element_places(nodes: Sequence[Node], here: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    for bson_type, _, value in nodes:
        if not isinstance(value, bytes):
            yield from places(value, here) if bson_type == 0x03 else _element_places(value, here)


@functools.cache
def loose_paths() -> st.SearchStrategy[Path]:
    """Paths made of the keys that documents use, and wildcards."""
    segment = st.one_of(
        st.sampled_from([key.decode() for key in (*PLAIN_KEYS, *ODD_KEYS[:-1])]),
        st.sampled_from([Wildcard.ANY_KEY, Wildcard.ANY_DEPTH]),
    )
    return st.lists(segment, min_size=1, max_size=4).map(tuple)


@st.composite
def paths_into(draw: st.DrawFn, nodes: Sequence[Node]) -> Path:
    """A path that leads somewhere in this tree, with wildcards put into it now and then."""
    there = [place for place in places(nodes) if b"bad\xff" not in place]
    if not there:
        return draw(loose_paths())
    segments: list[str | Wildcard] = [key.decode() for key in draw(st.sampled_from(there))]
    for index in range(len(segments)):
        segments[index] = draw(
            st.sampled_from([segments[index]] * 4 + [Wildcard.ANY_KEY, Wildcard.ANY_DEPTH])
        )
    if not draw(st.integers(0, 4)):
        segments.insert(draw(st.integers(0, len(segments))), Wildcard.ANY_DEPTH)
    return tuple(segments)


def rule_paths(nodes: Sequence[Node]) -> st.SearchStrategy[Path]:
    """Paths for a document: most hit something in it."""
    return st.one_of(paths_into(nodes), paths_into(nodes), loose_paths())


def rule_lists(nodes: Sequence[Node], *, most: int = 5) -> st.SearchStrategy[list[Path]]:
    """The paths of up to `most` rules for a document, in order."""
    return st.lists(rule_paths(nodes), max_size=most)
