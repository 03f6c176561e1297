"""The beginnings of years, months and longer or shorter stretches of time that a date falls into."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bson.datetime_ms import DatetimeMS

from phimask import FAILED
from phimask_plugins.maskers.date_text import rewrite
from phimask_plugins.maskers.scalars import INT64_MIN

DAY_MS: Final = 86_400_000
EPOCH_ORDINAL: Final = datetime.date(1970, 1, 1).toordinal()
_CYCLE_DAYS: Final = 146_097
"""Days of 400 Gregorian years, after which the calendar repeats."""
_PARTIAL: Final = re.compile(r"([0-9]{4})(?:-(0[1-9]|1[0-2]))?")

PERIODS: Final[Mapping[str, Callable[[datetime.date], datetime.date]]] = {
    # The first decade lacks its year 0.
    "decade": lambda day: datetime.date(max(day.year // 10 * 10, 1), 1, 1),
    "year": lambda day: datetime.date(day.year, 1, 1),
    "quarter": lambda day: datetime.date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
    "month": lambda day: datetime.date(day.year, day.month, 1),
    "day": lambda day: datetime.date(day.year, day.month, day.day),
}
"""From a date to the first day of its period; decades begin with the years that end in 0."""


def beginning(value: Any, period: str) -> Any:
    """A date's, a DatetimeMS's or a text's period's first instant, in UTC; a text keeps its form and offset.

    FAILED for anything else. Texts are those that `rewrite` takes, `YYYY` and `YYYY-MM`.
    """
    first_day = PERIODS[period]
    kind = type(value)
    if kind is datetime.datetime:
        day = first_day(value)
        return datetime.datetime(day.year, day.month, day.day)  # noqa: DTZ001  (BSON's dates are naive UTC)
    if kind is str:
        return _text(value, first_day) if value else value
    return _beyond(int(value), first_day) if kind is DatetimeMS else FAILED


def _text(text: str, first_day: Callable[[datetime.date], datetime.date]) -> Any:
    partial = _PARTIAL.fullmatch(text)
    if partial is not None and partial[1] != "0000":
        return first_day(datetime.date(int(partial[1]), int(partial[2] or 1), 1)).isoformat()[: len(text)]
    result = rewrite(text, first_day, midnight=True)
    return FAILED if result is None else result


def _beyond(milliseconds: int, first_day: Callable[[datetime.date], datetime.date]) -> Any:
    """A date outside of datetime's years, by the same day of the first 400."""
    ordinal = milliseconds // DAY_MS + EPOCH_ORDINAL
    cycles, within = divmod(ordinal - 1, _CYCLE_DAYS)
    # The second 400 years, since the first begin with a decade of nine.
    day = first_day(datetime.date.fromordinal(within + 1 + _CYCLE_DAYS))
    result = (day.toordinal() + (cycles - 1) * _CYCLE_DAYS - EPOCH_ORDINAL) * DAY_MS
    return DatetimeMS(result) if result >= INT64_MIN else FAILED
