"""Maskers for tests of the masking core, each in two spellings: a Masker, and what the oracle does for it."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from hypothesis import strategies as st

from oracle import (
    Mask,
    OracleRule,
    Value,
    build,
    for_types,
    keep,
    nullify,
    on_text,
    plus_a_day,
    redacted,
    remove,
)
from phimask import REMOVE, Column, Masker, Wildcard
from phimask.masking.columns import BoundRule, OnError
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked, Outcome, Unchanged
from strategies import documents, rule_lists, trees

Path = tuple[str | Wildcard, ...]

ANY, DEEP = Wildcard.ANY_KEY, Wildcard.ANY_DEPTH

EVERY_TYPE = frozenset(
    [
        *(
            "double",
            "string",
            "object",
            "array",
            "binData",
            "objectId",
            "bool",
            "date",
            "regex",
            "javascript",
        ),
        *("int", "timestamp", "long", "decimal", "minKey", "maxKey"),
    ]
)

_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (as PyMongo decodes dates)


class Tilde(Masker):
    """Puts a tilde behind each string."""

    name = "tilde"
    types = frozenset({"string"})

    def mask(self, column: Column) -> list[Any]:
        return [value + "~" for value in column.values]


class NextDay(Masker):
    """Moves dates by a day, those outside of datetime's years too."""

    name = "next_day"
    types = frozenset({"date"})
    changes = "maybe"

    def mask(self, column: Column) -> list[Any]:
        return [DatetimeMS(min(_milliseconds(value) + 86_400_000, 2**63 - 1)) for value in column.values]


def _milliseconds(value: Any) -> int:
    if isinstance(value, DatetimeMS):
        return int(value)
    return (value - _EPOCH) // datetime.timedelta(milliseconds=1)


class Successor(Masker):
    """Adds one to integers, past the end of their width too: the core has to see to that."""

    name = "successor"
    types = frozenset({"int", "long"})

    def mask(self, column: Column) -> list[Any]:
        return [int(value) + 1 for value in column.values]


class AsText(Masker):
    """Makes strings of strings and integers."""

    name = "as_text"
    types = frozenset({"string", "int", "long"})
    produces = frozenset({"string"})

    def mask(self, column: Column) -> list[Any]:
        return [f"#{value}" for value in column.values]


class Stub(Masker):
    """Puts one and the same document in place of each sub-document."""

    name = "stub"
    types = frozenset({"object"})
    containers = True

    def mask(self, column: Column) -> list[Any]:
        return [{"mask": True} for _ in column.values]


class Keep(Masker):
    """Leaves everything as it is."""

    name = "keep"
    types = EVERY_TYPE
    changes = "never"
    containers = True

    def mask(self, column: Column) -> list[Any]:
        raise AssertionError("what is kept needs no masker")


class Nullify(Masker):
    """Puts null in place of everything."""

    name = "nullify"
    types = EVERY_TYPE
    produces = frozenset({"null"})
    containers = True

    def mask(self, column: Column) -> list[Any]:
        return [None] * len(column.values)


class Remove(Masker):
    """Takes everything out."""

    name = "remove"
    types = EVERY_TYPE
    produces = frozenset({"null"})
    containers = True
    removes = True

    def mask(self, column: Column) -> list[Any]:
        return [REMOVE] * len(column.values)


_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


def _if_utf8(mask: Mask) -> Mask:
    """What is no text cannot be masked as one."""

    def masked(bson_type: int, value: bytes) -> object:
        if bson_type == 0x02:
            try:
                value[4:-1].decode()
            except UnicodeDecodeError:
                return redacted(bson_type, value)
        return mask(bson_type, value)

    return masked


def _successor(bson_type: int, value: bytes) -> Value:
    width = {0x10: "<i", 0x12: "<q"}[bson_type]
    try:
        return bson_type, struct.pack(width, struct.unpack(width, value)[0] + 1)
    except struct.error:
        return redacted(bson_type, value)


def _as_text(bson_type: int, value: bytes) -> Value:
    number = {0x10: "<i", 0x12: "<q"}.get(bson_type)
    text = b"#" + value[4:-1] if number is None else b"#%d" % struct.unpack(number, value)[0]
    return 0x02, struct.pack("<i", len(text) + 1) + text + b"\0"


def _stub(bson_type: int, value: bytes) -> Value:
    try:
        bson.decode(value, _EXACT)
    except (bson.errors.InvalidBSON, ValueError):
        return redacted(bson_type, value)
    return 0x03, bson.encode({"mask": True})


class Trial(NamedTuple):
    """A masker and its double."""

    masker: Callable[[dict[str, Any]], Masker]
    mask: Mask
    containers: bool = False
    removes: bool = False


TILDE = Trial(Tilde, _if_utf8(on_text(lambda text: text + b"~")))
NEXT_DAY = Trial(NextDay, plus_a_day)
SUCCESSOR = Trial(Successor, for_types([0x10, 0x12], _successor))
AS_TEXT = Trial(AsText, _if_utf8(for_types([0x02, 0x10, 0x12], _as_text)))
STUB = Trial(Stub, for_types([0x03], _stub), containers=True)
KEEP = Trial(Keep, keep, containers=True)
NULLIFY = Trial(Nullify, nullify, containers=True)
REMOVES = Trial(Remove, remove, containers=True, removes=True)

TRIALS = (TILDE, NEXT_DAY, SUCCESSOR, AS_TEXT, STUB, KEEP, NULLIFY, REMOVES)

Rules = Sequence[tuple[Path, Trial]]


def bound(rules: Rules) -> list[BoundRule]:
    """The rules as the core takes them."""
    return [
        BoundRule(index, _spelt(path), path, trial.masker({})) for index, (path, trial) in enumerate(rules)
    ]


def told(rules: Rules) -> list[OracleRule]:
    """The rules as the oracle takes them."""
    return [OracleRule(path, trial.mask, trial.containers, trial.removes) for path, trial in rules]


def _spelt(path: Path) -> str:
    return ".".join(part if isinstance(part, str) else part.value for part in path)


def core(
    rules: Rules, *, on_error: OnError = "redact", subject: tuple[str, ...] | None = None
) -> MaskingCore:
    """A masking core for the rules."""
    return MaskingCore(bound(rules), subject, on_error)


def result(raw: bytes, outcome: Outcome) -> bytes:
    """The document that an outcome of mode `whole` makes of `raw`."""
    if isinstance(outcome, Masked):
        return outcome.bson
    assert isinstance(outcome, Unchanged), outcome
    return raw


@st.composite
def rules_for(draw: st.DrawFn, nodes: Any) -> list[tuple[Path, Trial]]:
    """Up to five rules, most of which hit something in this tree."""
    return [(path, draw(st.sampled_from(TRIALS))) for path in draw(rule_lists(nodes))]


@st.composite
def batches(draw: st.DrawFn, *, odd: bool, most: int = 4) -> tuple[list[bytes], list[tuple[Path, Trial]]]:
    """Documents and rules, the rules made for the first of them."""
    nodes = draw(trees(odd=odd))
    others = draw(st.lists(documents(odd=odd), max_size=most - 1))
    return [build(nodes), *others], draw(rules_for(nodes))
