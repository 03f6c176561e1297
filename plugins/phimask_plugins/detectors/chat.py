"""Names that are written without capitals, as people write them in messages and search boxes."""

from __future__ import annotations

import functools
import re
from typing import Final

from phimask_plugins.detectors.people import is_first, is_last
from phimask_plugins.detectors.scanning import Found
from phimask_plugins.detectors.words import AMBIGUOUS, TERMS, is_word, names, remembered

_NEXT: Final = re.compile(r" ([a-z]{2,20}(?:-[a-z]{2,20})?)(?![\w@'/])|( [a-z]\.?)(?= [a-z]{3})")
_PREVIOUS: Final = re.compile(r"(?<![\w@./'-])([a-z]{3,20}) \Z")
_PARTICLES: Final = frozenset({"van", "von", "de", "del", "la", "al", "el", "bin", "thi", "dos", "da"})
_BEFORE: Final = re.compile(
    r"(?:\b(?:for|on|pt|patient|see|call|called|about|re|tell|told|is|with|from|add|mr|mrs|ms|dr|named?|hi|hey|and|"
    r"this is|schedule|also|plus|its|it's|dad|mom|son|daughter|wife|husband|discharge|admit|page|text|"
    r"message|of|did|has|can|does)|[:(.,;?-])\s{1,2}\Z|\A\Z"
)
_AFTER: Final = re.compile(
    r"(?:,| \(|'s)? ?(?:(?:is|was|has|had|needs|wants|went|called|says|said|reports|denies|dob|mrn|still|asked|fell|"
    r"came|and|will|went|he|she|to the|born|age|\d{1,3} ?(?:yo|y/o|m|f))\b|s last\b|dob\b)|[?.]?\s*\Z"
)
_MOST: Final = 3


@functools.cache
def chat_names() -> frozenset[str]:
    """Names in lower case that are no words, of four letters and more."""
    known = names()
    return frozenset(
        name.lower()
        for name in known.first | known.last
        if len(name) > 3 and name.isalpha() and not is_word(name) and name.lower() not in TERMS
    )


@remembered
def is_plain(word: str) -> bool:
    """Whether it is a word of the language, bent or not."""
    return any(
        is_word(one)
        for one in (word, word.removesuffix("s"), word.removesuffix("ed"), word.removesuffix("d"))
        if len(one) > 1
    )


def onward(text: str, end: int) -> int:
    """The end of a name that has begun, after words that are known as names."""
    for _ in range(_MOST):
        one = _NEXT.match(text, end)
        if one is None or (one[1] and not _is_name(one[1]) and one[1] not in _PARTICLES):
            break
        if one[1] in _PARTICLES and not (
            (two := _NEXT.match(text, one.end())) and two[1] and _is_name(two[1])
        ):
            break
        end = one.end()
    return end


def found(text: str, start: int, end: int) -> Found | None:
    """A name that begins with the known one from `start` to `end`: with another, or where messages have one."""
    word = text[start:end]
    whole = onward(text, end)
    if whole > end:
        first = is_first(word.capitalize())
        return start, whole, 0.7 if first else 0.55
    before = _BEFORE.search(text, max(0, start - 14), start) is not None
    after = _AFTER.match(text, end) is not None
    one = _NEXT.match(text, end) if before and is_first(word.capitalize()) else None
    if one and one[1] and not is_plain(one[1]) and one[1] not in TERMS and _AFTER.match(text, one.end()):
        return start, one.end(), 0.55
    one = _PREVIOUS.search(text, max(0, start - 22), start) if is_last(word.capitalize()) else None
    if one is not None:
        front = one.start(1)
        if not is_plain(one[1]) and one[1] not in TERMS and _BEFORE.search(text, max(0, front - 14), front):
            return front, end, 0.55
    return (start, end, 0.5) if before and after and word.capitalize() not in AMBIGUOUS else None


def _is_name(word: str) -> bool:
    capital = word.capitalize()
    return (is_first(capital) or is_last(capital)) and not is_plain(word) and word not in TERMS
