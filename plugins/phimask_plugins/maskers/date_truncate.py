"""date_truncate: keeps a date's year, month or day and nothing finer."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from bson.datetime_ms import DatetimeMS

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.date_text import rewrite
from phimask_plugins.maskers.scalars import INT64_MIN

_DAY_MS: Final = 86_400_000
_EPOCH_ORDINAL: Final = datetime.date(1970, 1, 1).toordinal()
_CYCLE_DAYS: Final = 146_097
"""Days of 400 Gregorian years, after which the calendar repeats."""
_PARTIAL: Final = re.compile(r"([0-9]{4})(?:-(?:0[1-9]|1[0-2]))?")


class DateTruncate(Masker):
    """Sets what is finer than `to` to its beginning: with `year`, 1987-05-17T14:03 becomes 1987-01-01T00:00.

    Takes dates (in UTC), years outside of 1 to 9999 included, and the strings that date_shift takes, besides
    the reduced forms `YYYY` and `YYYY-MM`; strings keep their form and offset, any other string fails.

    Source: 45 CFR 164.514(b)(2)(i)(C): of dates directly related to an individual, Safe Harbor lets the year
    stay and nothing else, and of ages over 89 not even the year of birth.
    """

    name = "date_truncate"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "to": {
                "enum": ["year", "month", "day"],
                "default": "year",
                "description": "The finest part that stays. Safe Harbor allows the year only.",
            },
        },
    }
    types = frozenset({"date", "string"})
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`to`, as the schema says."""
        super().__init__(options, key)
        self._to: str = options.get("to", "year")

    def mask(self, column: Column) -> list[Any]:
        """Truncated dates."""
        return [self._truncated(value) for value in column.values]

    def _truncated(self, value: Any) -> Any:
        kind = type(value)
        if kind is datetime.datetime:
            day = self._day(value)
            return datetime.datetime(day.year, day.month, day.day)  # noqa: DTZ001  (BSON's dates are naive UTC)
        if kind is str:
            return self._text(value) if value else value
        if kind is DatetimeMS:
            return self._beyond(int(value))
        return FAILED

    def _day(self, date: datetime.date) -> datetime.date:
        if self._to == "day":
            return datetime.date(date.year, date.month, date.day)
        return datetime.date(date.year, date.month if self._to == "month" else 1, 1)

    def _text(self, text: str) -> Any:
        partial = _PARTIAL.fullmatch(text)
        if partial is not None and partial[1] != "0000":
            if len(text) == len("YYYY") or self._to != "year":
                return text
            return f"{partial[1]}-01"
        result = rewrite(text, self._day, midnight=True)
        return FAILED if result is None else result

    def _beyond(self, milliseconds: int) -> Any:
        """A date outside of datetime's years, by the same day of the first 400."""
        ordinal = milliseconds // _DAY_MS + _EPOCH_ORDINAL
        cycles, within = divmod(ordinal - 1, _CYCLE_DAYS)
        first = self._day(datetime.date.fromordinal(within + 1)).toordinal() + cycles * _CYCLE_DAYS
        result = (first - _EPOCH_ORDINAL) * _DAY_MS
        return DatetimeMS(result) if result >= INT64_MIN else FAILED
