"""generalize: buckets, maps, prefixes and periods."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import mask, same

from phimask import FAILED
from phimask_plugins.maskers import DateTruncate, Generalize

AGES = {"edges": [0, 18, 65]}


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({"width": 10}, 42, 40),
        ({"width": 10}, 40, 40),
        ({"width": 10}, -1, -10),
        ({"width": 10}, -10, -10),
        ({"width": 10}, Int64(2**63 - 1), Int64(2**63 - 8)),
        ({"width": 10}, Int64(-(2**63)), FAILED),
        ({"width": 10}, 98.6, 90.0),
        ({"width": 0.1}, 0.3, 0.3),
        ({"width": 0.5}, Decimal128("98.6"), Decimal128("98.5")),
        ({"width": 0.5}, 7, 7),
        ({"width": 2.5}, 4, FAILED),
        ({"width": 10}, "42", "40"),
        ({"width": 10}, "42.75", "40"),
        ({"width": 0.5}, "42.75", "42.5"),
        ({"width": 10}, "042", "40"),
        ({"width": 10}, "40", "40"),
        ({"width": 10}, "forty", FAILED),
        ({"width": 10}, "4e1", FAILED),
        ({"width": 10}, "٤٢", FAILED),
        ({"width": 10}, " 42", FAILED),
        ({"width": 10}, "", ""),
        ({"width": 10}, float("nan"), FAILED),
        ({"width": 10}, float("inf"), FAILED),
        ({"width": 10}, 1e300, FAILED),
        ({"width": 10}, Decimal128("sNaN"), FAILED),
        ({"width": 10, "show": "range"}, 42, "[40, 50)"),
        ({"width": 10, "show": "range"}, "-0.5", "[-10, 0)"),
        ({"width": 10, "top": 85}, 99, 85),
        ({"width": 10, "top": 85}, 84, 80),
        ({"width": 10, "top": 85, "show": "range"}, 84, "[80, 85)"),
        ({"width": 10, "top": 85, "show": "range"}, 85, ">= 85"),
        ({"width": 10, "bottom": 18, "show": "range"}, 17, "< 18"),
        ({"width": 10, "bottom": 18, "show": "range"}, 18, "[18, 20)"),
        ({"width": 10, "bottom": 18}, 3, 18),
        (AGES, 17, 0),
        (AGES, 18, 18),
        (AGES, 99.5, 65.0),
        (AGES, -1, FAILED),
        ({**AGES, "bottom": 0}, -1, 0),
        ({**AGES, "show": "range"}, -1, "< 0"),
        ({**AGES, "show": "range"}, 18, "[18, 65)"),
        ({**AGES, "show": "range"}, 65, ">= 65"),
        ({**AGES, "labels": ["?", "child", "adult", "old"]}, "64.9", "adult"),
        ({**AGES, "labels": ["?", "child", "adult", "old"]}, Decimal128("1E+6000"), "old"),
        ({"top": 89}, 95, 89),
        ({"top": 89}, 40, 40),
        ({"top": 89}, "040", "040"),
        ({"bottom": 40}, "2.50", "40"),
        ({"bottom": 40}, 2.5, 40.0),
        ({"map": {"F": "female"}}, "F", "female"),
        ({"map": {"F": "female"}}, "f", FAILED),
        ({"map": {"F": "female"}, "default": "other"}, "f", "other"),
        ({"map": {"1": "first", "2": 7}}, 1, "first"),
        ({"map": {"1": "first", "2": 7}}, Int64(2), 7),
        ({"map": {"F": "female"}}, "", ""),
        ({"prefix": 3}, "E11.9", "E11"),
        ({"prefix": 3}, "E1", "E1"),
        ({"prefix": 1}, "🩺x", "🩺"),
        ({"prefix": 1}, "\ud800x", FAILED),
        ({"prefix": 1}, 17, FAILED),
        ({"period": "quarter"}, datetime.datetime(1987, 5, 17, 14), datetime.datetime(1987, 4, 1)),
        ({"period": "decade"}, datetime.datetime(1987, 5, 17), datetime.datetime(1980, 1, 1)),
        ({"period": "decade"}, datetime.datetime(9, 5, 17), datetime.datetime(1, 1, 1)),
        ({"period": "decade"}, "1987", "1980"),
        ({"period": "decade"}, "05/17/1987", "01/01/1980"),
        ({"period": "quarter"}, "1987-06", "1987-04"),
        ({"period": "quarter"}, "1987-12-31T23:59:59.5+02:00", "1987-10-01T00:00:00.0+02:00"),
        ({"period": "decade"}, DatetimeMS(-62_135_596_800_001), DatetimeMS(-62_167_219_200_000)),
        ({"period": "decade"}, "soon", FAILED),
    ],
)
def test_generalize(options, value, expected):
    (result,) = mask(Generalize(options), value)
    assert result is expected or same(result, expected)


@given(
    st.one_of(
        st.integers(-(10**9), 10**9),
        st.floats(-1e9, 1e9),
        st.decimals(-(10**9), 10**9, places=4).map(Decimal128),
    ),
    st.sampled_from([1, 3, 7, 10, 0.1, 0.25]),
)
def test_a_number_is_within_its_bucket(value, width):
    if isinstance(value, int) and width in (0.1, 0.25):
        width = 10
    (lower,) = mask(Generalize({"width": width}), value)
    assert type(lower) is type(value)
    number, bound = Decimal(str(value)), Decimal(str(lower))
    assert (
        bound <= number < bound + Decimal(str(width)) + (Decimal("1e-6") if isinstance(value, float) else 0)
    )
    assert mask(Generalize({"width": width}), lower) == [lower]


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=6, unique=True).map(sorted),
    st.integers(-2000, 2000),
)
def test_labels_and_ranges_agree_with_counting(edges, value):
    labels = [f"class {number}" for number in range(len(edges) + 1)]
    place = sum(edge <= value for edge in edges)
    assert mask(Generalize({"edges": edges, "labels": labels}), value) == [labels[place]]
    expected = edges[place - 1] if place else FAILED
    assert mask(Generalize({"edges": edges}), value) == [expected]


@given(st.datetimes(), st.sampled_from(["decade", "year", "quarter", "month", "day"]))
def test_periods_are_those_of_date_truncate_and_nest(date, period):
    date = date.replace(microsecond=0)
    (result,) = mask(Generalize({"period": period}), date)
    assert mask(DateTruncate({"to": period}), date) == [result]
    assert result <= date
    (text,) = mask(Generalize({"period": period}), date.isoformat())
    assert text == result.isoformat()
    if period in ("quarter", "month"):
        (year,) = mask(Generalize({"period": "year"}), result)
        assert year == datetime.datetime(date.year, 1, 1)


@pytest.mark.parametrize(
    ("options", "types", "produces"),
    [
        ({"width": 1}, {"int", "long", "double", "decimal", "string"}, None),
        ({"width": 1, "show": "range"}, {"int", "long", "double", "decimal", "string"}, {"string"}),
        ({"map": {"a": 1}}, {"string", "int", "long"}, {"int", "long", "string"}),
        ({"map": {"a": True}, "default": 0.5}, {"string", "int", "long"}, {"bool", "double", "string"}),
        ({"prefix": 1}, {"string"}, None),
        ({"period": "year"}, {"date", "string"}, None),
    ],
)
def test_what_it_takes_and_gives_follows_from_its_options(options, types, produces):
    masker = Generalize(options)
    assert masker.types == types
    assert masker.produces == produces


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"width": 1, "edges": [1]},
        {"prefix": 1, "top": 3},
        {"map": {"a": "b"}, "show": "range"},
        {"top": 3, "show": "range"},
        {"edges": [1, 2], "labels": ["a", "b"]},
        {"width": 1, "labels": ["a", "b"]},
        {"prefix": 1, "default": "x"},
        {"edges": [2, 1]},
        {"edges": [1, 1]},
        {"edges": [float("nan")]},
        {"width": float("inf")},
        {"bottom": 3, "top": 3},
        {"map": {"a": 2**63}},
        {"map": {"a": "\ud800"}},
        {"edges": [1], "labels": ["a", "\ud800"]},
    ],
)
def test_options_that_do_not_go_together(options):
    with pytest.raises(ValueError, match=r".+"):
        Generalize(options)
