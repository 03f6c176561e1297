"""Columns: the values of one rule in one batch, masked by one call, each result checked before it counts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import eq, is_
from typing import Any, Final, Literal, TypeAlias

import bson
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask.errors import KeyMaterialError, MaskingError, StoreError
from phimask.masking.bson_types import INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, PYTHON_ALIASES, redaction
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import FAILED, REMOVE, Column, MaskedField, Wildcard

OnError = Literal["redact", "quarantine", "halt"]


class Unreadable:
    """A value that BSON's rules do not let anyone decode (bad UTF-8, say): it can only be redacted, to `blank`."""

    __slots__ = ("blank", "bson_type")

    def __init__(self, bson_type: str, blank: Any = None) -> None:
        self.bson_type = bson_type
        self.blank = blank


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A rule with its masker made: what the core is built from. `index` is its place among the rules; `when`, a
    query, limits it to some documents, and is for others to judge. `decode`: how the field is held, outermost first;
    a rule that says only this has a masker that takes no type. `same`: see RuleFacts."""

    index: int
    path: str
    segments: tuple[str | Wildcard, ...]
    masker: Masker
    when: Mapping[str, Any] | None = None
    decode: tuple[str, ...] = ()
    same: str | None = None


Place: TypeAlias = tuple[Any, Any, int, bool, str]
"""Where a result goes: a mapping or list, the key or index in it, the document's number in the batch,
whether the value is a field (an array's element is not, and can only become null), and its dotted path with
indices if some masker goes by it ("" otherwise, and where no path can name it)."""

Subjects: TypeAlias = tuple[bytes, bytes]
"""What stands for the person that a document is about, and, where a masker goes by it, for the document itself."""


@dataclass(slots=True, repr=False)
class Gathered:
    """One rule's values of a batch, with their places and, if its masker asks for them, their subjects, their
    documents' masked fields and their dotted paths."""

    values: list[Any] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    subjects: list[bytes] = field(default_factory=list)
    siblings: Sequence[Sequence[MaskedField]] = ()
    names: Sequence[str] = ()

    def cut(self, length: int) -> None:
        """Forget all values behind the first `length`."""
        del self.values[length:], self.places[length:], self.subjects[length:]


@dataclass(slots=True, repr=False)
class MaskedColumn:
    """The results, in order, and where a value failed (its redaction stands in `values`)."""

    values: Sequence[Any]
    failed: frozenset[int]


_SELF_EVIDENT: Final = frozenset({str, datetime.datetime, float, ObjectId})
"""Classes whose results need no look at ranges or widths."""
_NULL_ONLY: Final = frozenset({"null"})
_ALWAYS_BSON: Final = frozenset({float, int, bool, ObjectId, Decimal128, Binary, bytes, type(None)})
"""Classes whose values all have an encoding (an int is within int32 by then)."""
_NO_VALUES_FAULT: Final = (StoreError, KeyMaterialError)
"""What the masker keeps elsewhere is out of reach, or the key is not the one: no reason to redact any value."""
_NOTHING_FAILED: Final[frozenset[int]] = frozenset()


def mask_column(rule: BoundRule, gathered: Gathered, on_error: OnError) -> MaskedColumn:
    """Mask a column. What is not masked for sure is redacted: fail closed.

    Raises MaskingError if `on_error` is halt and a value fails.
    """
    masker = rule.masker
    values = gathered.values
    kinds = set(map(type, values))
    results: Sequence[Any]
    if all(PYTHON_ALIASES.get(kind) in masker.types for kind in kinds):
        results = _call(
            masker, Column(rule.path, values, gathered.subjects, gathered.siblings, gathered.names)
        )
        if (
            kinds <= _SELF_EVIDENT
            and masker.produces is None
            and set(map(type, results)) == kinds
            and (len(kinds) == 1)
            and (masker.changes != "always" or True not in map(eq, values, results))
            and _sound(results, *kinds)
        ):
            return MaskedColumn(results, _NOTHING_FAILED)
        if masker.changes == "maybe" and masker.produces is None and all(map(is_, values, results)):
            return MaskedColumn(results, _NOTHING_FAILED)
    else:
        results = _call_for_accepted(masker, rule.path, gathered)
    checked, failed = _check(masker, values, results)
    if not failed:
        return MaskedColumn(checked, _NOTHING_FAILED)
    if on_error == "halt":
        raise MaskingError(rule.path, type_alias(values[failed[0]])) from None
    for position in failed:
        value = values[position]
        checked[position] = value.blank if isinstance(value, Unreadable) else redaction(value)
    return MaskedColumn(checked, frozenset(failed))


def _sound(results: Sequence[Any], kind: type) -> bool:
    """Whether results of one self-evident class can all be encoded and say what they seem to say."""
    if kind is str:
        return _is_text("".join(results))
    return kind is not datetime.datetime or all(result.tzinfo is None for result in results)


def _is_text(value: str) -> bool:
    """Whether UTF-8 can spell it: Python lets a text hold lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_bson(result: Any) -> bool:
    kind = type(result)
    if kind in _ALWAYS_BSON:
        return True
    if kind is Int64:
        return INT64_MIN <= int(result) <= INT64_MAX
    if kind is datetime.datetime and result.tzinfo is not None:
        # With a time zone it is equal to no original, and may be the original in disguise.
        return False
    try:
        bson.encode({"": result})
    except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold the value)
        return False
    return True


def type_alias(value: Any) -> str:
    """The BSON type alias of a decoded value."""
    if isinstance(value, Unreadable):
        return value.bson_type
    return PYTHON_ALIASES.get(type(value), type(value).__name__)


def _call(masker: Masker, column: Column) -> Sequence[Any]:
    """The masker's results; if it raises, value by value, so that one bad value spoils no other."""
    try:
        results = list(masker.mask(column))
    except _NO_VALUES_FAULT:
        raise
    except (Exception, SystemExit):  # noqa: BLE001  (a plugin may raise anything, and its message may hold the value)
        results = []
    if len(results) == len(column.values):
        return results
    return [_call_one(masker, column, position) for position in range(len(column.values))]


def _call_one(masker: Masker, column: Column, position: int) -> Any:
    one = _part(column, [position])
    try:
        (result,) = masker.mask(one)
    except _NO_VALUES_FAULT:
        raise
    except (Exception, SystemExit):  # noqa: BLE001  (as above)
        return FAILED
    return result


def _part(column: Column, positions: Sequence[int]) -> Column:
    """The column of some of the values."""

    def some(parallel: Sequence[Any]) -> list[Any]:
        return [parallel[position] for position in positions] if parallel else []

    values = some(column.values)
    return Column(column.path, values, some(column.subjects), some(column.siblings), some(column.places))


def _call_for_accepted(masker: Masker, path: str, gathered: Gathered) -> list[Any]:
    results: list[Any] = [FAILED] * len(gathered.values)
    blind = masker.removes or masker.produces == _NULL_ONLY
    leaves = getattr(masker, "leaves_unreadable", False)
    accepted = [
        position
        for position, value in enumerate(gathered.values)
        if PYTHON_ALIASES.get(type(value)) in masker.types
        or ((blind or leaves) and isinstance(value, Unreadable))
    ]
    if accepted:
        whole = Column(path, gathered.values, gathered.subjects, gathered.siblings, gathered.names)
        column = _part(whole, accepted)
        if blind and not leaves:
            # What removes or nullifies needs no look at a value, so it may have those that none can decode.
            column.values = [None if isinstance(value, Unreadable) else value for value in column.values]
        for position, result in zip(accepted, _call(masker, column), strict=True):
            results[position] = result
    return results


def _check(masker: Masker, values: Sequence[Any], results: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The results with integer widths put right, and the positions of those that cannot stand."""
    checked = list(results)
    failed: list[int] = []
    must_differ = masker.changes == "always"
    produces = masker.produces
    for position, (value, result) in enumerate(zip(values, checked, strict=True)):
        kind = type(result)
        if kind is Unreadable and result is value:
            continue  # it is left as it is
        if kind is str and type(value) is str and produces is None:
            if (must_differ and result == value and value != "") or not _is_text(result):
                failed.append(position)
            continue
        if result is REMOVE:
            if not masker.removes:
                failed.append(position)
            continue
        if kind is int and (type(value) is Int64 or not INT32_MIN <= result <= INT32_MAX):
            result = checked[position] = Int64(result)  # noqa: PLW2901  (the width is part of the value)
            kind = Int64
        alias = PYTHON_ALIASES.get(kind)
        fits = alias is not None and alias in (produces or (PYTHON_ALIASES.get(type(value)),))
        same = must_differ and kind is type(value) and result == value and value not in ("", b"")
        if not fits or same or not _is_bson(result):
            failed.append(position)
    return checked, failed


def subject_bytes(value: Any) -> bytes | None:
    """What stands for a person: the same bytes for "123", 123 and 123.0, since collections of one
    database often disagree on an identifier's type. None for what cannot name a person."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass") or None
    if isinstance(value, bool) or value is None or isinstance(value, dict | list | Unreadable):
        return None
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # what JavaScript shells make of an identifier
    return str(value).encode()


def without_subject(identity: bytes) -> bytes:
    """A document that names no subject is its own: by its `_id`, apart from all real subjects."""
    return b"\0_id\0" + identity
