"""Telephone and Social Security numbers: fakes that look like one and that nobody has.

A value in an unforeseen form gets a fake in the usual one, so that nothing of it stays.
"""

from __future__ import annotations

import re
from typing import Final

from phimask_plugins.maskers.faking.drawing import PLAIN, Manner, draw_other
from phimask_plugins.maskers.faking.shapes import reshaped
from phimask_plugins.maskers.keyed import Draws, KeyedHash
from phimask_plugins.maskers.scalars import INT32_MAX

_DIGIT: Final = re.compile(r"[0-9]")
_PHONE: Final = re.compile(r"[0-9 ()+./-]{7,32}")
_SSN: Final = re.compile(r"[0-9]{3}([- ]?)[0-9]{2}\1[0-9]{4}|[0-9]{5,8}")
_SSN_COVERED: Final = re.compile(r"([Xx*]{3}[- ]?[Xx*]{2}[- ]?)([0-9]{4})")
_SSN_END: Final = re.compile(r"[0-9]{1,4}")


def _is_geographic(area: int) -> bool:
    """Not N11 (services), N9X (reserved), 5YY (no place), 8YY and 88X (toll-free) or 900."""
    hundreds, tens, ones = area // 100, area // 10 % 10, area % 10
    shared = hundreds in (5, 8) and tens == ones
    return not (tens == ones == 1 or tens == 9 or shared or area // 10 == 88 or area == 900)


_AREAS: Final = tuple(str(area) for area in range(200, 1000) if _is_geographic(area))
_INT32_AREAS: Final = tuple(area for area in _AREAS if int(f"{area}5550199") <= INT32_MAX)


def phone(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """A telephone number of 555-0100 to 555-0199, written as `text` is (`617-555-0123` if that is unclear).

    Source: ATIS-0300115, which sets these hundred line numbers of every area code aside for fiction.
    """
    digits = "".join(_DIGIT.findall(text)) if _PHONE.fullmatch(text) else ""
    country = "1" if len(digits) == 11 and digits[0] == "1" else ""
    known = digits[len(country) :]
    if len(known) not in (7, 10):
        return draw_other(keyed, "phone", text, lambda draws: f"{draws.pick(_AREAS)}-555-{_line(draws)}")
    # A number kept as an int32 has to fit one again, and is the same number where it is kept as a string.
    small = len(known) == 10 and int(known) <= INT32_MAX

    def build(draws: Draws) -> str:
        line = _line(draws)
        if len(known) == 7:
            return _written(text, f"555{line}")
        return _written(text, f"{country}{draws.pick(_INT32_AREAS if small else _AREAS)}555{line}")

    return draw_other(keyed, "phone", text, build, same=known)


def ssn(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """A Social Security number with an area of 900 to 999 and a group of 01 to 49, written as `text` is.

    The last four digits alone, with or without covered ones before them, stay alone. Source: Social Security
    Administration, POMS RM 10201.035 (no number begins with 9); IRS, whose taxpayer numbers in that range
    have higher groups.
    """
    covered = _SSN_COVERED.fullmatch(text)
    if covered is not None or _SSN_END.fullmatch(text):
        front, end = covered.groups() if covered is not None else ("", text)
        fake = reshaped(keyed, "ssn", end)
        return None if fake is None else front + fake
    if _SSN.fullmatch(text) is None:
        return draw_other(keyed, "ssn", text, lambda draws: _written("000-00-0000", _ssn_digits(draws)))
    # A number kept without its leading zeros is the same number.
    digits = "".join(_DIGIT.findall(text)).zfill(9)
    form = text if len(_DIGIT.findall(text)) == 9 else digits
    return draw_other(keyed, "ssn", text, lambda draws: _written(form, _ssn_digits(draws)), same=digits)


def _ssn_digits(draws: Draws) -> str:
    return f"{900 + draws.below(100)}{1 + draws.below(49):02}{1 + draws.below(9999):04}"


def _line(draws: Draws) -> str:
    return f"01{draws.below(100):02}"


def _written(form: str, digits: str) -> str:
    """`digits` one by one in place of those of `form`."""
    following = iter(digits)
    return _DIGIT.sub(lambda _: next(following), form)
