"""age_cap and zip3: the Safe Harbor rules for ages and ZIP codes."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime

import pytest
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import mask, same, texts

from phimask import FAILED
from phimask_plugins.maskers import AgeCap, Zip3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (89, 89),
        (90, 90),
        (91, 90),
        (0, 0),
        (-1, -1),
        (2**31 - 1, 90),
        (Int64(93), Int64(90)),
        (Int64(40), Int64(40)),
        (89.0, 89.0),
        (89.5, 90.0),
        (103.2, 90.0),
        (float("nan"), FAILED),
        (float("inf"), FAILED),
        (float("-inf"), FAILED),
        (Decimal128("89"), Decimal128("89")),
        (Decimal128("89.01"), Decimal128("90")),
        (Decimal128("9E+6000"), Decimal128("90")),
        (Decimal128("NaN"), FAILED),
        (Decimal128("sNaN"), FAILED),
        (Decimal128("Infinity"), FAILED),
        ("89", "89"),
        ("92", "90"),
        ("092", "90"),
        ("045", "045"),
        ("0", "0"),
        ("000", "000"),
        ("123456789", "90"),
        ("9" * 6000, "90"),
        ("", ""),
        ("92 years", FAILED),
        ("92y", FAILED),
        (" 92", FAILED),
        ("92\n", FAILED),
        ("-5", FAILED),
        ("+5", FAILED),
        ("4.5", FAILED),
        ("over 90", FAILED),
        ("٩٢", FAILED),
        ("²", FAILED),
        ("🩺", FAILED),
        ("\ud800", FAILED),
    ],
)
def test_age_cap(value, expected):
    (result,) = mask(AgeCap({}), value)
    assert result is expected or same(result, expected)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 300))
def test_no_age_above_the_bound_is_left(over, more, age):
    cap = over + more
    forms = (age, Int64(age), float(age), str(age), Decimal128(str(age)))
    for result in mask(AgeCap({"over": over, "cap": cap}), *forms):
        assert float(str(result)) == (cap if age > over else age)


def test_the_cap_cannot_be_below_the_bound():
    with pytest.raises(ValueError, match="cap is below over"):
        AgeCap({"over": 89, "cap": 88})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.datetime(1934, 6, 30, 23), datetime.datetime(1934, 1, 1)),
        (datetime.datetime(1934, 7, 1), datetime.datetime(1934, 7, 1)),
        (datetime.datetime(1, 1, 1), datetime.datetime(1934, 1, 1)),
        (datetime.datetime(9999, 12, 31), datetime.datetime(9999, 12, 31)),
        (DatetimeMS(-(2**63)), datetime.datetime(1934, 1, 1)),
        (DatetimeMS(2**63 - 1), DatetimeMS(2**63 - 1)),
        ("1934-06-30", "1934-01-01"),
        ("1934-07-01", "1934-07-01"),
        ("6/30/1934", "1/1/1934"),
        ("07/01/1934", "07/01/1934"),
        ("19200517", "19340101"),
        ("1920-05-17T14:03:09-05:00", "1934-01-01T00:00:00-05:00"),
        ("1990-05-17T14:03:09-05:00", "1990-05-17T14:03:09-05:00"),
        ("1934", "1934"),
        ("1933", "1934"),
        ("1935", "1935"),
        ("1934-06", "1934-01"),
        ("1934-07", "1934-07"),
        ("", ""),
        ("92", FAILED),
        ("0000", FAILED),
        ("1934-13", FAILED),
        ("long ago", FAILED),
        ("\ud800", FAILED),
        (92, FAILED),
    ],
)
def test_age_cap_by_birth_date(value, expected):
    masker = AgeCap({"as_of": "2024-06-30"})
    assert masker.types == {"date", "string"}
    (result,) = mask(masker, value)
    assert result is expected or same(result, expected)


@given(
    st.dates(datetime.date(1800, 1, 1)),
    st.dates(datetime.date(1850, 1, 1)),
    st.integers(0, 120),
    st.integers(0, 3),
)
def test_birth_dates_are_capped_as_ages_are(born, as_of, over, more):
    age = as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
    options = {"as_of": as_of.isoformat(), "over": over, "cap": over + more}
    text, date = mask(AgeCap(options), born.isoformat(), datetime.datetime(born.year, born.month, born.day))
    expected = datetime.date(as_of.year - over - more, 1, 1) if age > over else born
    assert text == expected.isoformat()
    assert date == datetime.datetime(expected.year, expected.month, expected.day)


def test_on_a_leap_day_people_born_on_one_are_as_old_as_those_born_the_day_before():
    masker = AgeCap({"as_of": "2024-02-29", "over": 89, "cap": 91})
    assert mask(masker, "1934-02-28", "1934-03-01") == ["1933-01-01", "1934-03-01"]
    masker = AgeCap({"as_of": "2025-02-28", "over": 88, "cap": 91})
    assert mask(masker, "1936-02-28", "1936-02-29") == ["1934-01-01", "1936-02-29"]


@pytest.mark.parametrize(
    "day", ["2023-02-29", "20240630", "0050-01-01", "2024-W01-1", "today", "", "٢024-01-01"]
)
def test_as_of_is_a_day_with_a_past(day):
    with pytest.raises(ValueError, match="`as_of` is no day"):
        AgeCap({"as_of": day})


LOW = [
    "036",
    "059",
    "063",
    "102",
    "203",
    "556",
    "692",
    "790",
    "821",
    "823",
    "830",
    "831",
    "878",
    "879",
    "884",
    "890",
    "893",
]


@pytest.mark.parametrize(
    ("value", "zeros", "short"),
    [
        ("02139", "02100", "021"),
        ("98052", "98000", "980"),
        ("02139-1234", "02100-0000", "021"),
        ("021391234", "021000000", "021"),
        ("00501", "00500", "005"),
        ("", "", ""),
        ("021", FAILED, "021"),
        ("036", FAILED, "000"),
        ("2139", FAILED, FAILED),
        ("021391", FAILED, FAILED),
        ("02139-", FAILED, FAILED),
        ("02139-123", FAILED, FAILED),
        ("02139 1234", FAILED, FAILED),
        (" 02139", FAILED, FAILED),
        ("02139\n", FAILED, FAILED),
        ("K1A 0B1", FAILED, FAILED),
        ("Boston", FAILED, FAILED),
        ("\u0660\u0662\u0661\u0663\u0669", FAILED, FAILED),
        ("🩺", FAILED, FAILED),
        (2139, 2100, 2100),
        (98052, 98000, 98000),
        (501, 500, 500),
        (3601, 0, 0),
        (0, 0, 0),
        (Int64(2139), Int64(2100), Int64(2100)),
        (100_000, FAILED, FAILED),
        (21391234, FAILED, FAILED),
        (-1, FAILED, FAILED),
        (Int64(2**63 - 1), FAILED, FAILED),
    ],
)
def test_zip3(value, zeros, short):
    for style, expected in (("zeros", zeros), ("short", short)):
        (result,) = mask(Zip3({"style": style}), value)
        assert result is expected or same(result, expected)


def test_the_areas_of_few_people_are_hidden_and_no_other():
    results = dict(
        zip(
            (f"{area:03}" for area in range(1000)),
            mask(Zip3({}), *(f"{area:03}12" for area in range(1000))),
            strict=True,
        )
    )
    assert sorted(area for area, result in results.items() if result == "00000") == ["000", *LOW]
    assert all(results[area] == f"{area}00" for area in results if area not in LOW)
    assert len(LOW) == 17


def test_the_list_can_be_another_one():
    assert mask(Zip3({"low_population": ["021"]}), "02139", "03601", 2139) == ["00000", "03600", 0]
    assert mask(Zip3({"low_population": []}), "03601") == ["03600"]


@given(texts | st.from_regex(r"[0-9]{5}(-[0-9]{4})?", fullmatch=True))
def test_nothing_past_three_digits_is_left(value):
    (result,) = mask(Zip3({}), value)
    assert result is FAILED or set(result[3:]) <= {"0", "-"}
