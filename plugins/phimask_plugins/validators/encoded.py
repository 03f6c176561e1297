"""Fields that a rule decodes, before and after: what is in them is judged as the values of a sub-document are.

Their own reader of JSON, as the validators have their own of BSON: tokens with where they begin and end, so that what
no rule masks can be compared as it is written.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from phimask_plugins.validators.findings import (
    ADDED,
    ARRAY_LENGTH,
    BYTES_CHANGED,
    LOST,
    NO_LONGER,
    NOT_REDACTED,
    ORIGINAL,
    TYPE_CHANGED,
    Aspect,
    Path,
)
from phimask_plugins.validators.matcher import ENCODED, IDENTICAL, VALUE, State
from phimask_plugins.validators.verdict import judges_originals, still_original
from phimask_plugins.validators.walk import (
    ARRAY,
    BINARY,
    BOOL,
    DECIMAL,
    DOUBLE,
    INT32,
    INT64,
    NULL,
    OBJECT,
    STRING,
    blank,
)

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_BOM: Final = "\ufeff"
_BLANKS: Final = frozenset({"0", "0.0", "false", "null"})
_EMPTY: Final = re.compile(r"[{\[]\s*[}\]]")
_KINDS: Final = {"{": OBJECT, "[": ARRAY, '"': STRING, "t": BOOL, "f": BOOL, "n": NULL}
_JSON_TYPES: Final = {INT32: DOUBLE, INT64: DOUBLE, DECIMAL: DOUBLE}
"""BSON types that JSON has but one of."""

Report = Callable[[Aspect, str, Path], None]
"""Is told an aspect, what is wrong, and where."""


@dataclass(slots=True)
class _Value:
    """A JSON value at [start, end): members (key, value) of an object, elements (with empty keys) of an array."""

    start: int
    end: int = 0
    inside: list[tuple[str, _Value]] = field(default_factory=list)


class _Text:
    """A JSON text, taken apart."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root = self._read()

    def raw(self, value: _Value) -> str:
        """The value as it is written."""
        return self.text[value.start : value.end]

    def kind(self, value: _Value) -> int:
        """The BSON type that stands for it."""
        return _KINDS.get(self.text[value.start], DOUBLE)

    def _read(self) -> _Value:
        """Without recursion: a text may be nested deeper than anything that goes down into it."""
        root = _Value(0)
        around = [root]
        key: str | None = None
        for token in _TOKEN.finditer(self.text, len(_BOM) if self.text.startswith(_BOM) else 0):
            sign = token[0]
            if sign in ",:":
                continue
            if sign in "}]":
                around.pop().end = token.end()
                continue
            here = around[-1]
            if sign[0] == '"' and key is None and here is not root and self.text[here.start] == "{":
                key = sign
                continue
            value = _Value(token.start(), token.end())
            here.inside.append((key or "", value))
            key = None
            if sign in "{[":
                around.append(value)
        return root.inside[0][1]


def check(report: Report, state: State, old: tuple[int, bytes], new: tuple[int, bytes], path: Path) -> None:
    """Compare a field (BSON type and value bytes) at a place whose state says how it is held."""
    if new == blank(*old):
        return
    if old[0] != new[0]:
        nulled = new[0] == NULL and state.rule is not None and NULL in state.allowed(old[0], in_array=True)
        if not nulled:
            report("structure", TYPE_CHANGED, path)
        return
    before, after = _plain(*old), _plain(*new)
    _Encoded(report).field(before, after, state, frozenset(), path)


