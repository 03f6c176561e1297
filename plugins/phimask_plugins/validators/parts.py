"""A document before and after masking, taken apart: what was masked and has become what, and what nobody touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from phimask.compiled import beside
from phimask_plugins.validators.findings import Path
from phimask_plugins.validators.matcher import DOCUMENT, ELEMENTS, ENCODED, VALUE, State
from phimask_plugins.validators.walk import ARRAY, OBJECT, STRING, MalformedError, elements

SPACE: Final = b"\1"
"""Stands for white space in stretches of text."""
_WHITE: Final = b"\t\n\r "
_TEXT: Final = _WHITE + bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0xF5))
_STRETCHES: Final = bytes(
    code if code in _TEXT and code not in _WHITE else SPACE[0] if code in _WHITE else 0x20
    for code in range(256)
)
"""By this table texts have no white space, and what may not be in a text becomes some, at which it is split."""

_LEAST: Final = 3
"""Bytes of a stretch."""


class Masked(NamedTuple):
    """A value under a rule: the state of its place, its type and bytes, the same once it is masked (None where nobody
    can tell which it is), its key, and a number that fields of one sub-document share."""

    state: State
    kind: int
    old: bytes
    new_kind: int | None
    new: bytes
    key: bytes
    group: int


def stretches(data: bytes) -> set[bytes]:
    """Stretches of three bytes or more that may be texts, each once, with SPACE for white space."""
    if beside is not None:
        found: set[bytes] = beside.stretches(data, _STRETCHES, _LEAST)
        return found
    return {run for run in data.translate(_STRETCHES).split() if len(run) >= _LEAST}


class Parts:
    """`masked` values, and stretches of BSON that no rule masks."""

    __slots__ = ("_runs", "masked", "untouched")

    def __init__(self) -> None:
        self.masked: list[Masked] = []
        self.untouched: list[bytes] = []
        self._runs: set[bytes] | None = None

    @property
    def in_part(self) -> list[Masked]:
        """Texts of which their masker changes parts, so that the rest is as it was: three words or more."""
        return [
            one
            for one in self.masked
            if one[0].in_part and one[1] == STRING and one[3] == STRING and one[4].count(b" ") > 1
        ]

    @property
    def runs(self) -> set[bytes]:
        """Every stretch of three bytes or more of what is untouched that may be a text or a field's name, each once:
        nearly all documents have nearly all of theirs in common."""
        if self._runs is None:
            self._runs = stretches(b"\0".join(self.untouched))
        return self._runs


class Scalar(NamedTuple):
    """A value that holds no other, where it stands."""

    state: State
    treatment: int
    kind: int
    value: bytes
    path: Path
    group: int


def scalars(raw: bytes, top: State) -> Iterator[Scalar]:
    """Every scalar of a document, in order, with what rules say of its place; a container that a rule takes whole is
    taken apart too. Ends early where the bytes are no BSON, and where they are nested deeper than anything sane."""
    try:
        yield from _inside(raw, 0, len(raw), top, (), None)
    except (MalformedError, RecursionError):
        return


def _inside(
    raw: bytes, start: int, stop: int, state: State, path: Path, whole: int | None, *, array: bool = False
) -> Iterator[Scalar]:
    for element in elements(raw, start, stop):
        child = state if array or whole is not None else state.child(element.key)
        inner = path if array else (*path, element.key)
        treatment = child.treatment(element.kind) if whole is None else whole
        if element.kind in (OBJECT, ARRAY):
            below = VALUE if treatment == VALUE else None
            if treatment not in (VALUE, DOCUMENT, ELEMENTS):
                below = treatment
            yield from _inside(
                raw, element.value, element.end, child, inner, below, array=element.kind == ARRAY
            )
        else:
            yield Scalar(child, treatment, element.kind, raw[element.value : element.end], inner, start)


def taken_apart(before: bytes, after: bytes, top: State) -> Parts:
    """The slow way, for documents that the quick check did not take in one go. What has become of a value is told where
    as many values stand at its path as before."""
    parts = Parts()
    old, new = _by_path(before, top), _by_path(after, top)
    for path, values in old.items():
        counterparts = new.get(path, [])
        paired = len(counterparts) == len(values)
        for number, one in enumerate(values):
            if one.treatment in (VALUE, ENCODED):
                other = counterparts[number] if paired else None
                kind, value = (None, b"") if other is None else (other.kind, other.value)
                key = path[-1] if path else b""
                parts.masked.append(Masked(one.state, one.kind, one.value, kind, value, key, one.group))
    for values in new.values():
        parts.untouched += [one.value for one in values if one.treatment not in (VALUE, ENCODED)]
    return parts


def _by_path(raw: bytes, top: State) -> dict[Path, list[Scalar]]:
    found: dict[Path, list[Scalar]] = {}
    for one in scalars(raw, top):
        found.setdefault(one.path, []).append(one)
    return found
