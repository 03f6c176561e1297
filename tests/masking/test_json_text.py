"""Values read out of JSON one by one, and written."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from phimask.masking.columns import Unreadable
from phimask.masking.json_text import (
    InvalidJsonError,
    after_spaces,
    can_write,
    container_at,
    key_at,
    passed_over,
    scalar_at,
    string_at,
    written,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("2147483647", 2147483647),
        ("2147483648", Int64(2147483648)),
        ("-9223372036854775808", Int64(-(2**63))),
        ("9223372036854775808", Decimal128("9223372036854775808")),
        ("1.0", 1.0),
        ("-1e5", -100000.0),
        ("1E-2", 0.01),
        ("true", True),
        ("false", False),
        ("null", None),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
    ],
)
def test_scalars_are_of_the_type_that_bson_has_for_them(text: str, value: Any) -> None:
    found, end = scalar_at(f"[{text}, 1]", 1)
    assert (found, type(found), end) == (value, type(value), 1 + len(text))


def test_not_a_number_is_a_number() -> None:
    value, end = scalar_at("NaN", 0)
    assert math.isnan(value)
    assert end == 3


@pytest.mark.parametrize("text", ["1" * 35, "-" + "9" * 5000, "1e999"])
def test_numbers_that_bson_cannot_hold_are_unreadable(text: str) -> None:
    value, end = scalar_at(text, 0)
    assert isinstance(value, Unreadable)
    assert end == len(text)


@pytest.mark.parametrize("text", ["", "nul", "True", "+1", ".5", "-", "\u0661", "'a'", "undefined"])
def test_other_words_are_no_scalars(text: str) -> None:
    with pytest.raises(InvalidJsonError):
        scalar_at(text, 0)


@pytest.mark.parametrize("text", ['"', '"a', '"\\x"', '"\n"', '"\\u12"', "a", ""])
def test_what_is_no_string(text: str) -> None:
    with pytest.raises(InvalidJsonError):
        string_at(text, 0)


@pytest.mark.parametrize(
    ("text", "value"), [('"\\ud83d\\ude00"', "\U0001f600"), ('"a\\/b"', "a/b"), ('""', "")]
)
def test_strings_are_read_without_their_escapes(text: str, value: str) -> None:
    assert string_at(text, 0) == (value, len(text))


def test_a_lone_surrogate_is_unreadable_as_a_value_and_a_key_all_the_same() -> None:
    assert isinstance(string_at('"\\ud800"', 0)[0], Unreadable)
    assert key_at('"\\ud800"', 0) == ("\ud800", 8)


def test_spaces_are_those_of_json() -> None:
    assert after_spaces("a \t\r\n b", 1) == 6
    assert after_spaces("a", 1) == 1
    assert after_spaces("\u00a0", 0) == 0


def test_what_is_passed_over_is_checked_all_the_same() -> None:
    text = '[{"a": [1, NaN, ' + "9" * 5000 + "]}] "
    assert passed_over(text, 0) == len(text) - 1
    for wrong in ("[1,]", '{"a" 1}', "{a: 1}", "[", "", "[1}"):
        with pytest.raises(InvalidJsonError):
            passed_over(wrong, 0)


def test_containers_hold_what_scalars_would_be() -> None:
    value, end = container_at('{"a": [1, 4294967296, 1.5]} ', 0)
    assert value == {"a": [1, Int64(4294967296), 1.5]}
    assert type(value["a"][1]) is Int64
    assert end == 27


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(derandomize=True, deadline=None, database=None)
@given(_VALUES, st.booleans())
def test_what_is_written_means_the_value(value: Any, ascii_only: bool) -> None:
    assert can_write(value)
    text = written(value, ascii_only=ascii_only)
    assert json.loads(text) == value
    assert text.isascii() or not ascii_only


@pytest.mark.parametrize("value", [math.nan, math.inf, b"x", {1: 2}, [b"x"], Decimal128("NaN"), object()])
def test_what_json_has_no_form_for(value: Any) -> None:
    assert not can_write(value)


def test_numbers_of_bson_s_own_are_written_as_numbers() -> None:
    assert written(Int64(5), ascii_only=True) == "5"
    assert written(Decimal128("1.2E+30"), ascii_only=True) == "1.2E+30"
    assert json.loads(written(Decimal128("9223372036854775808"), ascii_only=True)) == 9223372036854775808
