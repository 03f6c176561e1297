"""date_shift and date_truncate, on dates and on strings that hold one."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime

import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, mask, texts

from phimask import FAILED, Column
from phimask_plugins.maskers import DateShift, DateTruncate

DAY_MS = 86_400_000
dates = st.dates()
subjects = st.binary(max_size=12)


def shift_days(masker: DateShift, subject: bytes) -> int:
    (result,) = mask(masker, datetime.datetime(2000, 1, 1), subjects=[subject])
    return (result - datetime.datetime(2000, 1, 1)).days


def fixed(days: int) -> DateShift:
    """A masker that shifts by so many days, forwards or backwards."""
    return DateShift({"min_days": days, "max_days": days}, KEY)


def subject_shifting(masker: DateShift, *, forwards: bool) -> bytes:
    return next(
        subject
        for subject in (b"%d" % number for number in range(100))
        if (shift_days(masker, subject) > 0) == forwards
    )


@given(st.lists(st.tuples(st.datetimes(), subjects), max_size=20), st.integers(1, 50), st.integers(0, 400))
def test_a_shift_is_in_bounds_never_zero_and_the_subjects_own(pairs, shortest, more):
    masker = DateShift({"min_days": shortest, "max_days": shortest + more}, KEY)
    values = [value for value, _ in pairs]
    results = mask(masker, *values, subjects=[subject for _, subject in pairs])
    shifts: dict[bytes, set[datetime.timedelta]] = {}
    for value, subject, result in zip(values, (subject for _, subject in pairs), results, strict=True):
        if isinstance(result, DatetimeMS):
            continue
        assert shortest <= abs((result - value).days) <= shortest + more
        assert result.time() == value.time()
        shifts.setdefault(subject, set()).add(result - value)
    assert all(len(of_one) == 1 for of_one in shifts.values())


def test_shifts_go_both_ways_and_reach_both_bounds():
    masker = DateShift({"min_days": 2, "max_days": 4}, KEY)
    assert {shift_days(masker, b"%d" % number) for number in range(200)} == {-4, -3, -2, 2, 3, 4}
    default = DateShift({}, KEY)
    shifts = [shift_days(default, b"%d" % number) for number in range(3000)]
    assert 1 <= min(map(abs, shifts)) < 5
    assert 360 < max(map(abs, shifts)) <= 365
    assert 1350 < sum(shift > 0 for shift in shifts) < 1650


@given(dates, st.integers(0, 86_399), subjects)
def test_every_form_of_a_date_is_shifted_by_the_same_days_and_keeps_its_form(day, second, subject):
    masker = DateShift({"max_days": 30}, KEY)
    days = datetime.timedelta(days=shift_days(masker, subject))
    try:
        moved = day + days
    except OverflowError:
        return
    time = (datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=second)).strftime("%H:%M:%S")
    forms = {
        day.isoformat(): moved.isoformat(),
        day.isoformat().replace("-", ""): moved.isoformat().replace("-", ""),
        f"{day.month:02}/{day.day:02}/{day.year:04}": f"{moved.month:02}/{moved.day:02}/{moved.year:04}",
    }
    for tail in (
        time,
        f"{time}Z",
        f"{time}.123Z",
        f"{time}.5",
        f"{time}+05:30",
        f"{time}.000001-0800",
        time[:5],
    ):
        forms[f"{day.isoformat()}T{tail}"] = f"{moved.isoformat()}T{tail}"
        forms[f"{day.isoformat()} {tail}"] = f"{moved.isoformat()} {tail}"
    assert mask(masker, *forms, subjects=[subject] * len(forms)) == list(forms.values())


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "not a date",
        "2015",
        "2015-02",
        "2015-02-30",
        "2015-13-01",
        "0000-01-01",
        "2015-2-7",
        "2015-W06-6",
        "2015-038",
        "15-02-07",
        "2015-02-07T",
        "2015-02-07T24:00:00",
        "2015-02-07T13:60:00",
        "2015-02-07T13:28:17+25:00",
        "2015-02-07T13:28:17.",
        "2015-02-07T13:28:17.1234567890",
        "2015-02-07 Ada Lovelace",
        "2015-02-07\n",
        " 2015-02-07",
        "20150230",
        "201502071328",
        "25/12/2020",
        "12/25/20",
        "12-25-2020",
        "02/30/2020",
        "00/10/2020",
        "\u0662\u0660\u0661\u0665-\u0660\u0662-\u0660\u0667",
        "\uff12\uff10\uff11\uff15-\uff10\uff12-\uff10\uff17",
        "🩺",
        "\ud800",
        "2015-02-07" * 10_000,
    ],
)
def test_what_is_no_date_fails(text):
    assert mask(DateShift({}, KEY), text) == [FAILED]
    if text not in ("2015", "2015-02"):
        assert mask(DateTruncate({}), text) == [FAILED]


@given(texts)
def test_no_text_passes_a_date_masker_but_as_a_date(text):
    for masker in (DateShift({}, KEY), DateTruncate({})):
        (result,) = mask(masker, text)
        assert result is FAILED or text == "" or result[:1].isdigit()


def test_american_dates_keep_their_missing_zeros():
    masker = fixed(1)
    subject = subject_shifting(masker, forwards=True)
    forms = {
        "1/5/2020": "1/6/2020",
        "01/05/2020": "01/06/2020",
        "1/31/2020": "2/1/2020",
        "12/31/2020": "01/01/2021",
        "12/9/2020": "12/10/2020",
    }
    assert mask(masker, *forms, subjects=[subject] * len(forms)) == list(forms.values())


def test_dates_leave_datetimes_years_and_come_back():
    masker = fixed(10)
    ahead, back = subject_shifting(masker, forwards=True), subject_shifting(masker, forwards=False)
    last = datetime.datetime(9999, 12, 31, 23, 59, 59, 999000)
    last_ms, first_ms = 253_402_300_799_999, -62_135_596_800_000
    results = mask(
        masker,
        last,
        datetime.datetime(1, 1, 1),
        DatetimeMS(last_ms + 1),
        DatetimeMS(2**63 - 1),
        DatetimeMS(2**63 - 1),
        DatetimeMS(-(2**63)),
        "9999-12-31",
        "0001-01-01",
        "12/31/9999",
        subjects=[ahead, back, back, ahead, back, back, ahead, back, ahead],
    )
    assert results[0] == DatetimeMS(last_ms + 10 * DAY_MS)
    assert results[1] == DatetimeMS(first_ms - 10 * DAY_MS)
    assert results[2] == DatetimeMS(last_ms + 1 - 10 * DAY_MS)
    assert results[3] is FAILED
    assert results[4] == DatetimeMS(2**63 - 1 - 10 * DAY_MS)
    assert results[5] is FAILED
    assert results[6:] == [FAILED] * 3


def test_a_column_without_its_subjects_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        DateShift({}, KEY).mask(Column("p", [datetime.datetime(2000, 1, 1)], []))


def test_the_shortest_shift_cannot_be_the_longer_one():
    with pytest.raises(ValueError, match="min_days"):
        DateShift({"min_days": 10, "max_days": 9}, KEY)


@pytest.mark.parametrize(
    ("to", "value", "expected"),
    [
        ("year", "1987-05-17", "1987-01-01"),
        ("month", "1987-05-17", "1987-05-01"),
        ("day", "1987-05-17", "1987-05-17"),
        ("year", "1987-05-17T14:03:09.125-05:00", "1987-01-01T00:00:00.000-05:00"),
        ("day", "1987-05-17 14:03Z", "1987-05-17 00:00Z"),
        ("day", "1987-05-17T14:03:09", "1987-05-17T00:00:00"),
        ("month", "19870517", "19870501"),
        ("year", "5/17/1987", "1/1/1987"),
        ("year", "05/17/1987", "01/01/1987"),
        ("year", "1987", "1987"),
        ("year", "1987-05", "1987-01"),
        ("month", "1987-05", "1987-05"),
        ("day", "1987-05", "1987-05"),
        ("year", "0000", FAILED),
        ("year", "1987-13", FAILED),
        ("year", "198705", FAILED),
        ("year", "19", FAILED),
        ("year", "", ""),
        ("year", datetime.datetime(1987, 5, 17, 14, 3, 9, 125000), datetime.datetime(1987, 1, 1)),
        ("month", datetime.datetime(1815, 12, 10, 1), datetime.datetime(1815, 12, 1)),
        ("day", datetime.datetime(1, 1, 1, 1), datetime.datetime(1, 1, 1)),
    ],
)
def test_date_truncate(to, value, expected):
    assert mask(DateTruncate({"to": to}), value) == [expected]


@pytest.mark.parametrize("to", ["year", "month", "day"])
@given(
    day=st.dates(datetime.date(1, 1, 1), datetime.date(9599, 12, 31)), milliseconds=st.integers(0, DAY_MS - 1)
)
def test_years_past_9999_are_truncated_as_those_400_years_before(to, day, milliseconds):
    cycle = 146_097 * DAY_MS
    masker = DateTruncate({"to": to})
    early = (datetime.datetime(day.year, day.month, day.day) - datetime.datetime(1970, 1, 1)).days * DAY_MS
    (expected,) = mask(masker, datetime.datetime(day.year, day.month, day.day))
    expected_ms = (expected - datetime.datetime(1970, 1, 1)).days * DAY_MS
    for cycles in (-30, 25, 50):
        (result,) = mask(masker, DatetimeMS(early + milliseconds + cycles * cycle))
        assert int(result) == expected_ms + cycles * cycle


def test_the_earliest_date_has_no_beginning_of_its_year():
    assert mask(DateTruncate({}), DatetimeMS(-(2**63))) == [FAILED]
    (result,) = mask(DateTruncate({}), DatetimeMS(2**63 - 1))
    assert 0 <= 2**63 - 1 - int(result) < 366 * DAY_MS
