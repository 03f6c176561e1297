"""The exact walk: raw BSON, element by element, changed by cutting bytes out and putting others in.

It takes what a decoded walk cannot: duplicate keys, keys that no dotted path names, deprecated types, strings
that are not UTF-8. Slower, and used for such documents only. Bytes outside of changed elements are never
touched but for the lengths of what encloses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import bson
from bson.dbref import DBRef

from phimask.masking.automaton import NO_RULE, State, nameable
from phimask.masking.bson_types import ALIASES, LOSSLESS, REDACTED_TEXT
from phimask.masking.columns import BoundRule, Gathered, Subjects, Unreadable
from phimask.masking.encoded import EncodedField, Undecodable
from phimask.masking.encoded_walk import EncodedWalk, add
from phimask.masking.pieces import Around
from phimask.plugins.values import REMOVE
from phimask.rawbson import ARRAY, BINARY, DOCUMENT, LENGTH, NULL, SYMBOL, UNDEFINED, Element, elements, wrap

_EMPTY_OLD_BINARY: Final = b"\4\0\0\0\2\0\0\0\0"
"""Subtype 2 holds its length twice; only where these disagree is a binary unreadable (BSON 1.1, "binary")."""


@dataclass(frozen=True, slots=True, repr=False)
class Spot:
    """A masked value's place: its element, the starts of the documents around it, its dotted path.

    `path` is None where no update can name it.
    """

    element: Element
    around: tuple[int, ...]
    path: str | None
    in_array: bool


@dataclass(frozen=True, slots=True, repr=False)
class Edit:
    """A change of one element: the new type and value bytes, or None to take the field out."""

    spot: Spot
    replacement: tuple[int, bytes] | None


class RawWalk:
    """Gathers the values of one document; places are (Spot, None, number, is a field, path)."""

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        self._rules = rules
        self._encoded = EncodedWalk(rules)
        self.fields: list[EncodedField] = []

    def gather(
        self,
        number: int,
        raw: bytes,
        subjects: Subjects,
        gathered: Sequence[Gathered],
        kept: list[int],
        root: State,
    ) -> bool:
        """Add the document's values to the columns, by the automaton from `root` on.

        `subjects` stand for the person and for the document itself. Answers
        whether the document has a key twice at its top. Raises MalformedBsonError.
        """
        self._raw = raw
        self._number = number
        self._subjects = subjects
        self._gathered = gathered
        self._kept = kept
        return self._document(0, root, (), "")

    def gather_piece(
        self,
        raw: bytes,
        subjects: Subjects,
        around: Around,
        gathered: Sequence[Gathered],
        kept: list[int],
    ) -> None:
        """As `gather`, the elements of a piece of a document or array."""
        self._raw = raw
        self._number = 0
        self._subjects = subjects
        self._gathered = gathered
        self._kept = kept
        if around.in_array:
            path = None if around.path is None else around.path[:-1]
            self._array(0, around.state, (), path, around.first)
        else:
            self._document(0, around.state, (), around.path)

    def _document(self, start: int, state: State, around: tuple[int, ...], prefix: str | None) -> bool:
        """Answers whether it has a key twice."""
        children = list(elements(self._raw, start))
        repeats = len({child.key for child in children}) < len(children)
        if repeats:
            prefix = None
        inside = (*around, start)
        for child in children:
            key = child.key.decode("utf-8", "surrogateescape")
            found = state.named.get(key)
            below = found[0] if found is not None else state.other
            if below is None:
                continue
            path = f"{prefix}{key}" if prefix is not None and nameable(key) and is_utf8(child.key) else None
            self._value(child, below, inside, path, in_array=False)
        return repeats

    def _array(
        self, start: int, state: State, around: tuple[int, ...], prefix: str | None, first: int = 0
    ) -> None:
        inside = (*around, start)
        for index, child in enumerate(elements(self._raw, start), first):
            in_order = child.key == str(index).encode()
            path = f"{prefix}.{index}" if prefix is not None and in_order else None
            self._value(child, state, inside, path, in_array=True)

    def _value(
        self, element: Element, state: State, around: tuple[int, ...], path: str | None, *, in_array: bool
    ) -> None:
        index = state.winner
        masker = None if index == NO_RULE else self._rules[index].masker
        if element.kind == ARRAY:
            if not (masker and masker.removes and state.final):
                self._array(element.value, state, around, path)
                return
        elif element.kind == DOCUMENT and not (
            masker and (masker.containers or masker.removes) and state.final
        ):
            self._document(element.value, state, around, None if path is None else f"{path}.")
            return
        if element.kind in (NULL, UNDEFINED):
            return
        opens = state.decoder != NO_RULE and element.kind not in (DOCUMENT, ARRAY)
        if masker is not None and masker.changes == "never" and not opens:
            self._kept[index] += 1
            return
        if masker is None and not opens:
            return
        value = decode_value(element.kind, self._raw[element.value : element.end])
        spot = Spot(element, around, path, in_array)
        if opens:
            self._open(spot, value, state)
            return
        place = (spot, None, self._number, not in_array, path or "")
        add(self._rules[index], self._gathered, value, place, self._subjects)

    def _open(self, spot: Spot, value: Any, state: State) -> None:
        """A field that is encoded: its values are masked, or all of it."""
        path = spot.path or self._rules[state.decoder].path
        opened = self._encoded.open(value, state, path)
        if opened.broken:
            place = (spot, None, self._number, not spot.in_array, spot.path or "")
            add(self._rules[state.decoder], self._gathered, Undecodable(value), place, self._subjects)
            return
        for field in opened.fields[:1]:
            field.target = spot
        self.fields += opened.fields
        self._encoded.give(opened, self._number, self._gathered, self._kept, self._subjects)


def is_utf8(text: bytes) -> bool:
    """Whether these bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def decode_value(kind: int, encoded: bytes) -> Any:
    """A value as PyMongo decodes it, or Unreadable where that would lose or fail."""
    if kind in (SYMBOL, 0x0C, 0x0F):
        return Unreadable(ALIASES[kind])
    body = bytes((kind,)) + b"v\0" + encoded
    try:
        value = bson.decode(wrap(body), LOSSLESS)["v"]
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold bytes of the value)
        return Unreadable(ALIASES[kind])
    return {} if isinstance(value, DBRef) else value


def encode_value(value: Any) -> tuple[int, bytes]:
    """The BSON type and bytes of a decoded value."""
    encoded = bson.encode({"": value})
    return encoded[4], encoded[6:-1]


def redacted_bytes(kind: int, found: Any) -> tuple[int, bytes] | None:
    """A redaction that only raw bytes can spell: a symbol's, an unreadable string's and an unreadable binary's.

    `found` is the redaction that Python has for the value, None where it has none.
    """
    if kind in (0x02, SYMBOL):
        text = REDACTED_TEXT.encode() + b"\0"
        return kind, LENGTH.pack(len(text)) + text
    if kind == BINARY and found is None:
        return kind, _EMPTY_OLD_BINARY
    return None


def edit(spot: Spot, value: Any) -> Edit:
    """The edit that puts `value` in the spot; a removed array element becomes null, so that lengths stay."""
    if value is REMOVE:
        return Edit(spot, (NULL, b"") if spot.in_array else None)
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
        patches.append((start, start + 4, LENGTH.pack(LENGTH.unpack_from(raw, start)[0] + more)))
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
        body += b"\x03$set\0" + wrap(b"".join(sets))
    if unsets:
        body += b"\x03$unset\0" + wrap(b"".join(unsets))
    return wrap(body)
