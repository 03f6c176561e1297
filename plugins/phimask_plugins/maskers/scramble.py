"""scramble: other digits for digits, other letters for letters."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Any, Final

from bson.int64 import Int64

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.keyed import DIGEST_BITS, KeyedHash
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX, is_text, like

_ATTEMPTS: Final = 64
_CHUNK: Final = 1 << 16
"""Characters drawn for at a time, so that a long text does not take several times its size."""
_DIGITS: Final = "0123456789"
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = _LOWER.upper()


def _alphabet(character: str) -> str | None:
    if character.isalpha():
        return _UPPER if character.isupper() or character.istitle() else _LOWER
    return _DIGITS if character.isnumeric() else None


_ASCII: Final = {chr(code): _alphabet(chr(code)) for code in range(128)}


class Scramble(Masker):
    """Draws another digit for each digit and another letter for each letter, capital for capital: `MRN-0047 b`
    becomes `QKX-8316 v`. The same value under the same key always gives the same result.

    Punctuation, white space and symbols stay, as does the length in code points; letters and digits of other
    scripts become Latin ones. A string without a letter or digit fails. int and long keep their sign and count
    of digits. What shows is the shape of a value, which tells something: for a Social Security number little,
    for a name its length. Different values may meet.

    Source: HMAC-SHA-256 (RFC 2104) for the seed and SHAKE256 (FIPS 202) for what is drawn; the method is a keyed
    substitution, and no encryption: nothing reverses it.
    """

    name = "scramble"
    types = frozenset({"string", "int", "long"})
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """No options but those of every masker with a key."""
        super().__init__(options, key)
        self._keyed = KeyedHash(self.key)

    def mask(self, column: Column) -> list[Any]:
        """Scrambled values."""
        return [self._text(value) if type(value) is str else self._number(value) for value in column.values]

    def _text(self, text: str) -> Any:
        if not text:
            return text
        if not is_text(text) or not any(map(_alphabet, text)):
            return FAILED
        for attempt in range(_ATTEMPTS):
            result = self._drawn(text, attempt)
            if result != text:
                return result
        return FAILED

    def _drawn(self, text: str, attempt: int) -> str:
        seed = self._keyed.digest(b"text\0%d\0" % attempt + text.encode())
        pieces: list[str] = []
        for start in range(0, len(text), _CHUNK):
            part = text[start : start + _CHUNK]
            # The digest is secret, so what SHAKE256 (FIPS 202) stretches it to is as good as drawn at random.
            stream = hashlib.shake_256(seed + b"%d" % start).digest(4 * len(part))
            numbers = struct.unpack(f"<{len(part)}I", stream)
            alphabets = [_ASCII[one] if one in _ASCII else _alphabet(one) for one in part]
            drawn = [
                one if alphabet is None else alphabet[number % len(alphabet)]
                for one, alphabet, number in zip(part, alphabets, numbers, strict=True)
            ]
            pieces.append("".join(drawn))
        return "".join(pieces)

    def _number(self, value: Any) -> Any:
        if type(value) is not int and type(value) is not Int64:
            return FAILED
        size = abs(value)
        digits = len(str(size))
        lowest = 10 ** (digits - 1) if digits > 1 or value < 0 else 0
        highest = min(10**digits - 1, INT64_MAX if type(value) is Int64 else INT32_MAX)
        size = min(size, highest)  # the lowest number has no positive counterpart
        draws = self._keyed.draws("number", str(int(value)), bits=DIGEST_BITS)
        drawn = lowest + draws.below(highest - lowest)
        drawn += drawn >= size
        result = like(value, -drawn if value < 0 else drawn)
        return FAILED if result is None or result == value else result
