"""The walk through encoded fields: a text in JSON or base64 opened, its values gathered as those of a sub-document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from bson.binary import ALL_UUID_SUBTYPES, Binary

from phimask.masking.automaton import NO_RULE, State
from phimask.masking.base64_text import base64_decoded
from phimask.masking.columns import BoundRule, Gathered, Subjects
from phimask.masking.encoded import EncodedField, Member, Undecodable
from phimask.masking.json_text import (
    InvalidJsonError,
    after_spaces,
    container_at,
    member_at,
    passed_over,
    scalar_at,
    sign_after,
    string_at,
)

_BOM: Final = "\ufeff"


class _Found(NamedTuple):
    """A value to mask: its rule, and its place in a field."""

    rule: int
    value: Any
    field: EncodedField
    slot: int
    is_member: bool
    path: str


@dataclass(slots=True, repr=False)
class Opened:
    """What an encoded field holds: fields within fields after those around them, values to mask, values kept by rule.

    It is `broken` where the field does not hold what its rule says.
    """

    fields: list[EncodedField] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    broken: bool = False


class EncodedWalk:
    """Opens fields by one collection's rules. `see` is told path and text of strings that no rule covers."""

    def __init__(self, rules: Sequence[BoundRule], see: Callable[[str, str], None] | None = None) -> None:
        self._rules = rules
        self._see = see
        self.removes = any(rule.masker.removes for rule in rules)

    def open(self, value: Any, state: State, path: str) -> Opened:
        """Open the value of a field at a state with a decoder."""
        opened = Opened()
        try:
            unwrapped = _unwrapped(value)
            if unwrapped is None:
                raise InvalidJsonError
            text, wraps = unwrapped
            codings = self._rules[state.decoder].decode
            around = _Around(opened, path, None, 0, frozenset())
            self._open(text, wraps, codings, state, around)
        except (InvalidJsonError, UnicodeDecodeError, RecursionError):
            return Opened(broken=True)
        return opened

    def give(
        self,
        opened: Opened,
        number: int,
        gathered: Sequence[Gathered],
        kept: list[int],
        subjects: Subjects,
    ) -> None:
        """Add what was found to the columns, and what is kept to its counts, for document `number`."""
        for index in opened.kept:
            kept[index] += 1
        for one in opened.fields:
            one.number = number
        for rule, value, encoded, slot, is_member, path in opened.found:
            add(self._rules[rule], gathered, value, (encoded, slot, number, is_member, path), subjects)

    def _open(
        self,
        text: str,
        wraps: list[Callable[[str], Any]],
        codings: Sequence[str],
        state: State,
        around: _Around,
    ) -> None:
        codings = list(codings)
        while codings and codings[0] == "base64":
            decoded = base64_decoded(text)
            if decoded is None:
                raise InvalidJsonError
            content, style = decoded
            text = content.decode()
            wraps.append(style.encode_text)
            del codings[0]
        if not text and codings:
            return  # nothing is in it
        encoded = EncodedField(text, wraps, state.decoder, is_json=bool(codings))
        encoded.target, encoded.key = around.field, around.slot
        around.opened.fields.append(encoded)
        _Text(self, encoded, text, codings[1:], state, around).read(is_json=bool(codings))


class _Around(NamedTuple):
    """Where a field is opened: in which field's slot, and which rules' decoding is done with there and below."""

    opened: Opened
    path: str
    field: EncodedField | None
    slot: int
    done: frozenset[int]


