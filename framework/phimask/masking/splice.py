"""The exact walk: raw BSON, element by element, changed by cutting bytes out and putting others in.

It takes what a decoded walk cannot: duplicate keys, keys that no dotted path names, deprecated types, strings
that are not UTF-8. Slower, and used for such documents only. Bytes outside of changed elements are never
touched but for the lengths of what encloses them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import bson
from bson.dbref import DBRef

from phimask.masking.automaton import NO_RULE, State, nameable
from phimask.masking.bson_types import ALIASES, LOSSLESS, REDACTED_TEXT
from phimask.masking.columns import BoundRule, Gathered, Unreadable
from phimask.plugins.values import REMOVE

_LENGTH: Final = struct.Struct("<i")
_FIXED: Final[dict[int, int]] = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}
_DOCUMENT: Final = 0x03
_ARRAY: Final = 0x04
_UNDEFINED: Final = 0x06
_NULL: Final = 0x0A
_SYMBOL: Final = 0x0E


class MalformedBsonError(ValueError):
    """These bytes are no BSON document."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element within `raw`: [start, end) whole, its value at [value, end)."""

    start: int
    key: bytes
    kind: int
    value: int
    end: int


def elements(raw: bytes, start: int = 0) -> Iterator[Element]:
    """The elements of the document that begins at `start`. Raises MalformedBsonError."""
    try:
        end = start + _LENGTH.unpack_from(raw, start)[0] - 1
        at = start + 4
        if end >= len(raw) or end < at or raw[end] != 0:
            raise MalformedBsonError
        while at < end:
            kind = raw[at]
            zero = raw.index(0, at + 1, end)
            value = zero + 1
            after = value + _size(raw, kind, value)
            if after > end:
                raise MalformedBsonError
            yield Element(at, raw[at + 1 : zero], kind, value, after)
            at = after
    except (struct.error, ValueError, IndexError):
        raise MalformedBsonError from None


def _size(raw: bytes, kind: int, at: int) -> int:
    """The bytes of a value of type `kind` that begins at `at`."""
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return fixed
    if kind == 0x0B:
        return raw.index(0, raw.index(0, at) + 1) + 1 - at
    length: int = _LENGTH.unpack_from(raw, at)[0]
    if length < 0:
        raise MalformedBsonError
    if kind in (0x02, 0x0D, _SYMBOL):
        return 4 + length
    if kind in (_DOCUMENT, _ARRAY, 0x0F):
        return length
    if kind == 0x05:
        return 5 + length
    if kind == 0x0C:
        return 4 + length + 12
    raise MalformedBsonError


@dataclass(frozen=True, slots=True)
class Spot:
    """A masked value's place: its element, the starts of the documents around it, its dotted path.

    `path` is None where no update can name it.
    """

    element: Element
    around: tuple[int, ...]
    path: str | None
    in_array: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one element: the new type and value bytes, or None to take the field out."""

    spot: Spot
    replacement: tuple[int, bytes] | None


class RawWalk:
    """Gathers the values of one document; places are (Spot, None, number, is a field)."""

    def __init__(self, rules: Sequence[BoundRule], root: State) -> None:
        self._rules = rules
        self._root = root

    def gather(
        self, number: int, raw: bytes, subject: bytes, gathered: Sequence[Gathered], kept: list[int]
    ) -> None:
        """Add the document's values to the columns. Raises MalformedBsonError."""
        self._raw = raw
        self._number = number
        self._subject = subject
        self._gathered = gathered
        self._kept = kept
        self._document(0, self._root, (), "")

    def _document(self, start: int, state: State, around: tuple[int, ...], prefix: str | None) -> None:
        children = list(elements(self._raw, start))
        if len({child.key for child in children}) < len(children):
            prefix = None
        inside = (*around, start)
        for child in children:
            key = child.key.decode("utf-8", "surrogateescape")
            found = state.named.get(key)
            below = found[0] if found is not None else state.other
            if below is None:
                continue
            path = f"{prefix}{key}" if prefix is not None and nameable(key) and _is_utf8(child.key) else None
            self._value(child, below, inside, path, in_array=False)

    def _array(self, start: int, state: State, around: tuple[int, ...], prefix: str | None) -> None:
        inside = (*around, start)
        for index, child in enumerate(elements(self._raw, start)):
            in_order = child.key == str(index).encode()
            path = f"{prefix}.{index}" if prefix is not None and in_order else None
            self._value(child, state, inside, path, in_array=True)

    def _value(
        self, element: Element, state: State, around: tuple[int, ...], path: str | None, *, in_array: bool
    ) -> None:
        index = state.winner
        masker = None if index == NO_RULE else self._rules[index].masker
        if element.kind == _ARRAY:
            if not (masker and masker.removes and state.final):
                self._array(element.value, state, around, path)
                return
        elif element.kind == _DOCUMENT and not (masker and masker.containers and state.final):
            self._document(element.value, state, around, None if path is None else f"{path}.")
            return
        if masker is None or element.kind in (_NULL, _UNDEFINED):
            return
        if masker.changes == "never":
            self._kept[index] += 1
            return
        column = self._gathered[index]
        column.values.append(decode_value(self._raw, element))
        column.places.append((Spot(element, around, path, in_array), None, self._number, not in_array))
        if masker.needs_subject:
            column.subjects.append(self._subject)


