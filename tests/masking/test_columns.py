"""What a masker gets wrong is redacted and counted, quarantined or ends the run: it never passes, nor is it told."""

from __future__ import annotations

import datetime
import math
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.son import SON
from bson.timestamp import Timestamp

from masking_trials import DEEP, EVERY_TYPE, REMOVES, TILDE, Keep, core
from oracle import build, redacted
from phimask import FAILED, REMOVE, Column, Masker, MaskingError
from phimask.masking.bson_types import LOSSLESS, redaction
from phimask.masking.columns import (
    BoundRule,
    Gathered,
    OnError,
    Unreadable,
    mask_column,
    subject_bytes,
    type_alias,
)
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked, NeedsWhole, Quarantined
from phimask.masking.splice import decode_value
from phimask.plugins.values import Changes

pytestmark = pytest.mark.usefixtures("walk")

CANARY = "Quillfeather"
NAIVE = datetime.datetime(2020, 2, 3)  # noqa: DTZ001  (as PyMongo decodes dates)
AWARE = NAIVE.replace(tzinfo=datetime.timezone.utc)

Answer = Callable[[Column], Any]


class Scripted(Masker):
    """Does what a test tells it to."""

    name = "scripted"
    types = EVERY_TYPE

    def __init__(self, answer: Answer, **declared: Any) -> None:
        super().__init__({})
        self.answer = answer
        for name, value in declared.items():
            setattr(self, name, value)

    def mask(self, column: Column) -> Sequence[Any]:
        return self.answer(column)  # type: ignore[no-any-return]


def each(function: Callable[[Any], Any]) -> Answer:
    return lambda column: [function(value) for value in column.values]


def constant(value: Any) -> Answer:
    return each(lambda _: value)


def scripted(answer: Answer, on_error: OnError = "redact", **declared: Any) -> MaskingCore:
    return MaskingCore([BoundRule(0, "**", (DEEP,), Scripted(answer, **declared))], None, on_error)


def raising(value: Any) -> Any:
    if value == CANARY:
        raise ValueError(f"cannot mask {value}")
    return value + "~"


def leaving(value: Any) -> Any:
    if value == CANARY:
        raise SystemExit(f"cannot mask {value}")
    return value + "~"


def unfinished(value: Any) -> Any:
    return FAILED if value == CANARY else value + "~"


def split_pair(value: Any) -> Any:
    return value + "\ud800" if value == CANARY else value + "~"


def unmasked(value: Any) -> Any:
    return value if value == CANARY else value + "~"


def retyped(value: Any) -> Any:
    return 7 if value == CANARY else value + "~"


def removed(value: Any) -> Any:
    return REMOVE if value == CANARY else value + "~"


def emptied(value: Any) -> Any:
    return None if value == CANARY else value + "~"


class Text(str):
    """No class that PyMongo would decode to."""


def disguised(value: Any) -> Any:
    return Text(value) if value == CANARY else value + "~"


FAULTS = [raising, leaving, unfinished, split_pair, unmasked, retyped, removed, emptied, disguised]

PLAIN = {"_id": 1, "a": "x", "n": {"b": CANARY, "c": ["y", CANARY]}}
ODD = {**PLAIN, "o.dd": "z"}


@pytest.mark.parametrize("document", [PLAIN, ODD])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_value_that_fails_is_redacted_and_counted(fault: Answer, document: dict[str, Any]) -> None:
    batch = scripted(each(fault)).mask([bson.encode(document)], "whole")
    (outcome,) = batch.outcomes
    assert isinstance(outcome, Masked)
    expected = {"_id": 1, "a": "x~", "n": {"b": "[REDACTED]", "c": ["y~", "[REDACTED]"]}}
    assert bson.decode(outcome.bson) == (expected if document is PLAIN else {**expected, "o.dd": "z~"})
    assert batch.redacted_on_error == [2]
    assert batch.masked == [2 if document is PLAIN else 3]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_update_redacts_the_same(fault: Answer) -> None:
    batch = scripted(each(fault)).mask([bson.encode(PLAIN), bson.encode(ODD)], "update")
    plain, odd = batch.outcomes
    assert isinstance(plain, Masked)
    assert bson.decode(plain.bson) == {
        "$set": {"a": "x~", "n.b": "[REDACTED]", "n.c.0": "y~", "n.c.1": "[REDACTED]"}
    }
    assert isinstance(odd, NeedsWhole)
    assert batch.redacted_on_error == [4]


