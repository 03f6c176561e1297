"""Values and texts as words: how a value is known again in another form, and which values tell anything.

Words are stretches of letters and digits in small letters, run together: `(404) 555-0145`, `404.555.0145` and
`4045550145` are one, as are `O'Brien` and `OBRIEN`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from phimask_plugins.validators.walk import INT32, INT64, STRING

LONGEST: Final = 4
"""Words. A longer value is known by as many of its first words."""
LEAST: Final = 6
"""Characters that words take together; shorter ones are too many things."""

_WORD: Final = re.compile(r"[^\W_]+")
_LEAST_NAME: Final = 8
_LEAST_NUMBER: Final = 7
_LEAST_DIGITS: Final = 4
_LEAST_PART: Final = 3
_DATE: Final = re.compile(
    r"(?:\d{4}\D\d{1,2}\D\d{1,2}|\d{1,2}\D\d{1,2}\D\d{2,4})(?!\d)|(?:19|20)\d{6}(?:\d{6})?\Z"
)
_NAMING: Final = re.compile(
    rb"name|given|family|surname|first|last|middle|maiden|alias|city|town|village|street|place", re.IGNORECASE
)
_TITLES: Final = frozenset({"miss", "mrs", "prof", "doctor", "and", "the", "von", "van", "del", "jun", "phd"})


def words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return _WORD.findall(text.casefold())


def spelt(text: str) -> list[str]:
    """The words as they are written."""
    return _WORD.findall(text)


def text_of(kind: int, value: bytes) -> str | None:
    """What a BSON value reads as; None for what is no text or whole number. Dates are none: they coincide."""
    if kind == STRING:
        return value[4:-1].decode("utf-8", "replace")
    if kind == INT32:
        return str(struct.unpack("<i", value)[0])
    if kind == INT64:
        return str(struct.unpack("<q", value)[0])
    return None


def known_by(text: str) -> str | None:
    """What a value is known by in other documents, or None where that could be anything.

    Left out are dates; numbers of fewer than 7 digits; words with fewer than 4 digits among less than 6 characters;
    single words without a digit; and several words of fewer than 8 letters.
    """
    if len(text) < LEAST:
        return None
    if text.isalnum():  # one word
        if text.isalpha() or _DATE.match(text):
            return None
        joined = text.casefold()
        return joined if tells(joined, 1) else None
    if text[0].isdecimal() and _DATE.match(text):
        return None
    found = _WORD.findall(text.casefold())
    if len(found) > LONGEST:
        del found[LONGEST:]
    joined = "".join(found)
    return joined if tells(joined, len(found)) else None


def tells(joined: str, count: int) -> bool:
    """Whether so many words, run together, are more than what anybody may have written."""
    length = len(joined)
    if length < LEAST:
        return False
    if joined.isalpha():
        return count > 1 and length >= _LEAST_NAME
    if joined.isdecimal():
        return length >= _LEAST_NUMBER
    return sum(map(str.isdecimal, joined)) >= _LEAST_DIGITS or (count > 1 and length >= 2 * _LEAST_NAME)


class Look(NamedTuple):
    """A value as a text; what it is known by, if it tells anything; then either its digits, or its longest word in
    small letters."""

    text: str
    joined: str | None
    digits: bytes | None
    longest: bytes | None


@lru_cache(65_536)
def look_at(kind: int, value: bytes) -> Look | None:
    """None for what is no text. Values repeat, and looking takes time."""
    text = text_of(kind, value)
    if text is None:
        return None
    joined = known_by(text)
    if joined is None:
        return Look(text, None, None, None)
    if joined.isdecimal():
        return Look(text, joined, joined.encode(), None)
    longest = text if text.isalnum() else max(spelt(text), key=len)
    return Look(text, joined, None, longest.lower().encode())


@lru_cache(4096)
def is_naming(key: bytes) -> bool:
    """Whether fields of this key hold names of people or places."""
    return _NAMING.search(key) is not None


@lru_cache(16_384)
def parts_of_name(text: str) -> tuple[str, ...]:
    """The single words of a name, as they are written, that tell it by themselves in the person's own document."""
    if text.isalpha():
        return (text,) if len(text) >= _LEAST_PART and not text.islower() else ()
    return tuple(
        word
        for word in spelt(text)
        if len(word) >= _LEAST_PART
        and word.isalpha()
        and word.casefold() not in _TITLES
        and not word.islower()
    )


def phrases(found: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """All runs of up to 4 words of a text that tell anything: first word, last word, run together."""
    for start in range(len(found)):
        joined = ""
        for stop in range(start, min(start + LONGEST, len(found))):
            joined += found[stop]
            if tells(joined, stop - start + 1):
                yield start, stop, joined
