"""date_shift's options: whose dates move together, what stays, and which strings are dates."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime

import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask, texts

from phimask import FAILED, Column
from phimask_plugins.maskers.date_pattern import DatePattern
from phimask_plugins.maskers.date_shift import DateShift

DAY = datetime.timedelta(days=1)
moments = st.datetimes(datetime.datetime(1, 2, 1), datetime.datetime(9998, 12, 1)).map(
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
)
subjects = st.binary(max_size=12)


def season(day: datetime.date) -> int:
    return day.month % 12 // 3


def by_one_day(masker_options: dict | None = None) -> tuple[DateShift, bytes]:
    """A masker, and a subject that it moves one day ahead."""
    masker = DateShift({"min_days": 1, "max_days": 1, **(masker_options or {})}, KEY)
    start = datetime.datetime(2000, 1, 1)
    for number in range(100):
        subject = b"%d" % number
        if mask(masker, start, subjects=[subject])[0] > start:
            return masker, subject
    raise AssertionError("all go backwards")


def test_the_collections_dates_all_move_alike_and_need_no_subject():
    masker = DateShift({"scope": "collection"}, KEY)
    assert not masker.needs_subject
    values = [datetime.datetime(2000, 1, 1) + DAY * number for number in range(300)]
    shifts = {
        after - before for before, after in zip(values, masker.mask(Column("p", values, [])), strict=True)
    }
    assert len(shifts) == 1
    other = DateShift({"scope": "collection"}, OTHER_KEY).mask(Column("p", values[:1], []))
    assert other[0] - values[0] not in shifts
    assert DateShift({}, KEY).needs_subject
    assert DateShift({"scope": "document"}, KEY).needs_subject


@given(moments, subjects, st.integers(1, 30), st.integers(7, 400))
def test_the_weekday_is_kept_if_asked(value, subject, shortest, more):
    masker = DateShift(
        {"keep": ["time_of_day", "weekday"], "min_days": shortest, "max_days": shortest + more}, KEY
    )
    try:
        (result,) = mask(masker, value, subjects=[subject])
        if isinstance(result, DatetimeMS):
            return
    except OverflowError:
        return
    assert result.weekday() == value.weekday()
    assert result.time() == value.time()
    assert shortest <= abs((result - value).days) <= shortest + more


@pytest.mark.parametrize("keep", [["time_of_day", "season"], ["time_of_day", "season", "weekday"]])
@given(value=moments, subject=subjects, bounds=st.sampled_from([(1, 365), (7, 20), (300, 3000), (350, 380)]))
def test_the_season_is_kept_if_asked(keep, value, subject, bounds):
    masker = DateShift({"keep": keep, "min_days": bounds[0], "max_days": bounds[1]}, KEY)
    (result, text) = mask(masker, value, value.date().isoformat(), subjects=[subject] * 2)
    if isinstance(result, DatetimeMS) or result is FAILED:
        # Near the end of the calendar, or where no shift is near enough to a season's length.
        assert value.year < 11 or value.year > 9985 or bounds in ((7, 20), (350, 380))
        return
    assert season(result) == season(value)
    assert bounds[0] <= abs((result - value).days) <= bounds[1]
    assert result.time() == value.time()
    assert text == result.date().isoformat()
    if "weekday" in keep:
        assert result.weekday() == value.weekday()


def test_dates_of_one_season_mostly_move_alike():
    masker = DateShift({"keep": ["time_of_day", "season"], "max_days": 2000}, KEY)
    days = [datetime.datetime(2010, 1, 10) + DAY * number for number in range(14)]
    alike = 0
    for number in range(100):
        results = mask(masker, *days, subjects=[b"%d" % number] * len(days))
        alike += len({after - before for before, after in zip(days, results, strict=True)}) == 1
    assert alike > 60


@given(st.integers(-(2**62), 2**62), subjects)
def test_seasons_are_kept_beyond_the_calendar(milliseconds, subject):
    day_ms, cycle = 86_400_000, 146_097
    masker = DateShift({"keep": ["time_of_day", "season"]}, KEY)
    (result,) = mask(masker, DatetimeMS(milliseconds), subjects=[subject])
    of = [
        season(datetime.date.fromordinal((int(value) // day_ms + 719_162) % cycle + 1))
        for value in (milliseconds, result)
    ]
    assert of[0] == of[1]
    assert (int(result) - milliseconds) % day_ms == 0


@given(moments, subjects, st.integers(1, 20), st.integers(0, 400))
def test_times_move_as_well_unless_they_are_kept(value, subject, shortest, more):
    masker = DateShift({"keep": [], "min_days": shortest, "max_days": shortest + more}, KEY)
    result, day = mask(masker, value, "2000-01-01", subjects=[subject] * 2)
    if isinstance(result, DatetimeMS):
        return
    assert shortest * DAY <= abs(result - value) <= (shortest + more) * DAY
    assert (
        shortest
        <= abs((datetime.date.fromisoformat(day) - datetime.date(2000, 1, 1)).days)
        <= shortest + more
    )


def test_times_of_day_become_others_in_every_form():
    masker = DateShift({"keep": [], "formats": ["%d.%m.%Y %H:%M"]}, KEY)
    start = datetime.datetime(2001, 5, 6, 7, 8, 9)
    changed = 0
    for number in range(50):
        subject = [b"%d" % number]
        (moved,) = mask(masker, start, subjects=subject)
        changed += moved.time() != start.time()
        forms = {
            "2001-05-06T07:08:09Z": moved.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "2001-05-06 07:08:09.125+05:30": moved.strftime("%Y-%m-%d %H:%M:%S.125+05:30"),
        }
        for text, expected in forms.items():
            assert mask(masker, text, subjects=subject) == [expected]
        whole = start.replace(second=0)
        (moved,) = mask(masker, whole, subjects=subject)
        assert mask(masker, "2001-05-06T07:08", subjects=subject) == [moved.strftime("%Y-%m-%dT%H:%M")]
        assert mask(masker, "06.05.2001 07:08", subjects=subject) == [moved.strftime("%d.%m.%Y %H:%M")]
        assert mask(masker, "2001-05-06T23:59:60Z", subjects=subject)[0][17:19] != "60"
    assert changed > 45


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ["weekday"]}, "weekday cannot stay where times move; keep time_of_day, too"),
        ({"keep": ["season", "weekday"]}, "season and weekday cannot stay"),
        ({"keep": ["time_of_day", "weekday"], "max_days": 6}, "no shift of 1 to 6 days keeps the weekday"),
        (
            {"keep": ["time_of_day", "season"], "min_days": 100, "max_days": 200},
            "no shift of 100 to 200 days keeps the season; allow more",
        ),
        ({"formats": ["%d.%m"]}, "needs a year"),
        ({"formats": ["%Y"]}, "needs a year, and a day"),
        ({"formats": ["%Y-%q-%d"]}, "is made of"),
        ({"formats": ["%Y-%m-%d %"]}, "is made of"),
        ({"formats": ["no date"]}, "needs a year"),
        ({"formats": ["%Y %Y-%m-%d"]}, "same part twice"),
        ({"formats": ["%Y-%m-%d %B"]}, "same part twice"),
        ({"formats": ["%Y-%m-%d %I:%M"]}, "hours are %H, or %I and %p"),
        ({"formats": ["%Y-%m-%d %M"]}, "needs %H"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        DateShift(options, KEY)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("%d.%m.%Y", "31.12.1999", "01.01.2000"),
        ("%d.%m.%Y", "9.1.1999", "10.1.1999"),
        ("%d.%m.%Y", "1.1.0999", "2.1.0999"),
        ("%d/%m/%Y", "05/04/2020", "06/04/2020"),
        ("%B %d, %Y", "January 31, 2020", "February 01, 2020"),
        ("%B %d, %Y", "JANUARY 5, 2020", "JANUARY 6, 2020"),
        ("%b %d %y", "may 31 68", "jun 01 68"),
        ("%d-%b-%y", "31-DEC-69", "01-JAN-70"),
        ("%A, %d %B %Y", "Friday, 28 February 2020", "Saturday, 29 February 2020"),
        ("%a %Y-%j", "Tue 2019-365", "Wed 2020-001"),
        ("%Y%m%d%H%M%S", "19991231235959", "20000101235959"),
        ("%m/%d/%Y %I:%M %p", "12/31/1999 12:05 AM", "01/01/2000 12:05 AM"),
        ("%m/%d/%Y %I:%M%p", "1/1/2000 9:05pm", "1/2/2000 9:05pm"),
        ("%Y-%m-%d %H:%M:%S.%f %z", "2000-01-01 01:02:03.000400 +0530", "2000-01-02 01:02:03.000400 +0530"),
        ("%d%%%m%%%Y", "01%02%2003", "02%02%2003"),
        ("(%d.%m.%Y)?", "(01.02.2003)?", "(02.02.2003)?"),
    ],
)
def test_strings_of_a_given_form_keep_it(pattern, text, expected):
    masker, subject = by_one_day({"formats": ["%Y/%m/%d", pattern]})
    assert mask(masker, text, subjects=[subject]) == [expected]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%d.%m.%Y", "31.02.2000"),
        ("%d.%m.%Y", "1.1.2000 "),
        ("%d.%m.%Y", "1.1.2000 Ada"),
        ("%d.%m.%Y", "\u0661.1.2000"),
        ("%d.%m.%Y", "31.12.9999"),
        ("%d.%m.%Y", "01.01.0000"),
        ("%d%m%Y", "1122000"),
        ("%Y-%j", "2019-366"),
        ("%Y-%j", "2019-000"),
        ("%a %d.%m.%Y", "Mon 01.01.2000"),
        ("%m/%d/%Y %I:%M %p", "1/1/2000 13:05 PM"),
        ("%d.%m.%Y", "1" * 200),
        ("%d.%m.%Y", "\ud800"),
    ],
)
def test_strings_of_no_form_fail(pattern, text):
    masker, subject = by_one_day({"formats": [pattern]})
    assert mask(masker, text, subjects=[subject]) == [FAILED]


def test_given_forms_come_before_the_built_in_ones():
    masker, subject = by_one_day({"formats": ["%d/%m/%Y"]})
    assert mask(masker, "31/12/1999", "05/04/2020", "2000-01-01", subjects=[subject] * 3) == [
        "01/01/2000", "06/04/2020", "2000-01-02",
    ]  # fmt: skip
    # What is no day and month in that order is one in the other.
    assert mask(masker, "12/31/1999", subjects=[subject]) == ["01/01/2000"]


@settings(deadline=None)
@given(
    st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2068, 12, 31)),
    st.sampled_from(
        [
            "%d.%m.%Y",
            "%b %d, %Y",
            "%A %d %B %y",
            "%Y%j",
            "%Y%m%d%H%M%S",
            "%m/%d/%y %I:%M:%S %p",
            "%d %B %Y %H.%M",
        ]
    ),
    st.timedeltas(datetime.timedelta(days=-300), datetime.timedelta(days=300)),
)
def test_patterns_agree_with_strftime(moment, pattern, shift):
    # The C locale's names, which tests run with, are English.
    moment = moment.replace(microsecond=0)
    if "%S" not in pattern:
        moment, shift = (
            moment.replace(second=0),
            shift // datetime.timedelta(minutes=1) * datetime.timedelta(minutes=1),
        )
    has_clock = "%H" in pattern or "%I" in pattern
    if not has_clock:
        moment = moment.replace(hour=0, minute=0)
    shift = datetime.timedelta(days=shift.days, seconds=shift.seconds)
    whole = datetime.timedelta(days=shift.days)
    form = DatePattern(pattern)
    text = moment.strftime(pattern)
    assert form.rewrite(text, lambda day: day + whole) == (moment + whole).strftime(pattern)
    if has_clock:
        assert form.rewrite(text, lambda day: day + shift, clock=True) == (moment + shift).strftime(pattern)


@given(texts)
def test_no_text_passes_a_pattern_unchanged(text):
    (result,) = mask(DateShift({"formats": ["%d %m %Y", "%B %d %y"]}, KEY), text)
    assert result is FAILED or text == "" or result != text
