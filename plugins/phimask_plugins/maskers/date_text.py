"""Dates that are kept as strings: taken apart and written back in the very same form.

Forms: ISO 8601 calendar dates `YYYY-MM-DD` and `YYYYMMDD`, the first also with a time of day and an offset
(RFC 3339, with `T` or a space), and `MM/DD/YYYY` with or without leading zeros.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Final

_TIME: Final = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?)?"
_OFFSET: Final = r"Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]"
_TIME_AND_OFFSET: Final = re.compile(rf"({_TIME})((?:{_OFFSET})?)")
_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_AMERICAN: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_MINUTES: Final = frozenset(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
_SECONDS: Final = frozenset(f":{second:02}" for second in range(60))
_USUAL_ENDS: Final = frozenset(("", "Z", ".000Z", "+00:00"))
_AMERICAN_DAYS: Final = {
    f"{month:02}/{day:02}/": f"-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)
}
_IN_AMERICAN: Final = {iso: american for american, iso in _AMERICAN_DAYS.items()}
_from_iso: Final = datetime.date.fromisoformat
_DIGIT: Final = re.compile(r"[0-9]")
_LONGEST: Final = 40
_DAY_LENGTH: Final = len("YYYY-MM-DD")

Change = Callable[[datetime.date], datetime.date]
"""From a date to another; from a datetime.datetime, which is a date, to another one, where there is a clock."""


def rewrite(text: str, change: Change, *, midnight: bool = False, clock: bool = False) -> str | None:
    """`text` with its date changed; the offset stays.

    The time of day stays, too, but for `midnight`, which sets it to zeros, and for `clock`, with which `change` is
    given it, and gives it back, where there is one. None for what is no date in any of the forms. What `change`
    raises is passed on.
    """
    if len(text) > _LONGEST:
        return None
    if text[4:5] == "-":
        return _rewritten_iso(text, change, midnight=midnight, clock=clock)
    if text[2:3] == text[5:6] == "/" and len(text) == _DAY_LENGTH:
        return _rewritten_american(text, change)
    if (match := _COMPACT.fullmatch(text)) is not None:
        day = _date(match[1], match[2], match[3])
        return None if day is None else change(day).isoformat().replace("-", "")
    if (match := _AMERICAN.fullmatch(text)) is not None:
        day = _date(match[3], match[1], match[2])
        if day is None:
            return None
        changed = change(day)
        width = 1 if len(match[1]) == 1 or len(match[2]) == 1 else 2
        return f"{changed.month:0{width}}/{changed.day:0{width}}/{changed.year:04}"
    return None


def moved(text: str, shift: datetime.timedelta) -> str | None:
    """What `rewrite` makes of a text by adding whole days, where its form is one of the usual, or None.

    Written out and with tables for numbers, since most dates in strings go this way, and a call costs as much as a
    date does. Raises OverflowError for years that no date has.
    """
    try:
        if text[4:8:3] == "--":
            if len(text) == _DAY_LENGTH or (
                text[11:16] in _MINUTES
                and text[16:19] in _SECONDS
                and text[19:] in _USUAL_ENDS
                and text[10] in "T "
            ):
                return (_from_iso(text[:_DAY_LENGTH]) + shift).isoformat() + text[_DAY_LENGTH:]
        elif (days := _AMERICAN_DAYS.get(text[:6])) and len(text) == _DAY_LENGTH:
            iso = (_from_iso(text[6:] + days) + shift).isoformat()
            return _IN_AMERICAN[iso[4:]] + iso[:4]
    except ValueError:
        pass
    return None


def _rewritten_iso(text: str, change: Change, *, midnight: bool, clock: bool) -> str | None:
    # What fromisoformat takes besides, a week say, has no dash here.
    if text[7:8] != "-":
        return None
    try:
        day = datetime.date.fromisoformat(text[:_DAY_LENGTH])
    except ValueError:
        return None
    if len(text) == _DAY_LENGTH:
        return change(day).isoformat()
    match = _TIME_AND_OFFSET.fullmatch(text, _DAY_LENGTH)
    if match is None:
        return None
    if midnight:
        return f"{change(day).isoformat()}{_DIGIT.sub('0', match[1])}{match[2]}"
    if not clock:
        return change(day).isoformat() + text[_DAY_LENGTH:]
    time, offset = match.groups()
    # A leap second is the one before, and fractions are beyond what is changed.
    second = min(int(time[7:9] or "0"), 59)
    moment = datetime.datetime(day.year, day.month, day.day, int(time[1:3]), int(time[4:6]), second)  # noqa: DTZ001  (the offset is not looked at)
    written = change(moment).isoformat()
    clock_length = min(len(time), len("THH:MM:SS"))
    return (
        written[:_DAY_LENGTH]
        + time[0]
        + written[_DAY_LENGTH + 1 : _DAY_LENGTH + clock_length]
        + time[clock_length:]
        + offset
    )


def _rewritten_american(text: str, change: Change) -> str | None:
    """The usual American form, by way of ISO's, which Python reads and writes several times as fast."""
    try:
        day = datetime.date.fromisoformat(f"{text[6:]}-{text[:2]}-{text[3:5]}")
    except ValueError:
        return None
    iso = change(day).isoformat()
    return f"{iso[5:7]}/{iso[8:10]}/{iso[:4]}"


def _date(year: str, month: str, day: str) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
