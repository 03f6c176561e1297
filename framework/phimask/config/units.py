"""Sizes and times with units, as people write them.

Decimal prefixes are decimal and binary ones binary (IEC 80000-13): 1 GB is 10^9 bytes, 1 GiB is 2^30. Sizes become
int bytes, times float seconds; a number without a unit is bytes or seconds already.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from phimask.config.wording import closest, quoted

SIZES: Final = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
DURATIONS: Final = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
RIGHT_SIZE: Final = "write a size such as 64MB, 1.5GB or 512MiB"
RIGHT_DURATION: Final = "write a time such as 250ms, 8s, 2m or 1h"

_NUMBER_AND_UNIT = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([^\W\d]*)\s*", re.ASCII)
_GREATEST: Final = 2**63 - 1
_SIZES_MEANT: Final = {"bytes": "B", "byte": "B", "k": "kB", "m": "MB", "g": "GB", "t": "TB", "ki": "KiB"}
_SIZES_MEANT.update({"mi": "MiB", "gi": "GiB", "ti": "TiB"})
_DURATIONS_MEANT: Final = {
    **dict.fromkeys(("msec", "msecs", "millis", "milliseconds", "millisecond"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
}


class UnitError(ValueError):
    """A size or a time that is none: what is wrong, and what would be right."""

    def __init__(self, wrong: str, right: str) -> None:
        self.wrong = wrong
        self.right = right
        super().__init__(f"{wrong}; {right}")


def parse_size(value: str | int) -> int:
    """Bytes, rounded to the nearest. Raises UnitError."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= _GREATEST:
            raise UnitError(f"{value} is no size in bytes", RIGHT_SIZE)
        return value
    if not isinstance(value, str):
        raise UnitError("this is no size", RIGHT_SIZE)
    number, unit = _parts(value, "size", RIGHT_SIZE)
    by_lower = {name.lower(): factor for name, factor in SIZES.items()}
    if unit.lower() not in by_lower:
        guess = _SIZES_MEANT.get(unit.lower()) or closest(unit, SIZES)
        raise _no_such_unit(value, number, guess, RIGHT_SIZE)
    size = round(number * by_lower[unit.lower()])
    if size > _GREATEST:
        raise UnitError(f"{quoted(value)} is more than any machine has", RIGHT_SIZE)
    return size


def parse_duration(value: str | float) -> float:
    """Seconds. Raises UnitError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value < float("inf"):
            raise UnitError(f"{value} is no time in seconds", RIGHT_DURATION)
        return float(value)
    if not isinstance(value, str):
        raise UnitError("this is no time", RIGHT_DURATION)
    number, unit = _parts(value, "time", RIGHT_DURATION)
    if unit not in DURATIONS:
        guess = _DURATIONS_MEANT.get(unit.lower()) or closest(unit, DURATIONS)
        raise _no_such_unit(value, number, guess, RIGHT_DURATION)
    return float(number * DURATIONS[unit])


def _parts(text: str, what: str, right: str) -> tuple[Decimal, str]:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise UnitError(f"{quoted(text)} is no {what}", right)
    if not match[2]:
        raise UnitError(f"{quoted(text)} has no unit", right)
    return Decimal(match[1]), match[2]


def _no_such_unit(text: str, number: Decimal, guess: str | None, right: str) -> UnitError:
    meant = f"did you mean {number}{guess}?" if guess else right
    return UnitError(f"{quoted(text)} has no unit that phimask knows", meant)


def in_64_bits(number: int) -> int:
    """The number, for which BSON has room: it goes to the server in a query, or to the ledger. Raises ValueError."""
    if not -_GREATEST <= number <= _GREATEST:
        raise ValueError("an integer of more than 64 bits")
    return number
