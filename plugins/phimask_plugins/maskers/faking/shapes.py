"""Identifiers without a rule of their own: digit for digit, letter for letter, everything else where it was."""

from __future__ import annotations

import re
import string
import unicodedata
from typing import Final

from phimask_plugins.maskers.faking.drawing import draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX

_INTEGER: Final = re.compile(r"(-?)([1-9][0-9]*)")
_LONGEST: Final = 256
"""Characters; what is longer is no identifier."""
_SPARE_BITS: Final = 64
_BITS_A_CHARACTER: Final = 5
_KEPT: Final = frozenset(string.punctuation + " ")


def reshaped(keyed: KeyedHash, label: str, text: str) -> str | None:
    """`text` with other digits and letters. None if it has neither, or is too long for an identifier.

    Upper case stays upper case, punctuation and spaces stay; what is no ASCII becomes a letter or digit that is.
    A number keeps its count of digits, and stays within int32 or int64 if it was, whether it is kept as
    a number or as a string. Not a permutation: two short identifiers may well get the same fake.
    """
    if len(text) > _LONGEST:
        return None
    text = unicodedata.normalize("NFC", text)
    if all(character in _KEPT for character in text):
        return None
    bits = _SPARE_BITS + _BITS_A_CHARACTER * len(text)
    number = _INTEGER.fullmatch(text)
    if number is None:
        return draw_other(keyed, label, text, lambda draws: _characters(draws, text), bits=bits)
    sign, digits = number.groups()
    lowest, highest = 10 ** (len(digits) - 1), _highest(digits)
    return draw_other(
        keyed, label, text, lambda draws: f"{sign}{lowest + draws.below(highest - lowest + 1)}", bits=bits
    )


def mrn(keyed: KeyedHash, text: str) -> str | None:
    """A medical record number of the same shape."""
    return reshaped(keyed, "mrn", text)


def account(keyed: KeyedHash, text: str) -> str | None:
    """An account, policy or member number of the same shape."""
    return reshaped(keyed, "account", text)


def postcode(keyed: KeyedHash, text: str) -> str | None:
    """A postal code of the same shape, in use or not."""
    return reshaped(keyed, "postcode", text)


def _highest(digits: str) -> int:
    value = int(digits)
    for bound in (INT32_MAX, INT64_MAX):
        # One more than the bound is its negative counterpart, which is just as wide.
        if len(digits) == len(str(bound)) and value <= bound + 1:
            return bound
    return int(10 ** len(digits)) - 1


def _characters(draws: Draws, text: str) -> str:
    return "".join([character if character in _KEPT else _other(draws, character) for character in text])


def _other(draws: Draws, character: str) -> str:
    if character.isdigit():
        return draws.pick(string.digits)
    return draws.pick(string.ascii_uppercase if character.isupper() else string.ascii_lowercase)
