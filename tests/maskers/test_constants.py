"""keep, redact, nullify, remove, replace."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime

import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from masker_cases import ODD_VALUES, mask, same

from phimask import REMOVE
from phimask_plugins.maskers import Keep, Nullify, Redact, Remove, Replace

EPOCH = datetime.datetime(1970, 1, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ada Lovelace", "[REDACTED]"),
        ("[REDACTED]", "[REDACTED]"),
        ("🩺", "[REDACTED]"),
        ("عبد الله", "[REDACTED]"),
        ("\ud800", "[REDACTED]"),
        ("", ""),
        (42, 0),
        (-1, 0),
        (Int64(2**63 - 1), Int64(0)),
        (1.5, 0.0),
        (float("nan"), 0.0),
        (Decimal128("NaN"), Decimal128("0")),
        (datetime.datetime(1815, 12, 10), EPOCH),
        (DatetimeMS(2**62), EPOCH),
        (True, False),
        (ObjectId("0123456789abcdef01234567"), ObjectId("0" * 24)),
        (b"PHI", b""),
        (Binary(b"PHI", 128), Binary(b"", 128)),
        (Binary(b"\x01" * 16, 4), Binary(b"\0" * 16, 4)),
        (Binary(b"\x01" * 16, 3), Binary(b"\0" * 16, 3)),
        (Timestamp(1, 2), Timestamp(0, 1)),
        (Regex("^Ada", "i"), Regex("")),
        (Code("Ada"), Code("")),
        (Code("Ada", {"n": "Ada"}), Code("", {})),
    ],
)
def test_redact_puts_the_types_blank(value, expected):
    (result,) = mask(Redact({}), value)
    assert same(result, expected)


def test_redact_with_its_options():
    assert mask(Redact({"text": "gone"}), "Ada", "", 5) == ["gone", "", 0]
    assert mask(Redact({"keep_length": True}), "Ada 🩺", "", "x" * 1000) == ["XXXXX", "", "X" * 1000]


def test_keep_keeps_the_very_values():
    values = [*ODD_VALUES, {"a": 1}]
    assert all(one is other for one, other in zip(mask(Keep({}), *values), values, strict=True))


def test_nullify_and_remove_take_anything():
    values = [*ODD_VALUES, {"a": 1}]
    assert mask(Nullify({}), *values) == [None] * len(values)
    assert mask(Remove({}), *values, ["a"]) == [REMOVE] * (len(values) + 1)


@pytest.mark.parametrize(
    ("option", "produces", "for_string", "for_long"),
    [
        ("x", {"string"}, "x", "x"),
        ("", {"string"}, "", ""),
        (7, {"int", "long"}, 7, Int64(7)),
        (-(2**31), {"int", "long"}, -(2**31), Int64(-(2**31))),
        (2**31, {"long"}, Int64(2**31), Int64(2**31)),
        (2**63 - 1, {"long"}, Int64(2**63 - 1), Int64(2**63 - 1)),
        (1.0, {"double"}, 1.0, 1.0),
        (True, {"bool"}, True, True),
        (None, {"null"}, None, None),
    ],
)
def test_replace_says_and_keeps_its_type(option, produces, for_string, for_long):
    masker = Replace({"value": option})
    assert masker.produces == produces
    results = mask(masker, "Ada", Int64(3), "")
    assert all(
        same(one, other) for one, other in zip(results, [for_string, for_long, for_string], strict=True)
    )


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_replace_refuses_a_number_past_64_bits(number):
    with pytest.raises(ValueError, match="64 bits"):
        Replace({"value": number})
