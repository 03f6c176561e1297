"""Canonical JSON, held against the examples of RFC 8785."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from bson import Int64
from hypothesis import given
from hypothesis import strategies as st

from phimask.observing.canonical import canonical, digest, parsed

NUMBERS = [  # RFC 8785, appendix B: IEEE 754 in hex, and as it is written
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "written"), NUMBERS)
def test_numbers_are_written_as_the_rfc_says(bits: str, written: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number) == written.encode()


def test_strings_and_keys_are_written_as_the_rfc_says() -> None:
    assert canonical('\u20ac$\u000f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(canonical(dict.fromkeys(keys)))) == [
        "\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33",
    ]  # fmt: skip
    assert canonical({"b": [True, False, None], "a": {}}) == b'{"a":{},"b":[true,false,null]}'


def test_five_is_five_however_it_was_kept() -> None:
    assert (
        digest({"a": 5, "b": (1, 2.0)})
        == digest({"b": [1, 2], "a": Int64(5)})
        == digest({"a": 5.0, "b": [1.0, 2]})
    )
    assert digest({"a": 5}) != digest({"a": True})
    assert digest({"a": 1}) != digest({"a": "1"})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_as_it_was(number: float) -> None:
    assert float(canonical(number)) == number


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**53 + 1, b"x", {1, 2}, "\ud800", {"a": object()}]
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical(value)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "[Infinity]", "[" * 100_000, "{", ""])
def test_json_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)