@pytest.mark.parametrize("mode", ["whole", "update"])
@pytest.mark.parametrize("document", [PLAIN, ODD])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_value_that_fails_quarantines_its_document_alone(
    fault: Answer, document: dict[str, Any], mode: Any
) -> None:
    good = bson.encode({"_id": 2, "a": "x"})
    batch = scripted(each(fault), "quarantine").mask([good, bson.encode(document), good], mode)
    assert batch.outcomes[1] == Quarantined("a value at ** could not be masked")
    assert isinstance(batch.outcomes[0], Masked)
    assert batch.outcomes[0] == batch.outcomes[2]


@pytest.mark.parametrize("document", [PLAIN, ODD])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_value_that_fails_ends_the_run_and_is_not_told(fault: Answer, document: dict[str, Any]) -> None:
    with pytest.raises(MaskingError, match=r"^a string at \*\* could not be masked$") as raised:
        scripted(each(fault), "halt").mask([bson.encode(document)], "update")
    assert CANARY not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


WRONG_ANSWERS: list[Answer] = [
    lambda column: [],
    lambda column: None,
    lambda column: [value + "~" for value in column.values][1:],
    lambda column: [*column.values, "more"],
    lambda column: column.values,
    lambda column: 7,
    lambda column: 1 / 0,
    constant(float("nan")),
    constant(object()),
    constant([CANARY]),
    constant({"x": CANARY}),
]


@pytest.mark.parametrize("answer", WRONG_ANSWERS)
def test_an_answer_that_is_none_redacts_the_column(answer: Answer) -> None:
    batch = scripted(answer).mask([bson.encode(PLAIN)], "whole")
    (outcome,) = batch.outcomes
    assert isinstance(outcome, Masked)
    assert bson.decode(outcome.bson) == {
        "_id": 1,
        "a": "[REDACTED]",
        "n": {"b": "[REDACTED]", "c": ["[REDACTED]", "[REDACTED]"]},
    }
    assert (batch.masked, batch.redacted_on_error) == ([0], [4])


def test_an_iterator_is_as_good_as_a_list() -> None:
    (outcome,) = (
        scripted(lambda column: (f"{value}~" for value in column.values))
        .mask([bson.encode({"a": "x"})], "whole")
        .outcomes
    )
    assert isinstance(outcome, Masked)
    assert bson.decode(outcome.bson) == {"a": "x~"}


def test_one_bad_value_spoils_no_other() -> None:
    calls: list[int] = []

    def answer(column: Column) -> list[Any]:
        calls.append(len(column.values))
        return [raising(value) for value in column.values]

    scripted(answer).mask([bson.encode(PLAIN)], "whole")
    assert calls == [4, 1, 1, 1, 1]