class _Encoded:
    """One field on its way, with those that are in it."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def field(
        self, before: str | None, after: str | None, state: State, done: frozenset[int], path: Path
    ) -> None:
        """`done`: the rules whose decoding is done with here."""
        codings = state.decode
        for coding in codings[:-1] if codings[-1] == "json" else codings:
            before, after = _unheld(before, coding), _unheld(after, coding)
        is_json = codings[-1] == "json"
        if is_json and before == "":
            if after != "":
                self._report("untouched", BYTES_CHANGED, path)
            return
        if before is None or (is_json and not _is_json(before)):
            self._report("originals", NOT_REDACTED, path)
            return
        if after is None or (is_json and not _is_json(after)):
            self._report("structure", NO_LONGER, path)
            return
        if not is_json:
            self._text(before, after, state, path)
            return
        here = done | {state.decoder}
        below = here if state.decoder == state.winner else done
        _Json(self, self._report, _Text(before), _Text(after), here, below).root(state, path)

    def _text(self, before: str, after: str, state: State, path: Path) -> None:
        if state.rule is None:
            if before != after:
                self._report("untouched", BYTES_CHANGED, path)
        elif still_original(state, STRING, _string(before), STRING, _string(after)):
            self._report("originals", ORIGINAL, path)


class _Json:
    """One JSON text before and after."""

    def __init__(
        self,
        encoded: _Encoded,
        report: Report,
        before: _Text,
        after: _Text,
        here: frozenset[int],
        below: frozenset[int],
    ) -> None:
        self._encoded = encoded
        self._report = report
        self._before = before
        self._after = after
        self._here = here
        self._below = below
        self._stretches: list[tuple[_Value, _Value]] = []
        self._reshaped = False

    def root(self, state: State, path: Path) -> None:
        """The whole of it; then what stands between the values."""
        self._value(self._before.root, self._after.root, state, self._here, path)
        if not self._reshaped and self._around(0) != self._around(1):
            self._report("untouched", BYTES_CHANGED, path)

    def _around(self, side: int) -> str:
        """The text without the values that were compared one by one."""
        text = (self._before, self._after)[side].text
        parts: list[str] = []
        at = 0
        for stretch in self._stretches:
            parts.append(text[at : stretch[side].start])
            at = stretch[side].end
        return "".join([*parts, text[at:]])

    def _value(self, old: _Value, new: _Value, state: State, done: frozenset[int], path: Path) -> None:
        kind = self._before.kind(old)
        treatment = state.treatment(kind)
        if treatment == ENCODED and state.decoder in done:
            treatment = IDENTICAL if state.rule is None else VALUE
        if treatment == IDENTICAL:
            self._stretches.append((old, new))
            if self._before.raw(old) != self._after.raw(new):
                self._report("untouched", BYTES_CHANGED, path)
        elif treatment in (VALUE, ENCODED):
            self._stretches.append((old, new))
            if treatment == VALUE:
                self._masked(old, new, state, path)
            else:
                self._nested(old, new, state, done, path)
        elif self._after.kind(new) != kind:
            self._reshaped = True
            self._report("structure", TYPE_CHANGED, path)
        else:
            self._inside(old, new, state, done, path)

    def _inside(self, old: _Value, new: _Value, state: State, done: frozenset[int], path: Path) -> None:
        befores, afters = old.inside, new.inside
        if self._before.kind(old) == ARRAY:
            if len(befores) != len(afters):
                self._reshaped = True
                self._report("structure", ARRAY_LENGTH, path)
            for (_, before), (_, after) in zip(befores, afters, strict=False):
                self._value(before, after, state, done, path)
            return
        below = self._below if done is self._here else done
        children = [(key, value, state.child(_key(key))) for key, value in befores]
        staying = [one for one in children if not self._is_removable(one[1], one[2])]
        keys = [key for key, _ in afters]
        if [key for key, _, _ in staying] == keys:
            self._reshaped = self._reshaped or len(staying) < len(children)
            children = staying
        elif [key for key, _, _ in children] != keys:
            self._reshaped = True
            what = LOST if len(keys) < len(staying) else ADDED
            self._report("structure", what, path)
            self._report("untouched", what, path)
            return
        for (key, before, child), (_, after) in zip(children, afters, strict=True):
            self._value(before, after, child, below, (*path, _key(key)))

    def _is_removable(self, value: _Value, state: State) -> bool:
        return (
            state.rule is not None
            and state.rule.removes
            and state.treatment(self._before.kind(value)) == VALUE
        )

    def _masked(self, old: _Value, new: _Value, state: State, path: Path) -> None:
        rule = state.rule
        if rule is None:
            return
        raw, masked = self._before.raw(old), self._after.raw(new)
        kind, new_kind = self._before.kind(old), self._after.kind(new)
        if kind in (OBJECT, ARRAY):
            if raw == masked and judges_originals(rule) and _EMPTY.fullmatch(raw) is None:
                self._report("originals", ORIGINAL, path)
            return
        bson_type, value = _as_bson(kind, raw)
        allowed = {_JSON_TYPES.get(one, one) for one in state.allowed(bson_type, in_array=True)}
        if new_kind != NULL and new_kind not in allowed and new_kind != kind:
            self._report("structure", TYPE_CHANGED, path)
        elif bson_type == DECIMAL and rule.stays is not None:
            return  # what these bytes stand for cannot be asked
        elif new_kind == kind and still_original(state, bson_type, value, *_as_bson(kind, masked)):
            self._report("originals", ORIGINAL, path)

    def _nested(self, old: _Value, new: _Value, state: State, done: frozenset[int], path: Path) -> None:
        raw, masked = self._before.raw(old), self._after.raw(new)
        if self._after.kind(new) == NULL or (self._before.kind(old) != STRING and raw != masked):
            return
        if self._before.kind(old) != STRING:
            if raw not in _BLANKS:
                self._report("originals", NOT_REDACTED, path)
            return
        before, after = json.loads(raw), json.loads(masked) if self._after.kind(new) == STRING else None
        if after != "[REDACTED]":
            self._encoded.field(before, after, state, done, path)


def _key(raw: str) -> bytes:
    return str(json.loads(raw)).encode("utf-8", "surrogatepass")


def _string(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return struct.pack("<i", len(encoded) + 1) + encoded + b"\0"


def _as_bson(kind: int, raw: str) -> tuple[int, bytes]:
    """The BSON type and bytes of a scalar; of a number beyond 64 bits only something that is its own."""
    if kind == STRING:
        return STRING, _string(json.loads(raw))
    if kind == BOOL:
        return BOOL, b"\1" if raw == "true" else b"\0"
    if raw.lstrip("-").isdecimal():
        number = int(raw) if len(raw) <= 20 else 2**63
        if -(2**31) <= number < 2**31:
            return INT32, struct.pack("<i", number)
        return (INT64, struct.pack("<q", number)) if -(2**63) <= number < 2**63 else (DECIMAL, raw.encode())
    return DOUBLE, struct.pack("<d", float(raw))


def _plain(kind: int, value: bytes) -> str | None:
    """The text of a string or a binary."""
    content = value[4:-1] if kind == STRING else value[5:] if kind == BINARY else None
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def _unheld(text: str | None, coding: str) -> str | None:
    """What a text of this coding holds."""
    if text is None:
        return None
    try:
        if coding == "json":
            inner = json.loads(text.removeprefix(_BOM))
            return inner if isinstance(inner, str) else None
        bare = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (ValueError, RecursionError):
        return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix(_BOM), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True
