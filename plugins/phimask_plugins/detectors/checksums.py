"""Check digits of identifiers. Each function says whether a number is one that was handed out with care."""

from __future__ import annotations

import hashlib
from typing import Final

_VIN_VALUES: Final = {
    one: int(value)
    for one, value in zip(
        "0123456789ABCDEFGHJKLMNPRSTUVWXYZ", "012345678912345678123457923456789", strict=True
    )
}
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANTS: Final = (1, 0x2BC830A3)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit)
        if place % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0


def npi(digits: str) -> bool:
    """45 CFR 162.406: Luhn over 80840 and the ten digits."""
    return luhn("80840" + digits)


def dea(digits: str) -> bool:
    """The seven digits of a DEA registration number: the first, third and fifth and twice the others end in the last.

    Source: DEA, Diversion Control Division, registration number format.
    """
    numbers = [int(digit) for digit in digits]
    return (sum(numbers[0:6:2]) + 2 * sum(numbers[1:6:2])) % 10 == numbers[6]


def iban(compact: str) -> bool:
    """ISO 13616-1 with ISO/IEC 7064 MOD 97-10, upper case, without spaces."""
    return int("".join(str(int(one, 36)) for one in compact[4:] + compact[:4])) % 97 == 1


def routing(digits: str) -> bool:
    """ABA routing transit number: weights 3, 7, 1. Source: ANSI X9.100-140."""
    return sum(int(digit) * weight for digit, weight in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0


def vin(number: str) -> bool:
    """49 CFR 565.15(c): the ninth character of the 17, upper case."""
    total = sum(_VIN_VALUES[one] * weight for one, weight in zip(number, _VIN_WEIGHTS, strict=True))
    return number[8] == "0123456789X"[total % 11]


def base58check(text: str) -> bool:
    """The double SHA-256 at the end of a Bitcoin address of 25 bytes."""
    number = 0
    for one in text:
        place = _BASE58.find(one)
        if place < 0:
            return False
        number = number * 58 + place
    if number >= 1 << 200:
        return False
    data = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()[:4] == data[21:]


def bech32(text: str) -> bool:
    """The polynomial code at the end of a segregated-witness address. Source: BIP 173 and BIP 350."""
    prefix, _, data = text.lower().rpartition("1")
    if not prefix or any(one not in _BECH32 for one in data):
        return False
    values = [*(ord(one) >> 5 for one in prefix), 0, *(ord(one) & 31 for one in prefix)]
    check = 1
    for value in [*values, *map(_BECH32.index, data)]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATORS):
            if top >> bit & 1:
                check ^= generator
    return check in _BECH32_CONSTANTS
