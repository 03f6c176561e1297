from __future__ import annotations

import time as clocks
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.model import TimeWindow
from phimask.engine.throttle.window import DAYS, TimeWindows, is_open, next_opening

WORKDAYS = DAYS[:5]
UTC = timezone.utc
MOMENTS = st.datetimes(datetime.fromisoformat("2000-01-03"), datetime.fromisoformat("2050-01-01"))


def window(opens: str, closes: str, days: tuple[str, ...] = DAYS, zone: str | None = "UTC") -> TimeWindow:
    return TimeWindow(time.fromisoformat(opens), time.fromisoformat(closes), days, zone)


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


# 2026-01-05 is a Monday
@pytest.mark.parametrize(
    ("opens", "closes", "days", "moment", "open_then"),
    [
        ("09:00", "17:00", DAYS, "2026-01-05T08:59:59", False),
        ("09:00", "17:00", DAYS, "2026-01-05T09:00", True),
        ("09:00", "17:00", DAYS, "2026-01-05T16:59:59", True),
        ("09:00", "17:00", DAYS, "2026-01-05T17:00", False),
        ("09:00", "17:00", WORKDAYS, "2026-01-10T12:00", False),
        ("22:00", "06:00", DAYS, "2026-01-05T21:59", False),
        ("22:00", "06:00", DAYS, "2026-01-05T23:59:59", True),
        ("22:00", "06:00", DAYS, "2026-01-06T00:00", True),
        ("22:00", "06:00", DAYS, "2026-01-06T05:59:59", True),
        ("22:00", "06:00", DAYS, "2026-01-06T06:00", False),
        # the day is that on which it opens
        ("22:00", "06:00", ("fri",), "2026-01-09T03:00", False),
        ("22:00", "06:00", ("fri",), "2026-01-10T03:00", True),
        ("22:00", "06:00", ("fri",), "2026-01-10T23:00", False),
        ("22:00", "06:00", ("sun",), "2026-01-12T03:00", True),
        ("18:00", "00:00", ("mon",), "2026-01-05T23:59:59", True),
        ("18:00", "00:00", ("mon",), "2026-01-06T00:00", False),
        # from midnight to midnight is a whole day, as is any time to itself
        ("00:00", "00:00", ("sat",), "2026-01-10T00:00", True),
        ("00:00", "00:00", ("sat",), "2026-01-10T23:59:59", True),
        ("00:00", "00:00", ("sat",), "2026-01-11T00:00", False),
        ("08:00", "08:00", ("sat",), "2026-01-11T07:59", True),
        ("08:00", "08:00", ("sat",), "2026-01-11T08:00", False),
    ],
)
def test_a_window_is_open_from_its_beginning_to_before_its_end(
    opens: str, closes: str, days: tuple[str, ...], moment: str, open_then: bool
) -> None:
    assert is_open(window(opens, closes, days), at(moment)) is open_then


@pytest.mark.parametrize(
    ("opens", "closes", "moment", "open_then"),
    [
        # 2026-03-29 in Berlin: 02:00 becomes 03:00, which is 01:00 UTC
        ("22:00", "06:00", "2026-03-29T00:30", True),
        ("22:00", "06:00", "2026-03-29T03:59", True),
        ("22:00", "06:00", "2026-03-29T04:00", False),
        ("02:00", "03:00", "2026-03-29T00:59", False),
        ("02:00", "03:00", "2026-03-29T01:00", False),
        ("02:30", "04:00", "2026-03-29T00:59", False),
        ("02:30", "04:00", "2026-03-29T01:00", True),
        # 2026-10-25: 03:00 becomes 02:00, which is 01:00 UTC; the hour comes twice
        ("22:00", "06:00", "2026-10-25T04:59", True),
        ("22:00", "06:00", "2026-10-25T05:00", False),
        ("02:00", "02:30", "2026-10-25T00:15", True),
        ("02:00", "02:30", "2026-10-25T00:45", False),
        ("02:00", "02:30", "2026-10-25T01:15", True),
        ("02:00", "02:30", "2026-10-25T01:45", False),
    ],
)
def test_when_clocks_change_the_clock_on_the_wall_counts(
    opens: str, closes: str, moment: str, open_then: bool
) -> None:
    assert is_open(window(opens, closes, zone="Europe/Berlin"), at(moment)) is open_then


@given(
    opens=st.times(),
    closes=st.times(),
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    moment=MOMENTS,
)
def test_it_is_what_the_intervals_of_all_days_say(
    opens: time, closes: time, days: list[str], moment: datetime
) -> None:
    intervals = []
    for back in (0, 1):
        date = moment.date() - timedelta(days=back)
        if DAYS[date.weekday()] in days:
            start = datetime.combine(date, opens)
            end = datetime.combine(date, closes)
            intervals.append((start, end if end > start else end + timedelta(days=1)))
    one = TimeWindow(opens, closes, tuple(days), "UTC")
    assert is_open(one, moment.replace(tzinfo=UTC)) == any(start <= moment < end for start, end in intervals)


@given(
    opens=st.times(),
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    moment=MOMENTS,
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_the_next_opening_comes_within_eight_days_and_opens(
    opens: time, days: list[str], moment: datetime, zone: str
) -> None:
    one = TimeWindow(opens, opens, tuple(days), zone)
    now = moment.replace(tzinfo=UTC)
    opening = next_opening(one, now)
    assert now < opening <= now + timedelta(days=8, hours=1)
    assert is_open(one, opening)


def test_it_holds_outside_of_all_windows_and_says_which_opens_next() -> None:
    now = [at("2026-01-05T12:00", "America/New_York")]
    windows = TimeWindows(
        [
            window("22:00", "06:00", WORKDAYS, "America/New_York"),
            window("00:00", "00:00", ("sat", "sun"), "America/New_York"),
        ],
        lambda: now[0],
    )
    assert windows.holds()
    assert windows.detail() == "the next window opens on 2026-01-05 at 22:00 (America/New_York)"
    now[0] = at("2026-01-05T22:00", "America/New_York")
    assert not windows.holds()
    now[0] = at("2026-01-10T18:00", "America/New_York")
    assert not windows.holds()


@pytest.mark.skipif(
    not hasattr(clocks, "tzset"), reason="the machine's zone cannot be set for a process here"
)
def test_without_a_zone_the_machine_s_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    clocks.tzset()
    try:
        night = window("22:00", "06:00", zone=None)
        assert is_open(night, at("2026-01-06T03:00"))  # 22:00 in winter
        assert not is_open(night, at("2026-01-06T02:59"))
        assert is_open(night, at("2026-07-07T02:00"))  # 22:00 in summer
        assert not is_open(night, at("2026-07-07T01:59"))
        told = TimeWindows([night], lambda: at("2026-07-06T12:00")).detail()
        assert told == "the next window opens on 2026-07-06 at 22:00 (local time)"
        assert next_opening(night, at("2026-07-06T12:00")) == at("2026-07-07T02:00")
    finally:
        monkeypatch.undo()
        clocks.tzset()
