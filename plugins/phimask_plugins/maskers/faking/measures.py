"""Where and when: coordinates and birth dates, drawn anew rather than moved."""

from __future__ import annotations

import datetime
import re
from typing import Final

from phimask_plugins.maskers.date_text import rewrite
from phimask_plugins.maskers.faking.drawing import PLAIN, Manner, draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash

_DECIMAL: Final = re.compile(r"-?[0-9]{1,3}(?:\.([0-9]{1,15}))?")
_USUAL_DECIMALS: Final = 6
_SOUTH_NORTH: Final = (25, 49)
_WEST_EAST: Final = (-124, -67)
_FIRST_BIRTH: Final = datetime.date(1950, 1, 1)
_BIRTHS: Final = (datetime.date(2020, 1, 1) - _FIRST_BIRTH).days


def latitude(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """Degrees north, 25 to 49, with as many decimals as `text` has."""
    return _degrees(keyed, "latitude", text, _SOUTH_NORTH)


def longitude(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """Degrees west, 124 to 67, with as many decimals as `text` has."""
    return _degrees(keyed, "longitude", text, _WEST_EAST)


def date_of_birth(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """A day from 1950 to 2019 in the form of `text`, the same for the same day in every form; a time of day
    becomes midnight. None for what is no date."""
    failed = False

    def other(day: datetime.date) -> datetime.date:
        nonlocal failed
        fake = draw_other(keyed, "date_of_birth", day.isoformat(), _birth)
        failed = fake is None
        return datetime.date.fromisoformat(fake or day.isoformat())

    result = rewrite(text, other, midnight=True)
    return None if failed else result


def _degrees(keyed: KeyedHash, label: str, text: str, bounds: tuple[int, int]) -> str | None:
    match = _DECIMAL.fullmatch(text)
    places = len(match[1] or "") if match is not None else _USUAL_DECIMALS
    low, high = bounds
    unit = 10**places

    def build(draws: Draws) -> str:
        sign, number = _signed(low * unit + draws.below((high - low) * unit + 1))
        whole, part = divmod(number, unit)
        return f"{sign}{whole}.{part:0{places}}" if places else f"{sign}{whole}"

    return draw_other(keyed, label, text, build)


def _signed(number: int) -> tuple[str, int]:
    """The sign as it is written, and the amount."""
    return ("-", -number) if number < 0 else ("", number)


def _birth(draws: Draws) -> str:
    return (_FIRST_BIRTH + datetime.timedelta(days=draws.below(_BIRTHS))).isoformat()
