"""Forms of dates that somebody describes by a pattern, as for strptime: read, changed and written back alike.

Python's own strptime and strftime go by the system's language and write early years differently on each system.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from phimask_plugins.maskers.date_text import Change

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS: Final[Mapping[str, str]] = {
    "Y": r"[0-9]{4}",
    "y": r"[0-9]{2}",
    "m": r"0?[1-9]|1[0-2]",
    "d": r"0?[1-9]|[12][0-9]|3[01]",
    "j": r"[0-9]{3}",
    "H": r"[01]?[0-9]|2[0-3]",
    "I": r"0?[1-9]|1[0-2]",
    "M": r"[0-5][0-9]",
    "S": r"[0-5][0-9]",
    "f": r"[0-9]{1,9}",
    "z": r"Z|[+-][0-9]{2}:?[0-9]{2}",
}
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "B": _MONTHS,
    "b": tuple(month[:3] for month in _MONTHS),
    "A": _WEEKDAYS,
    "a": tuple(day[:3] for day in _WEEKDAYS),
    "p": ("AM", "PM"),
}
_VARIABLE: Final = frozenset("mdHI")
"""Numbers whose leading zero may be left out."""
_READ: Final[Mapping[str, Callable[[datetime.datetime], int]]] = {
    "Y": lambda moment: moment.year,
    "y": lambda moment: moment.year % 100,
    "m": lambda moment: moment.month,
    "d": lambda moment: moment.day,
    "j": lambda moment: moment.timetuple().tm_yday,
    "H": lambda moment: moment.hour,
    "I": lambda moment: (moment.hour - 1) % 12 + 1,
    "M": lambda moment: moment.minute,
    "S": lambda moment: moment.second,
}
_WIDTHS: Final = {"Y": 4, "j": 3}
_STAYS: Final = frozenset("fz")
_DAY: Final = ({"m", "d"}, {"B", "d"}, {"b", "d"}, {"j"})
_CLOCK: Final = frozenset("HIMSp")
_LONGEST: Final = 100
_PIVOT: Final = 69
"""Two-digit years below it are of the 2000s, others of the 1900s. Source: POSIX.1-2017, strptime."""


class DatePattern:
    """One form, as a pattern of `%Y %y %m %d %j %B %b %A %a %H %I %M %S %f %p %z %%` with English names.

    Raises ValueError for a pattern of anything else, with a part twice, or that leaves the year or day open.
    """

    def __init__(self, pattern: str) -> None:
        pieces = re.split(r"%(.?)", pattern, flags=re.DOTALL)
        self._literals, self._parts = pieces[::2], pieces[1::2]
        known = [part for part in self._parts if part in _NUMBERS or part in _NAMES]
        if len(known) + self._parts.count("%") < len(self._parts):
            raise ValueError(
                "a date's pattern is made of %Y %y %m %d %j %B %b %A %a %H %I %M %S %f %p %z and %%"
            )
        have = set(known)
        if len(have) < len(known) or len(have & {"m", "b", "B"}) > 1:
            raise ValueError("a date's pattern has the same part twice")
        if len(have & {"Y", "y"}) != 1 or not any(day <= have for day in _DAY):
            raise ValueError("a date's pattern needs a year, and a day: %m and %d, or %j")
        if ("I" in have) != ("p" in have) or {"I", "H"} <= have:
            raise ValueError("a pattern's hours are %H, or %I and %p")
        self._has_clock = bool(have & {"H", "I"})
        if have & _CLOCK and not self._has_clock:
            raise ValueError("a pattern with minutes or seconds needs %H, or %I and %p")
        self._pattern = re.compile("".join(self._groups()), re.IGNORECASE | re.ASCII)

    def _groups(self) -> list[str]:
        texts = [re.escape(self._literals[0])]
        for place, part in enumerate(self._parts):
            if part == "%":
                texts.append("%")
            else:
                among = _NUMBERS[part] if part in _NUMBERS else "|".join(_NAMES[part])
                if part in _VARIABLE and self._touches(place):
                    among = f"(?=[0-9]{{2}})(?:{among.replace('?', '')})"
                texts.append(f"(?P<{part}>{among})")
            texts.append(re.escape(self._literals[place + 1]))
        return texts

    def _touches(self, place: int) -> bool:
        """Whether a part has another beside it, so that only its two digits tell where it ends."""
        before = place > 0 and not self._literals[place]
        return before or (place + 1 < len(self._parts) and not self._literals[place + 1])

    def rewrite(self, text: str, change: Change, *, clock: bool = False) -> str | None:
        """`text` with its date changed, and its time of day, too, if `clock`; None if it has another form."""
        if len(text) > _LONGEST:
            return None
        match = self._pattern.fullmatch(text)
        found = {} if match is None else match.groupdict()
        moment = _moment(found) if found else None
        if moment is None:
            return None
        if clock and self._has_clock:
            changed = cast("datetime.datetime", change(moment))
        else:
            day = change(moment.date())
            changed = moment.replace(year=day.year, month=day.month, day=day.day)
        short = any(found[part][0] != "0" and len(found[part]) == 1 for part in _VARIABLE & found.keys())
        written = [self._literals[0]]
        for part, literal in zip(self._parts, self._literals[1:], strict=True):
            written.append("%" if part == "%" else _written(part, found[part], changed, short=short))
            written.append(literal)
        return "".join(written)


def _moment(found: Mapping[str, str]) -> datetime.datetime | None:
    """What the parts say; None if it is no date, or names the weekday of another one."""
    year = int(found["Y"]) if "Y" in found else int(found["y"])
    if "y" in found:
        year += 2000 if year < _PIVOT else 1900
    try:
        if "j" in found:
            day = datetime.date(year, 1, 1) + datetime.timedelta(days=int(found["j"]) - 1)
        else:
            month = int(found["m"]) if "m" in found else _place("B" if "B" in found else "b", found) + 1
            day = datetime.date(year, month, int(found["d"]))
    except (ValueError, OverflowError):
        return None
    named = "A" if "A" in found else "a" if "a" in found else None
    if day.year != year or (named is not None and _place(named, found) != day.weekday()):
        return None
    hour = int(found.get("H", "0"))
    if "I" in found:
        hour = int(found["I"]) % 12 + 12 * _place("p", found)
    return datetime.datetime(  # noqa: DTZ001  (the offset is not looked at)
        day.year, day.month, day.day, hour, int(found.get("M", "0")), int(found.get("S", "0"))
    )


def _place(part: str, found: Mapping[str, str]) -> int:
    return next(place for place, name in enumerate(_NAMES[part]) if name.casefold() == found[part].casefold())


def _written(part: str, original: str, moment: datetime.datetime, *, short: bool) -> str:
    if part in _STAYS:
        return original
    if part in _NAMES:
        place = {"B": moment.month - 1, "b": moment.month - 1, "p": int(moment.hour >= 12)}
        name = _NAMES[part][place.get(part, moment.weekday())]
        return name.upper() if original.isupper() else name.lower() if original.islower() else name
    width = 1 if short and part in _VARIABLE else _WIDTHS.get(part, 2)
    return f"{_READ[part](moment):0{width}}"
