"""date_shift: moves all dates of a person by the same number of days."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import add
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from bson.datetime_ms import DatetimeMS

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.cache import MEGABYTE, Memo
from phimask_plugins.maskers.date_pattern import DatePattern
from phimask_plugins.maskers.date_text import Change, moved, rewrite
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import INT64_MAX, INT64_MIN

_MILLISECOND: Final = datetime.timedelta(milliseconds=1)
_SECOND: Final = datetime.timedelta(seconds=1)
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (BSON dates decode to naive UTC)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_DAY_SECONDS: Final = 86_400
_DAY_MS: Final = _DAY_SECONDS * 1000
_WEEK: Final = 7
_YEAR_DAYS: Final = 365.2425
_SEASON_DAYS: Final = 89
"""No two days of one season are farther apart, but in the longer ones."""
_CYCLE_DAYS: Final = 146_097
"""Days of 400 Gregorian years, after which the calendar repeats."""
_CANDIDATES: Final = 64
"""Of these few can miss the season each; that all do happens once in 10**15 times or less."""
_COLLECTION: Final = b"collection"

Shift: TypeAlias = "datetime.timedelta | array[int]"
"""What belongs to a subject: the shift, or days to try in turn until the season is kept."""
D = TypeVar("D", bound=datetime.date)


class DateShift(Masker):
    """Moves dates by a number of days that depends on the key and the subject alone: intervals within a
    person's record stay, as does the time of day; the dates themselves do not.

    Takes dates, years outside of 1 to 9999 included, and strings that hold a date in one of the `formats`, in
    ISO 8601 (`YYYY-MM-DD`, with or without time and offset, and `YYYYMMDD`) or `MM/DD/YYYY`, which keep their form;
    any other string fails, and a day-first date is taken for a month-first one or fails unless `formats` says so.
    The shift is never zero: `min_days` to `max_days`, forwards or backwards. With `season` in `keep`, each date
    is moved by the first of its subject's shifts that leaves it in its season (December to February, March to May
    and so on): most intervals of less than a season stay, others do not.

    Source: the per-patient random offset of MIMIC-III (Johnson et al., Scientific Data 3:160035, 2016,
    "Deidentification"), which keeps weekday and season. Under HIPAA it serves expert determination, 45 CFR
    164.514(b)(1): Safe Harbor, (b)(2)(i)(C), takes no dates but years, and intervals may tell whom a record is about.
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
            "scope": {
                "enum": ["subject", "document", "collection"],
                "default": "subject",
                "description": "Whose dates move together: those of the collection file's subject, of each document, "
                "or all that are masked under this key (then one known date undoes all).",
            },
            "keep": {
                "type": "array",
                "items": {"enum": ["time_of_day", "weekday", "season"]},
                "uniqueItems": True,
                "default": ["time_of_day"],
                "description": "What stays besides intervals; without time_of_day, times move by a random number of "
                "seconds as well.",
            },
            "formats": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 60},
                "default": [],
                "description": "Further forms of dates in strings, tried in order and first, as patterns of strptime: "
                "`%d.%m.%Y`, `%b %d, %Y %I:%M %p`; names are English.",
            },
            "cache": {
                "type": ["string", "integer"],
                "format": "size",
                "default": "4MB",
                "description": "The most that the shifts of subjects seen lately may take of memory.",
            },
        },
    }
    types = frozenset({"date", "string"})
    needs_key = True
    needs_subject = False  # until an instance knows its scope

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for bounds that leave no shift, for what cannot be kept without time_of_day, and for a
        pattern that does not make a date."""
        super().__init__(options, key)
        shortest: int = options.get("min_days", 1)
        longest: int = options.get("max_days", 365)
        if shortest > longest:
            raise ValueError(
                "min_days is above max_days; the shortest shift cannot be longer than the longest"
            )
        keep = frozenset(options.get("keep", ("time_of_day",)))
        self._whole_days = "time_of_day" in keep
        if not self._whole_days and keep:
            raise ValueError(
                f"{' and '.join(sorted(keep))} cannot stay where times move; keep time_of_day, too"
            )
        self._by_season = "season" in keep
        self._days = _allowed(shortest, longest, weekday="weekday" in keep, season=self._by_season)
        if not self._days:
            raise ValueError(
                f"no shift of {shortest} to {longest} days keeps the {' and '.join(sorted(keep - {'time_of_day'}))}; "
                "allow more"
            )
        self._patterns = tuple(map(DatePattern, options.get("formats", ())))
        self._plain = self._whole_days and not self._patterns
        scope = options.get("scope", "subject")
        self.needs_subject = scope != "collection"
        self.per_document = scope == "document"
        self._keyed = KeyedHash(self.key)
        self._shifts: Memo[bytes, Shift] = Memo(self._shift_of, options.get("cache", 4 * MEGABYTE))

    def cached_bytes(self) -> int:
        """See Masker."""
        return self._shifts.weight

    def drop_cache(self) -> None:
        """See Masker."""
        self._shifts.drop()

    def mask(self, column: Column) -> list[Any]:
        """Shifted dates."""
        shift_of = self._shifts.__getitem__
        subjects = column.subjects if self.needs_subject else [_COLLECTION] * len(column.values)
        dates = set(map(type, column.values)) == {datetime.datetime}
        if dates and not self._by_season and len(subjects) == len(column.values):
            with suppress(OverflowError):  # one by one, then
                return list(map(add, column.values, map(shift_of, subjects)))
        pairs = zip(column.values, subjects, strict=True)
        if self._by_season:
            return [self._within_season(value, shift_of(subject)) for value, subject in pairs]
        return [self._shifted(value, shift_of(subject)) for value, subject in pairs]

    def _shift_of(self, subject: bytes) -> Shift:
        if self._by_season:
            blocks = range(_CANDIDATES * 4 // 32)
            pool = b"".join(self._keyed.digest(b"season\0%d\0" % block + subject) for block in blocks)
            return array("l", [self._drawn_days(pool[start : start + 4]) for start in range(0, len(pool), 4)])
        digest = self._keyed.digest(subject)
        if self._whole_days:
            return datetime.timedelta(days=self._drawn_days(digest))
        low, high = self._days[0] * _DAY_SECONDS, self._days[-1] * _DAY_SECONDS
        backwards, seconds = divmod(int.from_bytes(digest, "big") % (2 * (high - low + 1)), high - low + 1)
        return _SECOND * (-(low + seconds) if backwards else low + seconds)

    def _drawn_days(self, pool: bytes) -> int:
        backwards, place = divmod(int.from_bytes(pool, "big") % (2 * len(self._days)), len(self._days))
        return -self._days[place] if backwards else self._days[place]

    def _shifted(self, value: Any, shift: Any) -> Any:
        kind = type(value)
        if kind is datetime.datetime:
            try:
                return value + shift
            except OverflowError:
                return _in_bounds((value - _EPOCH + shift) // _MILLISECOND)
        if kind is str:
            return (self._plain and self._moved(value, shift)) or self._text(value, lambda day: day + shift)
        if kind is DatetimeMS:
            return _in_bounds(int(value) + shift // _MILLISECOND)
        return FAILED

    @staticmethod
    def _moved(text: str, shift: datetime.timedelta) -> str | None:
        try:
            return moved(text, shift)
        except OverflowError:
            return None

    def _within_season(self, value: Any, shifts: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value, lambda day: _moved_in_season(day, shifts))
        if kind is not datetime.datetime and kind is not DatetimeMS:
            return FAILED
        milliseconds = int(value) if kind is DatetimeMS else (value - _EPOCH) // _MILLISECOND
        ordinal = milliseconds // _DAY_MS + _EPOCH_ORDINAL
        days = _days_in_season(ordinal, shifts)
        return FAILED if days is None else self._shifted(value, datetime.timedelta(days=days))

    def _text(self, text: str, change: Change) -> Any:
        if not text:
            return text
        try:
            for pattern in self._patterns:
                result = pattern.rewrite(text, change, clock=not self._whole_days)
                if result is not None:
                    return result if result != text else FAILED
            result = rewrite(text, change, clock=not self._whole_days)
        except (OverflowError, _OutOfSeasonError):  # a string has no form for a year past 9999
            return FAILED
        return FAILED if result is None else result


class _OutOfSeasonError(Exception):
    """None of the shifts keeps the season."""


def _allowed(shortest: int, longest: int, *, weekday: bool, season: bool) -> Sequence[int]:
    """The days by which dates may move, one way or the other."""
    step = _WEEK if weekday else 1
    days = range(-(-shortest // step) * step, longest + 1, step)
    return [day for day in days if _from_whole_years(day) <= _SEASON_DAYS] if season else days


def _from_whole_years(days: int) -> float:
    return abs(days - round(days / _YEAR_DAYS) * _YEAR_DAYS)


def _season(ordinal: int) -> int:
    """The meteorological season, 0 to 3, of a day by its number, beyond the years of datetime as well."""
    return datetime.date.fromordinal((ordinal - 1) % _CYCLE_DAYS + 1).month % 12 // 3


def _days_in_season(ordinal: int, shifts: Sequence[int]) -> int | None:
    season = _season(ordinal)
    return next((days for days in shifts if _season(ordinal + days) == season), None)


def _moved_in_season(day: D, shifts: Sequence[int]) -> D:
    days = _days_in_season(day.toordinal(), shifts)
    if days is None:
        raise _OutOfSeasonError
    return day + datetime.timedelta(days=days)


def _in_bounds(milliseconds: int) -> Any:
    return DatetimeMS(milliseconds) if INT64_MIN <= milliseconds <= INT64_MAX else FAILED
