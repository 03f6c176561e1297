"""Identifiers with a rule that software checks: registrations, vehicles, cards, bank accounts.

A fake breaks the rule, so that nobody has it and nothing takes it for real; or, with `valid`, keeps it, for systems
that refuse anything else: then somebody may have it by chance, cards excepted. A value in an unforeseen form gets a
fake in the usual one, so that nothing of it stays.
"""

from __future__ import annotations

import re
import string
from typing import Final

from phimask_plugins.maskers.faking.drawing import PLAIN, Manner, draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash

_TEN_DIGITS: Final = re.compile(r"[0-9]{10}")
_CARD: Final = re.compile(r"(?:[0-9][ -]?){11,18}[0-9]")
_IBAN: Final = re.compile(r"([A-Z]{2})[0-9]{2}(?: ?[A-Z0-9]){11,30}", re.IGNORECASE)
_DEA: Final = re.compile(r"[A-Z][A-Z9][0-9]{7}", re.IGNORECASE)
_MBI: Final = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{3}-[0-9A-Z]{4}", re.IGNORECASE)
_DIGIT: Final = re.compile(r"[0-9]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9]")

_CARD_FRONT: Final = "9999"
"""9 stands before a country's number (ISO/IEC 7812-1), and no country has 999 (ISO 3166-1)."""
_DEA_REGISTRANTS: Final = "ABFGM"
_MBI_LETTERS: Final = "ACDEFGHJKMNPQRTUVWXY"
_MBI_NEVER: Final = "SLOIBZ"
_VIN_ALPHABET: Final = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VIN_VALUES: Final = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", map(int, "123456781234579234567890123456789"), strict=True)
)
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_CHECKS: Final = "0123456789X"
_IBAN_USUAL: Final = "GB00 AAAA 0000 0000 0000 00"


def npi(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A National Provider Identifier of ten digits.

    Source: 45 CFR 162.406 and CMS, "Requirements for National Provider Identifier and NPI Check Digit": the
    Luhn algorithm over 80840 and the number.
    """

    def build(draws: Draws) -> str:
        body = f"1{draws.below(10**8):08}"
        return body + _check(draws, string.digits, str(luhn_check_digit(f"80840{body}")), manner)

    return draw_other(keyed, "npi", text, build, same=text if _TEN_DIGITS.fullmatch(text) else None)


def dea(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A registration number of the Drug Enforcement Administration: two letters, six digits, a check digit.

    Source: none from the DEA, which gives out the numbers but not their rule; pharmacies check them by it.
    """

    def build(draws: Draws) -> str:
        front = draws.pick(_DEA_REGISTRANTS) + draws.pick(string.ascii_uppercase)
        digits = f"{draws.below(10**6):06}"
        return front + digits + _check(draws, string.digits, dea_check_digit(digits), manner)

    return draw_other(keyed, "dea", text, build, same=text.upper() if _DEA.fullmatch(text) else None)


def mbi(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A Medicare Beneficiary Identifier, with dashes if `text` has them.

    It has no check digit: what breaks the rule is a letter in the second place that none may have there.
    Source: CMS, "Understanding the Medicare Beneficiary Identifier (MBI) Format".
    """
    dashed = _MBI.fullmatch(text) is not None
    same = text.upper().replace("-", "") if dashed or re.fullmatch("[0-9A-Za-z]{11}", text) else None

    def build(draws: Draws) -> str:
        either = _MBI_LETTERS + string.digits
        second = draws.pick(_MBI_LETTERS if manner.valid else _MBI_NEVER)
        fake = f"{draws.below(9) + 1}{second}{draws.pick(either)}{draws.below(10)}"
        fake += f"{draws.pick(_MBI_LETTERS)}{draws.pick(either)}{draws.below(10)}"
        fake += f"{draws.text(2, _MBI_LETTERS)}{draws.below(100):02}"
        return f"{fake[:4]}-{fake[4:7]}-{fake[7:]}" if dashed else fake

    return draw_other(keyed, "mbi", text, build, same=same)


def vin(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A vehicle identification number of seventeen characters. Source: 49 CFR 565.15(c)."""

    def build(draws: Draws) -> str:
        front, back = draws.text(8, _VIN_ALPHABET), draws.text(8, _VIN_ALPHABET)
        return front + _check(draws, _VIN_CHECKS, vin_check_digit(f"{front}0{back}"), manner) + back

    return draw_other(keyed, "vin", text, build)


def credit_card(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A card number of an issuer that there cannot be (9999), written as `text` is, in 16 digits if that is unclear.

    Source: ISO/IEC 7812-1, whose annex B is the Luhn algorithm.
    """
    form = text if _CARD.fullmatch(text) else "0" * 16
    same = "".join(_DIGIT.findall(text)) if form is text else None
    length = len(_DIGIT.findall(form)) - len(_CARD_FRONT) - 1

    def build(draws: Draws) -> str:
        body = f"{_CARD_FRONT}{draws.below(10**length):0{length}}"
        return _written(
            _DIGIT, form, body + _check(draws, string.digits, str(luhn_check_digit(body)), manner)
        )

    return draw_other(keyed, "credit_card", text, build, same=same)


def iban(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """An international bank account number of the same country and length, written as `text` is.

    Source: ISO 13616-1; its check digits are those of ISO/IEC 7064, MOD 97-10.
    """
    match = _IBAN.fullmatch(text)
    form = text if match is not None else _IBAN_USUAL
    same = text.upper().replace(" ", "") if match is not None else None
    shape = "".join(_PLAIN.findall(form)).upper()

    def build(draws: Draws) -> str:
        account = "".join(
            draws.pick(string.digits if character.isdigit() else string.ascii_uppercase)
            for character in shape[4:]
        )
        right = iban_check_digits(shape[:2], account)
        # 02 to 98 are the ones there are: a wrong one is another of these.
        wrong = f"{(int(right) - 2 + 1 + draws.below(96)) % 97 + 2:02}"
        return _written(_PLAIN, form, shape[:2] + (right if manner.valid else wrong) + account)

    return draw_other(keyed, "iban", text, build, same=same, bits=512)


def luhn_check_digit(digits: str) -> int:
    """The digit that completes `digits` under the Luhn algorithm (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10


def dea_check_digit(digits: str) -> str:
    """The seventh digit of a DEA number: the last one of the odd places' sum and twice that of the even ones."""
    return str((sum(map(int, digits[::2])) + 2 * sum(map(int, digits[1::2]))) % 10)


def vin_check_digit(number: str) -> str:
    """The ninth character of a VIN of seventeen, whatever stands there (49 CFR 565.15(c))."""
    total = sum(
        _VIN_VALUES[character] * weight for character, weight in zip(number, _VIN_WEIGHTS, strict=True)
    )
    return _VIN_CHECKS[total % 11]


def iban_check_digits(country: str, account: str) -> str:
    """The two digits behind the country's letters (ISO/IEC 7064, MOD 97-10)."""
    number = "".join(str(int(character, 36)) for character in f"{account}{country}00")
    return f"{98 - int(number) % 97:02}"


def _check(draws: Draws, alphabet: str, right: str, manner: Manner) -> str:
    """The right check digit, or another one."""
    other = 1 + draws.below(len(alphabet) - 1)
    return right if manner.valid else alphabet[(alphabet.index(right) + other) % len(alphabet)]


def _written(places: re.Pattern[str], form: str, characters: str) -> str:
    """`characters` one by one in the places of `form`."""
    following = iter(characters)
    return places.sub(lambda _: next(following), form)
