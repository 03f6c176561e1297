"""Numbers that money moves by: cards, IBANs, routing numbers, wallets."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors import checksums
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule

_NOT_DIGIT: Final = re.compile(r"\D")

_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Characters by country. Source: SWIFT, IBAN Registry."""


def _card_length(digits: str) -> bool:
    """Whether an issuer's first digits go with so many. Source: ISO/IEC 7812-1 and the issuers' own ranges."""
    length, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if digits[0] == "4":
        return length in (13, 16, 19)
    if two in (34, 37):
        return length == 15
    if 300 <= int(digits[:3]) <= 305 or two in (36, 38, 39):
        return length in (14, 16)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if 3528 <= four <= 3589:
        return length in (16, 19)
    if digits[0] == "1":
        return length == 15
    return digits[0] in "56" and 12 < length <= 19


def _card(match: re.Match[str]) -> Found | None:
    digits = _NOT_DIGIT.sub("", match[0])
    if not 12 < len(digits) <= 19 or not _card_length(digits) or not checksums.luhn(digits):
        return None
    return match.start(), match.end(), 0.9


def _iban(match: re.Match[str]) -> Found | None:
    length = _IBAN_LENGTHS.get(match[0][:2].upper())
    if length is None:
        return None
    # The next word may look like one more group: count characters up to the country's length.
    taken = 0
    end = match.start()
    for character in match[0]:
        if taken == length:
            break
        taken += character not in " -"
        end += 1
    compact = match[0][: end - match.start()].replace(" ", "").replace("-", "").upper()
    following = match.string[end : end + 1]
    if len(compact) != length or following.isalnum() or not checksums.iban(compact):
        return None
    return match.start(), end, 0.95


def _routing(match: re.Match[str]) -> Found | None:
    digits = _NOT_DIGIT.sub("", match[0])
    if not checksums.routing(digits) or not (
        int(digits[:2]) <= 12 or 21 <= int(digits[:2]) <= 32 or 61 <= int(digits[:2]) <= 72
    ):
        return None
    return match.start(), match.end(), 0.35 if len(match[0]) == len(digits) else 0.6


def _base58(match: re.Match[str]) -> Found | None:
    return (match.start(), match.end(), 0.95) if checksums.base58check(match[0]) else None


def _bech32(match: re.Match[str]) -> Found | None:
    return (match.start(), match.end(), 0.95) if checksums.bech32(match[0]) else None


class CardDetector(PatternDetector):
    """Payment card numbers of 13 to 19 digits, in groups or not, by issuer's range and check digit.

    Source: ISO/IEC 7812-1.
    """

    name: ClassVar[str] = "card"
    label: ClassVar[str] = "CARD"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w.-])[1-6]\d{3}([ -]?)(?:\d{4}\1\d{4}\1\d{1,7}|\d{6}\1\d{4,5})(?![\w-])(?!\.\d)",
            (r"\b[1-6]\d{3}[ -]?\d{4}[ -]?\d{2}", r"\b[1-6]\d{3}[ -]?\d{6}[ -]?\d{2}"),
            _card,
        ),
    )


class IbanDetector(PatternDetector):
    """International bank account numbers, by country's length and check digits.

    Source: ISO 13616-1; SWIFT, IBAN Registry.
    """

    name: ClassVar[str] = "iban"
    label: ClassVar[str] = "IBAN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}([ -]?)[A-Za-z0-9]{4}(?:\1[A-Za-z0-9]{4}){1,7}(?:\1[A-Za-z0-9]{1,3})?",
            (r"\b[A-Za-z]{2}\d{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{4}",),
            _iban,
        ),
    )


class RoutingDetector(PatternDetector):
    """Routing transit numbers of banks in the United States: nine digits with a check digit, also as 4-4-1.

    Source: American Bankers Association, routing number policy; ANSI X9.100-140.
    """

    name: ClassVar[str] = "us_routing"
    label: ClassVar[str] = "ROUTING"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w.-])(?:[0-367]\d{3}-\d{4}-\d|[0-367]\d{8})(?![\w-])(?!\.\d)",
            (r"\b[0-367]\d{3}-\d{4}-\d", r"\b[0-367]\d{8}\b"),
            _routing,
        ),
    )


class WalletDetector(PatternDetector):
    """Addresses of Bitcoin wallets, by checksum. Source: Base58Check; BIP 173 and BIP 350."""

    name: ClassVar[str] = "wallet"
    label: ClassVar[str] = "WALLET"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b", (r"\b[13][1-9A-HJ-NP-Za-km-z]{25}",), _base58),
        Rule(r"\bbc1[02-9ac-hj-np-z]{11,71}\b", (r"\bbc1[02-9ac-hj-np-z]{11}",), _bech32, re.IGNORECASE),
    )