def test_what_ends_the_process_is_not_held_up() -> None:
    def answer(column: Column) -> list[Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scripted(answer).mask([bson.encode(PLAIN)], "whole")


def one(value: Any, answer: Any, changes: Changes = "always", produces: Any = None) -> tuple[Any, bool]:
    """A value and whether it failed, for a column of that one value."""
    masker = Scripted(constant(answer), changes=changes, produces=produces)
    result = mask_column(BoundRule(0, "p", ("p",), masker), Gathered([value], [], [b""]), "redact")
    return result.values[0], bool(result.failed)


@pytest.mark.parametrize(
    ("value", "answer", "expected"),
    [
        (5, 6, 6),
        (5, 2**31 - 1, 2**31 - 1),
        (Int64(5), 6, Int64(6)),
        (Int64(5), Int64(6), Int64(6)),
        (Int64(5), 2**63 - 1, Int64(2**63 - 1)),
        (Int64(5), -(2**63), Int64(-(2**63))),
    ],
)
def test_an_integer_keeps_its_width(value: Any, answer: Any, expected: Any) -> None:
    masked, failed = one(value, answer)
    assert (masked, type(masked), failed) == (expected, type(expected), False)
    assert bson.encode({"": masked})[4] == bson.encode({"": value})[4]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (5, 2**31),
        (5, -(2**31) - 1),
        (5, Int64(6)),
        (5, 6.0),
        (5, True),
        (5, "6"),
        (5, 5),
        (Int64(5), 2**63),
        (Int64(5), Int64(2**63)),
        (Int64(5), Int64(5)),
        (Int64(5), 5),
        (1.5, 1.5),
        (1.5, 2),
        (True, 1),
        (True, True),
        (NAIVE, NAIVE),
        (NAIVE, AWARE),
        (NAIVE, datetime.date(2020, 1, 1)),
        (DatetimeMS(2**50), DatetimeMS(2**50)),
        (ObjectId(b"1" * 12), ObjectId(b"1" * 12)),
        (ObjectId(b"1" * 12), "1" * 24),
        (Decimal128("1.50"), Decimal128("1.50")),
        (Decimal128("1.50"), 1.5),
        (b"abc", b"abc"),
        (Binary(b"abc", 128), Binary(b"abc", 128)),
        (Regex("a"), Regex("a")),
        (Regex("a"), Regex("b\0")),
        (Regex("a"), Regex("b\udc80")),
        (Code("a"), Code("a")),
        (Code("a"), Code("\ud800")),
        (Timestamp(1, 1), Timestamp(1, 1)),
        ("a", "a"),
        ("a", "\udc80"),
        ("a", REMOVE),
        ("a", FAILED),
        ("a", None),
        ("a", b"b"),
        ("a", Text("b")),
        ({"a": "b"}, {"a": "b"}),
        ({"a": "b"}, {"a": "\ud800"}),
        ({"a": "b"}, {"a\0": "c"}),
        ({"a": "b"}, {"a": object()}),
        ({"a": "b"}, {"a": 2**64}),
        ({"a": "b"}, SON(a="c")),
    ],
)
def test_results_that_cannot_stand(value: Any, answer: Any) -> None:
    masked, failed = one(value, answer)
    assert failed
    expected = redaction(value)
    assert (masked, type(masked)) == (expected, type(expected))


@pytest.mark.parametrize("value", [5, Int64(5), 1.5, NAIVE, "a", Decimal128("1"), ObjectId(b"1" * 12)])
def test_a_value_may_stay_where_the_masker_says_so(value: Any) -> None:
    assert one(value, value, changes="maybe") == (value, False)


def test_an_empty_string_may_stay_as_it_is() -> None:
    assert one("", "") == ("", False)
    assert one(b"", b"") == (b"", False)


def test_nan_has_no_equal() -> None:
    masked, failed = one(math.nan, math.nan)
    assert math.isnan(masked)
    assert not failed


def test_a_masker_that_says_what_it_produces_is_held_to_it() -> None:
    produces = frozenset({"string"})
    assert one(5, "five", produces=produces) == ("five", False)
    assert one(5, 6, produces=produces) == (0, True)
    assert one("a", "\ud800", produces=produces) == ("[REDACTED]", True)
    assert one("a", "a", produces=produces) == ("[REDACTED]", True)
    assert one("a", None, produces=frozenset({"null"})) == (None, False)
    assert one(5, 2**40, produces=frozenset({"int"})) == (0, True)
    assert one("5", 2**40, produces=frozenset({"long"})) == (Int64(2**40), False)


