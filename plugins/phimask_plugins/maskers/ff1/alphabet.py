"""Alphabets: texts as numbers in the alphabet's radix, and back."""

from __future__ import annotations

import string
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ALPHABETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "digits": string.digits,
        "lower": string.ascii_lowercase,
        "upper": string.ascii_uppercase,
        "letters": string.ascii_letters,
        "alphanumeric": string.digits + string.ascii_letters,
        "hex": string.digits + "abcdef",
    }
)
"""Those with a name."""

_PYTHON_DIGITS: Final = string.digits + string.ascii_lowercase
"""The digits that `int(text, base)` knows."""


class Alphabet:
    """The characters that are numerals, in order.

    Raises ValueError unless they are 2 to 65,536 distinct characters that UTF-8 can spell.
    """

    __slots__ = ("_digits", "_values", "characters", "radix")

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.radix = len(characters)
        self._values = {character: value for value, character in enumerate(characters)}
        if not 2 <= self.radix <= 2**16 or len(self._values) != self.radix:
            raise ValueError(
                f"`alphabet` is neither {', '.join(ALPHABETS)} nor 2 to 65,536 characters, each of them once"
            )
        if any("\ud800" <= character <= "\udfff" for character in characters):
            raise ValueError("`alphabet` holds a lone surrogate, which BSON cannot; leave it out")
        self._digits = (
            str.maketrans(dict(zip(characters, _PYTHON_DIGITS, strict=False)))
            if self.radix <= len(_PYTHON_DIGITS)
            else None
        )

    @property
    def decimal(self) -> bool:
        """Whether these are the ten digits in their order."""
        return self.characters == string.digits

    def number(self, text: str) -> int:
        """The number whose numerals are these characters, all of the alphabet."""
        if self.decimal:
            return int(text)
        if self._digits is not None:
            return int(text.translate(self._digits), self.radix)
        number = 0
        for character in text:
            number = number * self.radix + self._values[character]
        return number

    def text(self, number: int, length: int) -> str:
        """`number` in `length` characters."""
        if self.decimal:
            return str(number).zfill(length)
        numerals: list[str] = []
        for _ in range(length):
            number, value = divmod(number, self.radix)
            numerals.append(self.characters[value])
        return "".join(reversed(numerals))
