"""Numbers that are handed out under a rule: to clinicians, beneficiaries, vehicles."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors import checksums
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule

_NOT_DIGIT: Final = re.compile(r"\D")
_MBI_LETTER: Final = "[AC-HJKMNP-RT-Yac-hjkmnp-rt-y]"
_MBI_EITHER: Final = "[0-9AC-HJKMNP-RT-Yac-hjkmnp-rt-y]"
_NPI_NAMED: Final = re.compile(r"(?:npi|provider (?:id|identifier|number))[ :#]{0,4}\Z", re.IGNORECASE)


def _npi(match: re.Match[str]) -> Found | None:
    digits = _NOT_DIGIT.sub("", match[0])
    if len(set(digits)) <= 2 or not checksums.npi(digits):
        return None
    named = _NPI_NAMED.search(match.string, max(0, match.start() - 24), match.start())
    return match.start(), match.end(), 0.95 if named else 0.6


def _dea(match: re.Match[str]) -> Found | None:
    return (match.start(), match.end(), 0.9) if checksums.dea(match["digits"]) else None


def _mbi(match: re.Match[str]) -> Found | None:
    return match.start(), match.end(), 0.9 if "-" in match[0] else 0.75


def _vin(match: re.Match[str]) -> Found | None:
    number = match[0].upper()
    if number.isdecimal() or number.isalpha() or not checksums.vin(number):
        return None
    return match.start(), match.end(), 0.9


class NpiDetector(PatternDetector):
    """National provider identifiers: ten digits that begin with 1 or 2, with their check digit.

    Source: 45 CFR 162.406.
    """

    name: ClassVar[str] = "npi"
    label: ClassVar[str] = "NPI"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w.-])[12]\d{3}([ -]?)\d{3}\1\d{3}(?![\w-])(?!\.\d)",
            (r"\b[12]\d{3}[ -]?\d{3}[ -]?\d{3}\b",),
            _npi,
        ),
    )


class DeaDetector(PatternDetector):
    """Registration numbers of the Drug Enforcement Administration: two letters, or one and a 9, and seven digits
    with their check digit.

    Source: DEA, Diversion Control Division, registration number format.
    """

    name: ClassVar[str] = "dea"
    label: ClassVar[str] = "DEA"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"\b[A-HJ-MPRSTUX][A-Z9](?P<digits>\d{7})\b",
            (r"\b[A-HJ-MPRSTUX][A-Z9]\d{7}\b",),
            _dea,
            re.IGNORECASE,
        ),
    )


class MbiDetector(PatternDetector):
    """Medicare beneficiary identifiers: eleven characters, which of them letters is fixed, hyphens after the fourth
    and the seventh or none.

    Source: CMS, "Understanding the Medicare Beneficiary Identifier (MBI) Format".
    """

    name: ClassVar[str] = "mbi"
    label: ClassVar[str] = "MBI"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"(?<![\w-])[1-9]{_MBI_LETTER}{_MBI_EITHER}\d(-?){_MBI_LETTER}{_MBI_EITHER}\d\1{_MBI_LETTER}{{2}}\d\d(?![\w-])",
            (rf"\b[1-9]{_MBI_LETTER}{_MBI_EITHER}\d-?{_MBI_LETTER}{_MBI_EITHER}\d-?{_MBI_LETTER}",),
            _mbi,
        ),
    )


class VinDetector(PatternDetector):
    """Vehicle identification numbers: 17 letters and digits with the check digit in the middle.

    Source: 49 CFR 565.15; ISO 3779.
    """

    name: ClassVar[str] = "vin"
    label: ClassVar[str] = "VIN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b",
            (r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b",),
            _vin,
            re.IGNORECASE,
        ),
    )