ALL_KINDS: list[tuple[int, bytes]] = [
    (0x01, bytes(7) + b"\x40"),
    (0x02, b"\2\0\0\0x\0"),
    (0x02, b"\2\0\0\0\xff\0"),
    (0x03, build([(0x0A, b"x", b"")])),
    (0x05, b"\3\0\0\0\x80abc"),
    (0x05, b"\3\0\0\0\0abc"),
    (0x05, b"\7\0\0\0\2\3\0\0\0abc"),
    (0x05, b"\3\0\0\0\2abc"),
    (0x05, b"\x10\0\0\0\4" + b"u" * 16),
    (0x05, b"\x10\0\0\0\3" + b"u" * 16),
    (0x07, b"123456789012"),
    (0x08, b"\1"),
    (0x09, b"\1\0\0\0\0\0\0\0"),
    (0x09, b"\xff" * 7 + b"\x7f"),
    (0x0B, b"a\0i\0"),
    (0x0C, b"\2\0\0\0x\0" + bytes(12)),
    (0x0D, b"\2\0\0\0x\0"),
    (0x0D, b"\2\0\0\0\xff\0"),
    (0x0E, b"\2\0\0\0x\0"),
    (0x0F, b"\x0f\0\0\0\2\0\0\0x\0\5\0\0\0\0"),
    (0x10, b"\1\0\0\0"),
    (0x11, b"\1\0\0\0\0\0\0\0"),
    (0x12, b"\1\0\0\0\0\0\0\0"),
    (0x13, bytes(14) + b"\x41\x30"),
    (0x7F, b""),
    (0xFF, b""),
]


@pytest.mark.parametrize(("kind", "value"), ALL_KINDS)
def test_every_type_has_its_redaction(kind: int, value: bytes) -> None:
    raw = build([(kind, b"a", value)])
    batch = scripted(lambda column: 1 / 0, containers=True).mask([raw], "whole")
    (outcome,) = batch.outcomes
    assert isinstance(outcome, Masked)
    assert outcome.bson == build([(redacted(kind, value)[0], b"a", redacted(kind, value)[1])])
    assert batch.redacted_on_error == [1]
    bson.decode(outcome.bson)


@pytest.mark.parametrize(("kind", "value"), ALL_KINDS)
def test_a_type_that_is_not_declared_never_reaches_the_masker(kind: int, value: bytes) -> None:
    def refuse(column: Column) -> list[Any]:
        raise AssertionError(column.path)

    raw = build([(kind, b"a", value)])
    batch = scripted(refuse, types=frozenset(), containers=True).mask([raw], "whole")
    assert batch.redacted_on_error == [1]


@pytest.mark.parametrize(("kind", "value"), ALL_KINDS)
def test_what_is_removed_need_not_be_read(kind: int, value: bytes) -> None:
    batch = core([(("a",), REMOVES)]).mask([build([(kind, b"a", value)])], "whole")
    assert batch.outcomes == [Masked(build([]))]
    assert (batch.masked, batch.redacted_on_error) == ([1], [0])


def test_maskers_are_given_no_nulls_and_only_their_types() -> None:
    seen: list[Any] = []

    def answer(column: Column) -> list[Any]:
        seen.extend(column.values)
        return [value + "~" for value in column.values]

    document = {"_id": 1, "a": [None, "x", 5, {"b": None, "c": "y"}], "d": None, "e": Regex("z")}
    batch = scripted(answer, types=frozenset({"string"})).mask([bson.encode(document)], "whole")
    assert seen == ["x", "y"]
    assert (batch.masked, batch.redacted_on_error) == ([2], [2])


def test_what_javascript_has_a_scope_is_no_javascript() -> None:
    code = Code("x", {"Name": CANARY})
    batch = scripted(each(lambda value: Code("y", value.scope))).mask([bson.encode({"a": code})], "whole")
    assert batch.outcomes == [Masked(bson.encode({"a": None}))]


def test_values_have_no_repr() -> None:
    gathered = Gathered([CANARY], [], [CANARY.encode()])
    column = Column("p", [CANARY], [CANARY.encode()])
    result = mask_column(BoundRule(0, "p", ("p",), Scripted(constant(CANARY + "!"))), gathered, "redact")
    for shown in (gathered, column, result, Masked(CANARY.encode()), BoundRule(0, "p", ("p",), Keep({}))):
        assert CANARY not in repr(shown)


@pytest.mark.parametrize(
    ("value", "alias"),
    [("a", "string"), (5, "int"), (Int64(5), "long"), (NAIVE, "date"), (Unreadable("symbol"), "symbol")],
)
def test_type_aliases(value: Any, alias: str) -> None:
    assert type_alias(value) == alias


