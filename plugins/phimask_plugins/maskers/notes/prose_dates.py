"""Dates in prose: taken apart, moved, and written again in the same form."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_NAME: Final = r"(?P<name>[A-Za-z]{3,9})"
_DAY: Final = r"(?P<day>\d{1,2})(?P<ordinal>st|nd|rd|th)?"
_YEAR: Final = r"(?P<year>(?:18|19|20)\d\d|'?\d\d)"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})(?P<sep>[/.-])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?P<rest>.*)",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?P<rest>\d*)",
        r"(?P<month>\d{1,2})(?P<sep>[/.-])(?P<day>\d{1,2})(?P=sep)(?P<year>\d{4}|\d\d)(?P<rest>(?:\D.*)?)",
        r"(?P<month>\d{1,2})(?P<sep>[/-])(?P<day>\d{1,2})(?P<rest>)",
        r"(?P<month>\d{1,2})/(?P<year>\d{4})(?P<rest>)",
        rf"{_NAME}\.?[ -]{{0,2}}(?:the )?{_DAY}(?:(?:,? {{0,2}}(?:of |in )?|[-/]){_YEAR})?(?P<rest>)",
        rf"{_DAY}(?: of)?[ .-]{{1,2}}{_NAME}\.?(?:[ ,.-]{{1,2}}{_YEAR})?(?P<rest>)",
        rf"{_NAME}\.?[ ,-]{{1,2}}(?:of )?{_YEAR}(?P<rest>)",
    )
)
_PIVOT: Final = 69
"""Two digits from here on are of the last century. Source: POSIX, strptime, %y."""
_DAY_OF_A_PERIOD: Final = 1


@dataclass(frozen=True, slots=True)
class _Parts:
    """A date as it is written; None is what it lacks."""

    match: re.Match[str] = field(repr=False)
    year: int | None
    month: int
    day: int | None
    swapped: bool
    """The day stands where the form has the month."""

    def is_of(self, date: datetime.date) -> bool:
        """Whether this could be that day."""
        return (
            self.month == date.month
            and (self.year is None or self.year == date.year)
            and (self.day is None or self.day == date.day)
        )

    def date(self) -> datetime.date | None:
        """The day, where all of it is there."""
        if self.year is None or self.day is None:
            return None
        return _date(self.year, self.month, self.day)

    def written(self, date: datetime.date) -> str:
        """Another date in this one's form."""
        match = self.match
        text, base = match[0], match.start()
        groups = match.re.groupindex
        new = {}
        if "name" in groups:
            new["name"] = _month_like(match["name"], date.month)
            padded = self.day is not None and (match["day"][0] == "0" or "-" in text)
        else:
            new["month"] = _like(match["month"], date.day if self.swapped else date.month)
            padded = True
        if self.day is not None:
            number = date.month if self.swapped else date.day
            new["day"] = _like(match["day"], number) if padded else str(number)
        if "ordinal" in groups and match["ordinal"]:
            new["ordinal"] = _ordinal(date.day)
        if self.year is not None:
            new["year"] = _year_like(match["year"], date.year)
        for group in sorted(new, key=match.start, reverse=True):
            start, end = match.start(group) - base, match.end(group) - base
            text = text[:start] + new[group] + text[end:]
        return text


class DateMoves:
    """What became of the dates that other fields of a document hold, applied to dates in its prose."""

    def __init__(self, pairs: Iterable[tuple[datetime.date, datetime.date]]) -> None:
        self._moves = dict(pairs)
        self._shift = _common_shift(self._moves)

    def __bool__(self) -> bool:
        return bool(self._moves)

    def knows(self, text: str) -> bool:
        """Whether the text is one of the dates, with its year and all."""
        return any(parts.date() in self._moves for parts in _read(text))

    def moved(self, text: str) -> str | None:
        """The date in its own form: as it is masked elsewhere in the document, or moved as far as all others were.

        None where neither is known.
        """
        readings = list(_read(text))
        for parts in readings:
            for date, masked in self._moves.items():
                if parts.is_of(date):
                    return parts.written(masked)
        if self._shift is None:
            return None
        for parts in readings:
            day = parts.date()
            if day is not None:
                try:
                    return parts.written(day + self._shift)
                except OverflowError:
                    return None
        return None


def _common_shift(moves: dict[datetime.date, datetime.date]) -> datetime.timedelta | None:
    """How far all dates were moved; None if they were not moved alike, or were rounded."""
    shifts = {masked - date for date, masked in moves.items()}
    if len(shifts) != 1 or all(masked.day == _DAY_OF_A_PERIOD for masked in moves.values()):
        return None
    shift = shifts.pop()
    return shift or None


def _read(text: str) -> Iterator[_Parts]:
    """The ways to read a date, the American before the European."""
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        named = match.groupdict()
        for year in _years(named.get("year")):
            yield from _readings(match, named, year)


def _readings(match: re.Match[str], named: Mapping[str, str | None], year: int | None) -> Iterator[_Parts]:
    day = None if named.get("day") is None else int(named["day"] or 0)
    name = named.get("name")
    if name is not None:
        month = _month(name)
        if month is not None and _possible(year, month, day):
            yield _Parts(match, year, month, day, swapped=False)
        return
    month = int(named["month"] or 0)
    if _possible(year, month, day):
        yield _Parts(match, year, month, day, swapped=False)
    if day is not None and match.start("month") == match.start() and _possible(year, day, month):
        yield _Parts(match, year, day, month, swapped=True)


def _possible(year: int | None, month: int, day: int | None) -> bool:
    return _date(2000 if year is None else year, month, 1 if day is None else day) is not None


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def _years(text: str | None) -> Sequence[int | None]:
    """The years that it may stand for, the likelier first."""
    if text is None:
        return (None,)
    digits = text.lstrip("'")
    year = int(digits)
    if len(digits) == 4:
        return (year,)
    return (year + 1900, year + 2000) if year >= _PIVOT else (year + 2000, year + 1900)


def _month(name: str) -> int | None:
    short = name.lower()
    for number, month in enumerate(_MONTHS, 1):
        if month.startswith(short):
            return number
    return 9 if short == "sept" else None


def _like(original: str, number: int) -> str:
    return f"{number:02}" if len(original) == 2 else str(number)


def _year_like(original: str, year: int) -> str:
    if len(original) == 4:
        return f"{year:04}"
    return f"{original[:-2]}{year % 100:02}"


def _month_like(original: str, month: int) -> str:
    name = _MONTHS[month - 1]
    if len(original) <= 4 and original.lower() not in _MONTHS:
        name = name[:3]
    return name.upper() if original.isupper() else name.capitalize() if original[0].isupper() else name


def _ordinal(day: int) -> str:
    return "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