def _is_utf8(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def decode_value(raw: bytes, element: Element) -> Any:
    """The element's value as PyMongo decodes it, or Unreadable where that would lose or fail."""
    if element.kind in (_SYMBOL, 0x0C, 0x0F):
        return Unreadable(ALIASES[element.kind])
    body = bytes((element.kind,)) + b"v\0" + raw[element.value : element.end] + b"\0"
    try:
        value = bson.decode(_LENGTH.pack(len(body) + 4) + body, LOSSLESS)["v"]
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold bytes of the value)
        return Unreadable(ALIASES[element.kind])
    return {} if isinstance(value, DBRef) else value


def encode_value(value: Any) -> tuple[int, bytes]:
    """The BSON type and bytes of a decoded value."""
    encoded = bson.encode({"": value})
    return encoded[4], encoded[6:-1]


def redacted_bytes(kind: int) -> tuple[int, bytes] | None:
    """A redaction that only raw bytes can spell: a symbol's and an unreadable string's."""
    if kind in (0x02, _SYMBOL):
        text = REDACTED_TEXT.encode() + b"\0"
        return kind, _LENGTH.pack(len(text)) + text
    return None


def edit(spot: Spot, value: Any) -> Edit:
    """The edit that puts `value` in the spot; a removed array element becomes null, so that lengths stay."""
    if value is REMOVE:
        return Edit(spot, (_NULL, b"") if spot.in_array else None)
    return Edit(spot, encode_value(value))


def apply(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """The document with the edits made, and the lengths of all that encloses them put right."""
    patches: list[tuple[int, int, bytes]] = []
    growth: dict[int, int] = {}
    for change in edits:
        element = change.spot.element
        new = b""
        if change.replacement is not None:
            kind, value = change.replacement
            new = bytes((kind,)) + element.key + b"\0" + value
        patches.append((element.start, element.end, new))
        for start in change.spot.around:
            growth[start] = growth.get(start, 0) + len(new) - (element.end - element.start)
    for start, more in growth.items():
        patches.append((start, start + 4, _LENGTH.pack(_LENGTH.unpack_from(raw, start)[0] + more)))
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(patches):
        parts += (raw[at:start], new)
        at = end
    parts.append(raw[at:])
    return b"".join(parts)


def update_document(edits: Sequence[Edit]) -> bytes | None:
    """The edits as a raw update of `$set` and `$unset`, or None where a path cannot be named."""
    sets: list[bytes] = []
    unsets: list[bytes] = []
    for change in edits:
        path = change.spot.path
        if path is None:
            return None
        name = path.encode() + b"\0"
        if change.replacement is None:
            unsets.append(b"\x0a" + name)
        else:
            kind, value = change.replacement
            sets.append(bytes((kind,)) + name + value)
    body = b""
    if sets:
        body += b"\x03$set\0" + _wrap(b"".join(sets))
    if unsets:
        body += b"\x03$unset\0" + _wrap(b"".join(unsets))
    return _wrap(body)


def _wrap(body: bytes) -> bytes:
    return _LENGTH.pack(len(body) + 5) + body + b"\0"