@pytest.mark.parametrize(("kind", "value"), ALL_KINDS)
def test_values_decode_as_in_their_document_or_not_at_all(kind: int, value: bytes) -> None:
    found = decode_value(kind, value)
    if isinstance(found, Unreadable):
        assert kind in (0x0C, 0x0E, 0x0F) or value in (b"\2\0\0\0\xff\0", b"\3\0\0\0\2abc")
    else:
        assert bson.encode({"": found}, codec_options=LOSSLESS) == build([(kind, b"", value)])


def test_a_reference_is_a_document_whose_parts_are_masked() -> None:
    raw = bson.encode({"a": DBRef("people", CANARY), "b": {"$ref": "people", "$id": "k"}})
    batch = core([((DEEP,), TILDE)]).mask([raw], "whole")
    assert batch.outcomes == [
        Masked(
            build(
                [
                    (0x03, b"a", bson.encode({"$ref": "people~", "$id": CANARY + "~"})),
                    (0x03, b"b", bson.encode({"$ref": "people~", "$id": "k~"})),
                ]
            )
        )
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("123", 123, Int64(123), 123.0, Decimal128("123")), b"123"),
        (("a",), b"a"),
        ((b"a", Binary(b"a", 4)), b"a"),
        (("", None, True, False, {}, {"a": 1}, [], ["a"], Unreadable("string")), None),
        (("\udc80",), b"\xed\xb2\x80"),
        ((1.5,), b"1.5"),
        ((ObjectId(b"1" * 12), "31" * 12), b"31" * 12),
    ],
)
def test_what_names_a_subject(values: Sequence[Any], expected: bytes | None) -> None:
    assert [subject_bytes(value) for value in values] == [expected] * len(values)


def subjects(document: bytes, path: tuple[str, ...] | None) -> tuple[list[bytes], list[bytes]]:
    """The subjects a masker is told of, for a document as it is and for one that has to be spliced."""
    told: list[list[bytes]] = []

    def answer(column: Column) -> list[Any]:
        told.append(list(column.subjects))
        return [f"{value}~" for value in column.values]

    masker = Scripted(answer, needs_subject=True, types=frozenset({"string"}))
    rules = [BoundRule(0, "Name", ("Name",), masker)]
    odd = document[4:-1] + b"\x0eodd\0\2\0\0\0x\0"
    for raw in (document, (len(odd) + 5).to_bytes(4, "little") + odd + b"\0"):
        MaskingCore(rules, path, "redact").mask([raw], "whole")
    return told[0], told[1]


@pytest.mark.parametrize(
    "path", [None, ("Id",), ("P", "Id"), ("P", "Id", "Deep"), ("_id",), ("Gone",), ("Größe",)]
)
@pytest.mark.parametrize(
    "document",
    [
        {"_id": 1, "Id": "7", "P": {"Id": Int64(8)}, "Name": "Ada"},
        {"_id": ObjectId(b"1" * 12), "Id": None, "P": [{"Id": 8}], "Name": ["Ada", "Bob"]},
        {"_id": {"a": "7"}, "Id": {"x": 1}, "P": {"Id": {"Deep": "9"}}, "Name": "Ada", "Größe": 1.0},
        {"_id": "7", "Id": True, "P": 5, "Name": "Ada"},
        {"Id": "", "P": {"Id": b"8"}, "Name": "Ada"},
    ],
)
def test_both_walks_tell_the_same_subject(document: dict[str, Any], path: tuple[str, ...] | None) -> None:
    plain, spliced = subjects(bson.encode(document), path)
    assert plain == spliced
    assert len(set(plain)) == 1


def test_a_document_without_a_subject_is_its_own() -> None:
    def told(document: dict[str, Any]) -> bytes:
        return subjects(bson.encode({**document, "Name": "Ada"}), ("Id",))[0][0]

    assert told({"_id": 1, "Id": "7"}) == told({"_id": 2, "Id": 7}) == b"7"
    assert told({"_id": 1}) != told({"_id": 2})
    assert told({"_id": "7"}) != told({"_id": 1, "Id": "7"})
    assert told({"_id": 1}) != told({"_id": Int64(1)})
