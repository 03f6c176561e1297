"""Identifiers without a rule of their own: digit for digit, letter for letter, everything else where it was."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from typing import Final

from phimask_plugins.maskers.faking.drawing import PLAIN, Manner, draw_other
from phimask_plugins.maskers.faking.permutation import moved
from phimask_plugins.maskers.keyed import Draws, KeyedHash
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX

_INTEGER: Final = re.compile(r"(-?)([1-9][0-9]*)")
_NO_INTEGER: Final = re.compile(r"(-0|0(?=[0-9]))([0-9]*)")
_LONGEST: Final = 256
"""Characters; what is longer is no identifier."""
_SPARE_BITS: Final = 64
_BITS_A_CHARACTER: Final = 5
_KEPT: Final = frozenset(string.punctuation + " ")
_ALPHABETS: Final = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
_ALPHABET_OF: Final = {character: alphabet for alphabet in _ALPHABETS for character in alphabet}


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
    lowest, highest = _range(number[2], negative=bool(number[1]), drawn=True)
    return draw_other(
        keyed,
        label,
        text,
        lambda draws: f"{number[1]}{lowest + draws.below(highest - lowest + 1)}",
        bits=bits,
    )


def permuted(keyed: KeyedHash, label: str, text: str) -> str | None:
    """As `reshaped`, but no two texts ever get the same fake, upper and lower case and white space told apart.

    None for what a permutation cannot tell apart: other letters and digits than ASCII's, control characters.
    """
    if len(text) > _LONGEST:
        return None
    number = _INTEGER.fullmatch(text)
    if number is not None or text == "0":
        return _permuted_number(keyed, label, *(number.groups() if number is not None else ("", text)))
    # A string of digits that begins with 0 is no number: with the 0 kept, it stays apart from those that are.
    zero = _NO_INTEGER.fullmatch(text)
    front, rest = zero.groups() if zero is not None else ("", text)
    alphabets = [_ALPHABET_OF.get(character) for character in rest]
    if not all(alphabet or character in _KEPT for alphabet, character in zip(alphabets, rest, strict=True)):
        return None
    place, bound = 0, 1
    for character, alphabet in zip(rest, alphabets, strict=True):
        if alphabet is not None:
            place = place * len(alphabet) + alphabet.index(character)
            bound *= len(alphabet)
    shape = front + "".join(
        alphabet[0] if alphabet else character for alphabet, character in zip(alphabets, rest, strict=True)
    )
    other = moved(keyed, f"{label}/{shape}", place, bound)
    if other is None:
        return None
    fake = []
    for character, alphabet in zip(reversed(rest), reversed(alphabets), strict=True):
        if alphabet is not None:
            other, index = divmod(other, len(alphabet))
            character = alphabet[index]  # noqa: PLW2901  (what is kept needs no other name)
        fake.append(character)
    return front + "".join(reversed(fake))


def shaped(label: str) -> Callable[[KeyedHash, str, Manner], str | None]:
    """What makes the fakes of a kind of identifiers that has no rule, drawn under this label."""

    def make(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
        return (permuted if manner.unique else reshaped)(keyed, label, text)

    return make


def _permuted_number(keyed: KeyedHash, label: str, sign: str, digits: str) -> str | None:
    lowest, highest = _range(digits, negative=bool(sign), drawn=False)
    place = moved(keyed, f"{label}/{sign}{lowest}-{highest}", int(digits) - lowest, highest - lowest + 1)
    return None if place is None else f"{sign}{lowest + place}"


def _range(digits: str, *, negative: bool, drawn: bool) -> tuple[int, int]:
    """The numbers of as many digits, within int32 or int64 if this one is.

    `drawn`: for draws rather than for permutations, where the one number that only a negative int can hold counts
    as the others do, and a lone digit may become no 0. For permutations the ranges do not overlap.
    """
    value, lowest = int(digits), 10 ** (len(digits) - 1)
    if not drawn and len(digits) == 1 and not negative:
        return 0, 9
    for bound in (INT32_MAX, INT64_MAX):
        if len(digits) == len(str(bound)):
            if drawn:
                return lowest, bound if value <= bound + 1 else 10 ** len(digits) - 1
            last = bound + 1 if negative else bound
            return (lowest, last) if value <= last else (last + 1, 10 ** len(digits) - 1)
    return lowest, int(10 ** len(digits)) - 1


def _characters(draws: Draws, text: str) -> str:
    return "".join([character if character in _KEPT else _other(draws, character) for character in text])


def _other(draws: Draws, character: str) -> str:
    if character.isdigit():
        return draws.pick(string.digits)
    return draws.pick(string.ascii_uppercase if character.isupper() else string.ascii_lowercase)
