"""The Luhn check digit of card numbers and National Provider Identifiers."""

from __future__ import annotations

from typing import Final

_PLAIN: Final = bytes(max(code - 48, 0) % 10 for code in range(256))
_DOUBLED: Final = bytes(sum(divmod(2 * digit, 10)) for digit in _PLAIN)
NPI_PREFIX: Final = "80840"
"""What stands before an NPI when its check digit is worked out: health, United States."""


def luhn_digit(payload: str) -> int:
    """The digit that has to follow these decimal digits.

    Source: ISO/IEC 7812-1:2017, annex B. For an NPI, put `NPI_PREFIX` before its first nine digits (CMS,
    "Requirements for National Provider Identifier (NPI) and NPI Check Digit").
    """
    backwards = payload.encode("ascii")[::-1]
    total = sum(backwards[::2].translate(_DOUBLED)) + sum(backwards[1::2].translate(_PLAIN))
    return -total % 10
