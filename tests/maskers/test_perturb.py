"""perturb: noise within its bounds, the same for the same value of a person."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask

from phimask import FAILED, Column
from phimask_plugins.maskers import Perturb

numbers = st.one_of(
    st.integers(-(10**8), 10**8),
    st.integers(-(10**15), 10**15).map(Int64),
    st.integers(-(10**9), 10**9).map(lambda number: number / 100),
    st.decimals(-(10**9), 10**9, places=3).map(Decimal128),
)


def number(value) -> Decimal:
    return Decimal(str(value))


@given(numbers, st.sampled_from([0.5, 2, 7.25, 100]), st.binary(max_size=5))
def test_noise_is_within_its_bound_and_of_the_values_own_digits(value, bound, subject):
    (result,) = mask(Perturb({"absolute": bound}, KEY), value, subjects=[subject])
    assert type(result) is type(value)
    # Never less than one unit of the last digit: of an integer, 1.
    allowed = max(number(bound), Decimal(1)) if isinstance(value, int) else number(bound)
    assert abs(number(result) - number(value)) <= allowed
    if isinstance(value, Decimal128):
        assert number(result).as_tuple().exponent == -3


@given(numbers, st.sampled_from([0.1, 5, 50]))
def test_percent_counts_from_the_value(value, percent):
    (result,) = mask(Perturb({"percent": percent}, KEY), value)
    unit = {int: 1, Int64: 1, float: Decimal("0.1"), Decimal128: Decimal("0.001")}[type(value)]
    allowed = max(abs(number(value)) * number(percent) / 100, Decimal(unit))
    assert abs(number(result) - number(value)) <= allowed + Decimal("1e-9")


@given(numbers, st.integers(-50, 50), st.integers(1, 50))
def test_no_result_is_outside_of_the_limits(value, least, more):
    (result,) = mask(Perturb({"absolute": 30, "min": least, "max": least + more}, KEY), value)
    assert least <= number(result) <= least + more


def test_all_noise_is_as_likely():
    results = mask(
        Perturb({"absolute": 3}, KEY), *[50] * 7000, subjects=[b"%d" % person for person in range(7000)]
    )
    counts = Counter(results)
    assert set(counts) == set(range(47, 54))
    # 6 degrees of freedom; the key is fixed, so this passes always or never.
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 22.5


def test_noise_depends_on_value_person_and_key():
    masker = Perturb({"absolute": 1000}, KEY)
    ((one,), (same,), (other,)) = (mask(masker, 5, subjects=[who]) for who in (b"a", b"a", b"b"))
    assert one == same != other
    assert mask(Perturb({"absolute": 1000}, OTHER_KEY), 5, subjects=[b"a"]) != [one]
    assert mask(masker, 6, subjects=[b"a"]) != [one + 1]


@pytest.mark.parametrize(
    ("options", "value", "allowed"),
    [
        ({"percent": 5}, 7, {6, 7, 8}),
        ({"percent": 5}, 0, {-1, 0, 1}),
        ({"percent": 5, "min": 0}, 0, {0, 1}),
        ({"absolute": 1, "max": 99}, 400, {98, 99}),
        ({"absolute": 1, "max": 98.5}, 400, {97, 98}),
        ({"absolute": 1, "min": 1.5}, -400, {2, 3}),
        ({"absolute": 1, "min": 1.2, "max": 1.8}, 1, {FAILED}),
        ({"absolute": 1}, 2**31 - 1, {2**31 - 1, 2**31 - 2, FAILED}),
        ({}, float("nan"), {FAILED}),
        ({}, float("inf"), {FAILED}),
        ({}, Decimal128("sNaN"), {FAILED}),
        ({}, "5", {FAILED}),
        ({}, True, {FAILED}),
    ],
)
def test_edges(options, value, allowed):
    seen = {mask(Perturb(options, KEY), value, subjects=[b"%d" % who])[0] for who in range(60)}
    assert seen == allowed


@pytest.mark.parametrize("value", [1e300, -1e300, 5e-324, 1.7976931348623157e308, 1e16, 123456789012345680.0])
def test_doubles_of_any_size_stay_within_percent(value):
    seen = mask(Perturb({}, KEY), *[value] * 40, subjects=[b"%d" % who for who in range(40)])
    kept = [result for result in seen if result is not FAILED]
    assert kept
    assert all(math.isfinite(one) and abs(one - value) <= abs(value) * 0.0500001 + 1e-300 for one in kept)
    if value != 5e-324:
        assert len(set(kept)) > 5


@pytest.mark.parametrize(
    "text", ["9.9E+6144", "1E-6176", "0E-6176", "1E+6111", "1234567890123456789012345678901234"]
)
def test_decimals_of_any_size_are_masked_or_failed(text):
    value = Decimal128(text)
    for result in mask(Perturb({}, KEY), *[value] * 10, subjects=[b"%d" % who for who in range(10)]):
        assert result is FAILED or abs(number(result) - number(value)) <= abs(number(value)) / 10 + Decimal(
            "1E-6176"
        )


@pytest.mark.parametrize(
    "options",
    [
        {"absolute": 1, "percent": 1},
        {"absolute": float("nan")},
        {"percent": float("inf")},
        {"min": float("-inf")},
        {"min": 2, "max": 2},
    ],
)
def test_options_that_do_not_go_together(options):
    with pytest.raises(ValueError, match=r".+"):
        Perturb(options, KEY)


def test_a_column_without_its_subjects_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        Perturb({}, KEY).mask(Column("p", [1], []))
