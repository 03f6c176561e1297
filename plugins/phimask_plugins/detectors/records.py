"""Numbers that only the words before them tell apart: of records, plans, accounts, licences, plates, devices."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Judge, Rule, sure

_LINK: Final = (
    r"(?:[ \t]{0,2}(?:[:#=(\[-]|\b(?:numbers?|num|nos?|nr|ids?|identifier|card|code|is|was|of|"
    r"ending|in|under)\b\.?)){0,5}[ \t]{0,2}"
)
"""What may stand between the word and the number."""
_NUMBER: Final = (
    r"(?P<token>(?-i:[A-Z]{1,3} (?=\d))?(?=[A-Za-z-]{0,12}\d)[A-Za-z0-9]{1,24}(?:[-.][A-Za-z0-9]{1,24}){0,4}"
    r"(?:(?<=\d) \d{2,4}){0,3})"
    r"(?![\w@]|[./]\d)"
)
_GOES_ON: Final = (
    r"\.?[ \t:#=(\[-]{0,17}(?:numbers?\b|num\b|nos?\b|nr\b|ids?\b|identifier|card\b|code\b|is\b|was\b|of\b|ending|"
    r"in\b|under\b|[A-Za-z-]{0,12}\d|[A-Za-z]{1,3} \d)"
)
"""How the word must go on, told without looking ahead."""
_DIGIT: Final = re.compile(r"\d")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_UNIT: Final = re.compile(
    r" ?(?:mg|ml|mcg|g|kg|lbs?|cm|mm|%|years?|yrs?|days?|weeks?|months?|hours?|am|pm|mm ?hg|bpm)\b",
    re.IGNORECASE,
)
_NO_UNIT: Final = ",.;)\n"
"""What mostly follows a number, and begins no unit; nothing is in it too."""
_YEAR_DIGITS: Final = 4
_NO_IDENTIFIER: Final = frozenset(
    {
        "NCT",
        "PMID",
        "PMC",
        "ICD",
        "CPT",
        "ISBN",
        "ISSN",
        "DOI",
        "SNOMED",
        "LOINC",
        "RRID",
        "ISRCTN",
        "COVID",
        "SARS",
    }
)
"""What is published, and what classifies."""


def _counted(least: int, confidence: float) -> Judge:
    """Believes tokens with so many digits at least that are no year and no amount."""

    def judge(match: re.Match[str]) -> Found | None:
        token, text, end = match["token"], match.string, match.end()
        digits = len(token) if token.isdecimal() else len(_DIGIT.findall(token))
        if (
            digits < least
            or (len(token) == _YEAR_DIGITS and _YEAR.fullmatch(token))
            or (text[end : end + 1] not in _NO_UNIT and _UNIT.match(text, end))
        ):
            return None
        start = match.start("token")
        return start - (text[start - 1] == "#"), match.end("token"), confidence

    return judge


def _after(words: str, least: int, confidence: float, *, stem: str = "") -> Rule:
    """A rule for numbers of `least` digits or more after one of the words, or one that begins with `stem`."""
    # Of a word without a known end the scanner is not to follow what comes after: that takes it ten times as long.
    rest, stems = (rf"|{stem}\w*", (rf"\b{stem}",)) if stem else ("", ())
    return Rule(
        rf"\b(?:{words}{rest})\.?{_LINK}{_NUMBER}",
        (rf"\b(?:{words}){_GOES_ON}", *stems),
        _counted(least, confidence),
        re.IGNORECASE,
    )


def _coded(match: re.Match[str]) -> Found | None:
    if match["letters"].upper() in _NO_IDENTIFIER:
        return None
    return match.start(), match.end(), 0.55


class MedicalRecordDetector(PatternDetector):
    """Medical record, chart, patient and encounter numbers after the words for them.

    Source: 45 CFR 164.514(b)(2)(i)(H).
    """

    name: ClassVar[str] = "medical_record"
    label: ClassVar[str] = "MRN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        _after(r"mrns?\b|mr ?#|mr no|med(?:ical)?\.? rec(?:ord)?s?\b|emr\b|ehr\b|csn\b|mpi\b", 3, 0.95),
        _after(
            r"(?:chart|record|patient|pt|hospital|unit|encounter|visit|admission|case|file)'?s? ?(?:#|"
            r"id\b|number|no\b|num\b|identifier)",
            3,
            0.9,
        ),
    )


class HealthPlanDetector(PatternDetector):
    """Numbers of health plans, policies, members and subscribers after the words for them.

    Source: 45 CFR 164.514(b)(2)(i)(I).
    """

    name: ClassVar[str] = "health_plan"
    label: ClassVar[str] = "HEALTH_PLAN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        _after(
            r"insurance\b|ins\b|policy(?:holder)?\b|member(?:ship)?\b|subscriber\b|beneficiary\b|group\b|"
            r"(?:health )?plan\b|hmo\b|ppo\b|"
            r"medicare\b|medicaid\b|payer\b|coverage\b|hicn\b|hpbn?\b|tricare\b|blue cross\b|aetna\b|"
            r"cigna\b|humana\b",
            4,
            0.9,
        ),
    )


class AccountDetector(PatternDetector):
    """Numbers of accounts, invoices and claims after the words for them.

    Source: 45 CFR 164.514(b)(2)(i)(J).
    """

    name: ClassVar[str] = "account"
    label: ClassVar[str] = "ACCOUNT"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        _after(
            r"acc(?:oun)?ts?\b|acct ?#|a/c\b|invoice\b|billing\b|claim\b|guarantor\b|bank(?: account)?\b",
            4,
            0.9,
        ),
    )


class LicenceDetector(PatternDetector):
    """Numbers of driving and other licences and certificates after the words for them.

    Source: 45 CFR 164.514(b)(2)(i)(K).
    """

    name: ClassVar[str] = "licence"
    label: ClassVar[str] = "LICENSE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        _after(
            r"licen[cs]es?\b|lic\b|dl ?#|d\.?l\.? no|certificates?\b|cert\b|registration\b|permit\b|dea\b",
            4,
            0.9,
            stem="driver'?s? lic",
        ),
    )


class PassportDetector(PatternDetector):
    """Passport numbers after the words for them: up to two letters, and six to nine digits.

    Source: U.S. Department of State, passport number formats; ICAO Doc 9303, part 4.
    """

    name: ClassVar[str] = "passport"
    label: ClassVar[str] = "PASSPORT"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (_after(r"passports?\b|travel document\b", 6, 0.9),)


class PlateDetector(PatternDetector):
    """Licence plates of vehicles after the words for them.

    Source: 45 CFR 164.514(b)(2)(i)(L).
    """

    name: ClassVar[str] = "plate"
    label: ClassVar[str] = "PLATE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"\b(?:(?:licen[cs]e|number|registration|vehicle) )?(?:plates?|tag)\b{_LINK}"
            r"(?P<token>(?=[A-Z -]{0,8}\d)[A-Z0-9]{1,8}(?:[ -][A-Z0-9]{1,6})?)(?![\w-])",
            (r"\b(?:(?:licen[cs]e|number|registration|vehicle) (?:plates?|tag)|plates?|tag)\b",),
            _counted(2, 0.85),
        ),
    )


class DeviceDetector(PatternDetector):
    """Serial numbers of devices and implants after the words for them.

    Source: 45 CFR 164.514(b)(2)(i)(M).
    """

    name: ClassVar[str] = "device"
    label: ClassVar[str] = "DEVICE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        _after(r"serial\b|s/n\b|sn ?#|device\b|imei\b|udi\b|implant\b|lot ?#", 4, 0.85),
        Rule(
            r"\b[Ll]ot (?:no\.? |number )?(?P<token>[A-Z]{1,3}\d{3,7}[A-Z]{0,2})\b",
            (r"\b[Ll]ot (?:no\.? |number )?[A-Z]{1,3}\d{3}",),
            sure(0.6, "token"),
        ),
    )


class IdentifierDetector(PatternDetector):
    """Any other unique number: after `ID`, `reference`, `case` and the like; after a number sign; letters, a hyphen
    and five digits or more.

    Source: 45 CFR 164.514(b)(2)(i)(R).
    """

    name: ClassVar[str] = "identifier"
    label: ClassVar[str] = "ID"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        _after(
            r"ids?\b|identifier\b|ref(?:erence)?\b|case ?#|accession\b|specimen\b|confirmation\b|badge\b|"
            r"employee\b|student\b|rx ?#|rx\b|"
            r"prescription\b|study id\b|ticket\b|order ?#|tax\b|tin\b|ein\b|fin\b",
            4,
            0.8,
        ),
        Rule(
            r"(?<![\w#&])#[A-Za-z]{0,6}-?\d{5,12}(?![\w-])",
            (r"#[A-Za-z]{0,6}-?\d{5}",),
            lambda match: (*match.span(), 0.7),
        ),
        Rule(
            r"(?<![\w-])(?P<letters>[A-Z]{1,6})-\d{5,12}(?![\w-])",
            (r"\b[A-Z]{1,6}-\d{5}",),
            _coded,
        ),
        Rule(
            r"(?<![\w-])(?P<letters>[A-Z]{1,3})\d{2}-\d{4,7}(?![\w-])",
            (r"\b[A-Z]{1,3}\d{2}-\d{4}",),
            _coded,
        ),
        Rule(r"(?<![\w-])(?P<letters>[A-Z]{1,4})\d{6,12}(?![\w-])", (r"\b[A-Z]{1,4}\d{6}",), _coded),
    )