class _Text:
    """One text being read."""

    def __init__(
        self,
        walk: EncodedWalk,
        encoded: EncodedField,
        text: str,
        codings: Sequence[str],
        state: State,
        around: _Around,
    ) -> None:
        self._walk = walk
        self._rules = walk._rules
        self._see = walk._see
        self._field = encoded
        self._text = text
        self._codings = codings
        self._state = state
        self._around = around
        self._found = around.opened.found
        self._kept = around.opened.kept
        here = around.done | {state.decoder}
        # What only says how its own field is held says nothing of what lies below it.
        self._below = here if state.decoder == state.winner else around.done
        self._here = here

    def read(self, *, is_json: bool) -> None:
        """Find all there is to mask. Raises InvalidJsonError, UnicodeDecodeError or RecursionError."""
        text, path = self._text, self._around.path
        if not is_json:
            self._leaf(text, 0, len(text), self._state, self._here, path, is_member=False)
            return
        start = after_spaces(text, len(_BOM) if text.startswith(_BOM) else 0)
        if self._codings:
            value, end = string_at(text, start)
            self._nested(value, start, end, self._codings, self._state, self._around.done, path)
        else:
            end, _ = self._value(start, self._state, self._here, path, is_member=False)
        if after_spaces(text, end) != len(text):
            raise InvalidJsonError

    def _value(
        self, at: int, state: State | None, done: frozenset[int], path: str, *, is_member: bool
    ) -> tuple[int, int]:
        """Where the value ends that begins at `at`, and its slot (or -1)."""
        text = self._text
        if state is None and self._see is None:
            return passed_over(text, at), -1
        first = text[at : at + 1]
        if first in ("{", "["):
            masker = None if state is None or state.winner == NO_RULE else self._rules[state.winner].masker
            whole = masker is not None and (masker.removes or (masker.containers and first == "{"))
            if not (whole and state is not None and state.final):
                inside = self._object if first == "{" else self._array
                return inside(at, state, done, path), -1
            value, end = container_at(text, at)
        elif first == '"':
            value, end = string_at(text, at)
        else:
            value, end = scalar_at(text, at)
        return end, self._leaf(value, at, end, state, done, path, is_member=is_member)

    def _object(self, at: int, state: State | None, done: frozenset[int], path: str) -> int:
        text = self._text
        named, other = ({}, None) if state is None else (state.named, state.other)
        below = self._below if done is self._here else done
        members: list[Member] = []
        removes = self._walk.removes
        at = after_spaces(text, at + 1)
        if text.startswith("}", at):
            return at + 1
        while True:
            start = at
            key, value = member_at(text, at)
            found = named.get(key)
            child = other if found is None else found[0]
            if child is None and self._see is None:
                end, slot = passed_over(text, value), -1
            else:
                end, slot = self._value(value, child, below, f"{path}.{key}", is_member=True)
            if removes:
                members.append(Member(start, value, end, slot))
            at, is_end = sign_after(text, end, "}")
            if is_end:
                break
        if any(member.slot >= 0 for member in members):
            self._field.objects.append(members)
        return at

    def _array(self, at: int, state: State | None, done: frozenset[int], path: str) -> int:
        text = self._text
        at = after_spaces(text, at + 1)
        if text.startswith("]", at):
            return at + 1
        index = 0
        while True:
            end, _ = self._value(at, state, done, f"{path}.{index}", is_member=False)
            at, is_end = sign_after(text, end, "]")
            if is_end:
                return at
            index += 1

    def _leaf(
        self,
        value: Any,
        start: int,
        end: int,
        state: State | None,
        done: frozenset[int],
        path: str,
        *,
        is_member: bool,
    ) -> int:
        """Its slot, or -1 for what stays."""
        if value is None:
            return -1
        if state is None or state.winner == NO_RULE:
            decoder = NO_RULE if state is None else state.decoder
            if decoder in done or decoder == NO_RULE:
                if self._see is not None and type(value) is str:
                    self._see(path, value)
                return -1
        assert state is not None  # noqa: S101  (mypy cannot see that it was asked for above)
        if state.decoder != NO_RULE and state.decoder not in done and not isinstance(value, dict | list):
            codings = self._rules[state.decoder].decode
            return self._nested(value, start, end, codings, state, done, path, is_member=is_member)
        if self._rules[state.winner].masker.changes == "never":
            self._kept.append(state.winner)
            return -1
        slot = self._field.slot(start, end)
        self._found.append(_Found(state.winner, value, self._field, slot, is_member, path))
        return slot

    def _nested(
        self,
        value: Any,
        start: int,
        end: int,
        codings: Sequence[str],
        state: State,
        done: frozenset[int],
        path: str,
        *,
        is_member: bool = False,
    ) -> int:
        """A text within the text."""
        slot = self._field.slot(start, end)
        opened = self._around.opened
        marks = len(opened.fields), len(self._found), len(self._kept)
        try:
            if type(value) is not str:
                raise InvalidJsonError
            self._walk._open(value, [], codings, state, _Around(opened, path, self._field, slot, done))
        except (InvalidJsonError, UnicodeDecodeError, RecursionError):
            del opened.fields[marks[0] :], self._found[marks[1] :], self._kept[marks[2] :]
            self._found.append(_Found(state.decoder, Undecodable(value), self._field, slot, is_member, path))
        return slot


def _unwrapped(value: Any) -> tuple[str, list[Callable[[str], Any]]] | None:
    """The text of a string, or of a binary that is one."""
    if type(value) is str:
        return value, []
    if type(value) is bytes:
        return value.decode(), [str.encode]
    if isinstance(value, Binary) and value.subtype not in ALL_UUID_SUBTYPES:
        subtype = value.subtype
        return value.decode(), [lambda text: Binary(text.encode(), subtype)]
    return None


def add(rule: BoundRule, gathered: Sequence[Gathered], value: Any, place: Any, subjects: Subjects) -> None:
    """One value more for a rule's column. `subjects` stand for the person and for the document itself."""
    column = gathered[rule.index]
    column.values.append(value)
    column.places.append(place)
    if rule.masker.needs_subject:
        column.subjects.append(subjects[int(rule.masker.per_document)])
