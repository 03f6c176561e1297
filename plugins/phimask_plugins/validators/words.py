"""Values and texts as words: how a value is known again in another form, and which values tell anything.

Words are stretches of letters and digits in small letters, run together: `(404) 555-0145`, `404.555.0145` and
`4045550145` are one, as are `O'Brien` and `OBRIEN`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache
from typing import AnyStr, Final, Generic, TypeVar

from phimask_plugins.validators.walk import INT32, INT64, STRING

LONGEST: Final = 4
"""Words. A longer value is known by as many of its first words."""
LEAST: Final = 6
"""Characters that words take together; shorter ones are too many things."""
LEAST_NUMBER: Final = 7
"""Digits."""
LEAST_DIGITS: Final = 4
"""Of a code that has letters, too."""

_WORD: Final = re.compile(r"[^\W_]+")
_ASCII_WORDS: Final = bytes(code if not code or chr(code).isalnum() else 0x20 for code in range(256)).lower()
"""By this table ASCII texts become small letters, and spaces for what stands between words. NULs stay."""
_LEAST_NAME: Final = 8
_DIGITS: Final = re.compile(rf"(?:\D*\d){{{LEAST_DIGITS}}}")
_DIGITS_BYTES: Final = re.compile(_DIGITS.pattern.encode())
_DIGIT_CODES: Final = frozenset(b"0123456789")
_LEAST_PART: Final = 3
_DATE: Final = re.compile(
    r"(?:\d{4}\D\d{1,2}\D\d{1,2}|\d{1,2}\D\d{1,2}\D\d{2,4})(?!\d)|(?:19|20)\d{6}(?:\d{6})?\Z"
)
_DATE_BYTES: Final = re.compile(_DATE.pattern.encode())
_NAMING: Final = re.compile(
    rb"name|given|family|surname|first|last|middle|maiden|alias|city|town|village|street|place", re.IGNORECASE
)
_MOST_NAMES: Final = 4
_TITLES: Final = frozenset({"miss", "mrs", "prof", "doctor", "and", "the", "von", "van", "del", "jun", "phd"})


def words(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return _WORD.findall(text.casefold())


def words_in(data: bytes) -> list[bytes]:
    """The same of a text in UTF-8, and as such. Quick where it is ASCII."""
    if data.isascii():
        return data.translate(_ASCII_WORDS).replace(b"\0", b" ").split()
    return [word.encode() for word in words(data.decode("utf-8", "replace"))]


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
    found = words_in(text.encode("utf-8", "replace"))
    if len(found) > LONGEST:
        del found[LONGEST:]
    joined = b"".join(found).decode()
    return joined if tells(joined, len(found)) else None


def known_among(texts: Sequence[bytes]) -> Iterator[bytes]:
    """What each of these, in UTF-8, is known by, if anything: the same as `known_by`, and quicker for many at once."""
    ascii_texts = [text for text in texts if text.isascii()]
    # With a space for each stretch between words, a date is still one, and a word is alone if there is no space.
    pieces = b"\0".join(ascii_texts).translate(_ASCII_WORDS).split(b"\0")
    if len(ascii_texts) < len(texts) or len(pieces) > len(texts):
        for text in texts:
            joined = known_by(text.decode("utf-8", "replace"))
            if joined is not None:
                yield joined.encode()
        return
    for piece in pieces:
        if len(piece) < LEAST or (piece[0] in _DIGIT_CODES and _DATE_BYTES.match(piece)):
            continue
        if piece.isalnum():
            if not piece.isalpha() and tells_ascii(piece, 1):
                yield piece
            continue
        found = piece.split()
        if len(found) > LONGEST:
            del found[LONGEST:]
        together = b"".join(found)
        if tells_ascii(together, len(found)):
            yield together


def _rule(digits: re.Pattern[AnyStr]) -> Callable[[AnyStr, int], bool]:
    """Of texts or of bytes: made once for each, since asking which it is would cost a fifteenth of `known_among`."""
    has_digits = digits.match

    def tells(joined: AnyStr, count: int) -> bool:
        """Whether so many words, run together, are more than what anybody may have written."""
        length = len(joined)
        if length < LEAST:
            return False
        if joined.isalpha():
            return count > 1 and length >= _LEAST_NAME
        if joined.isdigit():
            return length >= LEAST_NUMBER
        return has_digits(joined) is not None or (count > 1 and length >= 2 * _LEAST_NAME)

    return tells


tells: Final = _rule(_DIGITS)
tells_ascii: Final = _rule(_DIGITS_BYTES)


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


_Around = TypeVar("_Around", bound=Hashable)


class Names(Generic[_Around]):
    """Names that stand together, such as first and last name in one sub-document: of these, two tell a person."""

    def __init__(self) -> None:
        self._found: dict[_Around, list[str]] = {}

    def take(self, around: _Around, key: bytes, text: str) -> None:
        """What the field `key` holds in a sub-document, if it is a name. The first four of each count."""
        if text.isalpha() and is_naming(key):
            some = self._found.setdefault(around, [])
            if len(some) < _MOST_NAMES:
                some.append(text.casefold())

    def together(self) -> Iterator[tuple[_Around, tuple[str, ...]]]:
        """The names of each sub-document that has several."""
        return ((around, tuple(some)) for around, some in self._found.items() if len(some) > 1)


def pairs(names: Sequence[str]) -> Iterator[str]:
    """Two at a time, run together as somebody may write them."""
    for first in names:
        for second in names:
            if first != second and tells(first + second, 2):
                yield first + second
