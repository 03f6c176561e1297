"""date_shift: moves all dates of a person by the same number of days."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from bson.datetime_ms import DatetimeMS

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.cache import Memo
from phimask_plugins.maskers.date_text import rewrite
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import INT64_MAX, INT64_MIN

_MEMO_BYTES: Final = 4 * 1024 * 1024
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (BSON dates decode to naive UTC)


class DateShift(Masker):
    """Moves dates by a number of days that depends on the key and the subject alone: intervals within a
    person's record stay, as does the time of day; the dates themselves do not.

    Takes dates, years outside of 1 to 9999 included, and strings that hold a date in ISO 8601 (`YYYY-MM-DD`,
    with or without time and offset, and `YYYYMMDD`) or `MM/DD/YYYY`, which keep their form; any other string
    fails, and a day-first date is taken for a month-first one or fails. The shift is never zero: `min_days` to
    `max_days`, forwards or backwards.

    Source: the per-patient random offset of MIMIC-III (Johnson et al., Scientific Data 3:160035, 2016,
    "Deidentification"). Under HIPAA it serves expert determination, 45 CFR 164.514(b)(1): Safe Harbor,
    (b)(2)(i)(C), takes no dates but years, and intervals may tell whom a record is about.
    """

    name = "date_shift"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "max_days": {
                "type": "integer",
                "minimum": 1,
                "maximum": 36500,
                "default": 365,
                "description": "The longest shift, in days.",
            },
            "min_days": {
                "type": "integer",
                "minimum": 1,
                "maximum": 36500,
                "default": 1,
                "description": "The shortest shift, in days.",
            },
        },
    }
    types = frozenset({"date", "string"})
    needs_key = True
    needs_subject = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError if `min_days` is above `max_days`."""
        super().__init__(options, key)
        self._shortest: int = options.get("min_days", 1)
        longest: int = options.get("max_days", 365)
        if self._shortest > longest:
            raise ValueError(
                "min_days is above max_days; the shortest shift cannot be longer than the longest"
            )
        self._choices = longest - self._shortest + 1
        self._keyed = KeyedHash(self.key)
        self._shifts: Memo[bytes, datetime.timedelta] = Memo(self._shift_of, _MEMO_BYTES)

    def mask(self, column: Column) -> list[Any]:
        """Shifted dates."""
        shift_of = self._shifts.__getitem__
        pairs = zip(column.values, column.subjects, strict=True)
        return [_shifted(value, shift_of(subject)) for value, subject in pairs]

    def _shift_of(self, subject: bytes) -> datetime.timedelta:
        number = int.from_bytes(self._keyed.digest(subject), "big") % (2 * self._choices)
        backwards, days = divmod(number, self._choices)
        days += self._shortest
        return datetime.timedelta(days=-days if backwards else days)


def _shifted(value: Any, shift: datetime.timedelta) -> Any:
    kind = type(value)
    if kind is datetime.datetime:
        try:
            return value + shift
        except OverflowError:
            return DatetimeMS((value - _EPOCH + shift) // _MILLISECOND)
    if kind is str:
        if not value:
            return value
        try:
            text = rewrite(value, lambda day: day + shift)
        except OverflowError:  # a string has no form for a year past 9999
            return FAILED
        return FAILED if text is None else text
    if kind is DatetimeMS:
        milliseconds = int(value) + shift // _MILLISECOND
        return DatetimeMS(milliseconds) if INT64_MIN <= milliseconds <= INT64_MAX else FAILED
    return FAILED
