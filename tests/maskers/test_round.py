"""round: fewer digits, ties to even, types and forms kept."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import example, given
from hypothesis import strategies as st
from masker_cases import mask, same

from phimask import FAILED
from phimask_plugins.maskers import Round


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({}, 98.6, 99.0),
        ({}, 0.5, 0.0),
        ({}, 1.5, 2.0),
        ({}, 2.5, 2.0),
        ({}, -2.5, -2.0),
        ({"digits": 1}, 98.65, 98.6),
        ({"digits": 1}, 0.15, 0.2),
        ({"digits": 2}, 2.675, 2.68),
        ({"digits": 2}, 1e300, 1e300),
        ({"digits": -1}, 45, 40),
        ({"digits": -1}, 55, 60),
        ({"digits": -3}, 499, 0),
        ({"digits": -1}, 2**31 - 1, FAILED),
        ({"digits": -1}, Int64(2**31 - 1), Int64(2147483650)),
        ({"digits": -1}, Int64(2**63 - 1), FAILED),
        ({"digits": -1}, Int64(-(2**63)), FAILED),
        ({"digits": -2}, Int64(-(2**63)), Int64(-(2**63) + 8)),
        ({"digits": 3}, 7, 7),
        ({"multiple": 5}, 98, 100),
        ({"multiple": 5}, 97, 95),
        ({"multiple": 5}, 98.6, 100.0),
        ({"multiple": 0.25}, 98.6, 98.5),
        ({"multiple": 0.25}, 98, 98),
        ({"multiple": 2.5}, 3, FAILED),
        ({"multiple": 0.1}, 0.3, 0.3),
        ({"digits": 1}, Decimal128("98.65"), Decimal128("98.60")),
        ({"digits": 2}, Decimal128("98.600"), Decimal128("98.600")),
        ({"digits": 2}, Decimal128("1E+3"), Decimal128("1E+3")),
        ({"digits": 2}, Decimal128("9.9E+6144"), Decimal128("9.9E+6144")),
        ({"multiple": 7}, Decimal128("9.9E+6144"), FAILED),
        ({"digits": 2}, Decimal128("1E-6176"), Decimal128("0E-6176")),
        ({}, float("nan"), FAILED),
        ({}, float("-inf"), FAILED),
        ({}, Decimal128("sNaN"), FAILED),
        ({}, Decimal128("Infinity"), FAILED),
        ({}, "98.6", FAILED),
        ({}, True, FAILED),
        ({}, -0.0, -0.0),
    ],
)
def test_round(options, value, expected):
    (result,) = mask(Round(options), value)
    assert result is expected or same(result, expected)


@given(st.integers(-(10**15), 10**15), st.integers(0, 4), st.integers(-3, 5))
def test_decimals_are_rounded_as_exact_fractions_are(unscaled, places, digits):
    value = Decimal128(f"{unscaled}E-{places}")
    (result,) = mask(Round({"digits": digits}), value)
    step = Fraction(10) ** -digits
    expected = round(Fraction(unscaled, 10**places) / step) * step
    assert Fraction(result.to_decimal()) == expected


@example(2.4021798006818236e16, {"multiple": 7})
@given(st.floats(), st.sampled_from([{"digits": 2}, {"multiple": 7}, {"multiple": 0.1}, {"digits": -3}]))
def test_a_double_moves_by_half_a_step_at_most_and_only_once(value, options):
    (result,) = mask(Round(options), value)
    if result is FAILED:
        assert not math.isfinite(value)
        return
    step = options.get("multiple") or 10.0 ** -options["digits"]
    assert abs(result - value) <= step / 2 + abs(value) * 2**-52
    (again,) = mask(Round(options), result)
    assert same(again, result)


def test_one_way_to_round():
    with pytest.raises(ValueError, match="leave one of them out"):
        Round({"digits": 1, "multiple": 2})
    with pytest.raises(ValueError, match="no finite number"):
        Round({"multiple": float("inf")})
