"""Dates in the forms that clinicians write, and ages over 89."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, sure

_MONTH: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_MONTHS: Final = rf"\b(?:{_MONTH})\b"
_DAY: Final = (
    r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?:\s?-\s?(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?)?(?![\d/])"
)
_YEAR: Final = r"(?:(?:18|19|20)\d\d|'\d\d)(?!\d)"
_SHORT_YEAR: Final = r"(?:(?:18|19|20)\d\d|'?\d\d)(?![\d/:])"
_WORDS: Final = frozenset(
    {"may", "march", "mar", "dec", "sep", "oct", "jan", "apr", "jun", "jul", "nov", "feb", "aug"}
)
"""What in lower case is a word or an abbreviation as well."""
_UNIT: Final = re.compile(
    r"[- ]?(?:mg|ml|mcg|g|kg|lbs?|cm|mm|%|x|times|years?|yrs?|days?|weeks?|months?|hours?|hrs?|min|tab|"
    r"caps?|doses?|puffs?|units?|of)\b",
    re.IGNORECASE,
)
_DATING: Final = re.compile(
    r"\b(?:on|before|by|since|seen|until|till|from|after|next|last|appt|due|through|dob|born|dated|of) \Z",
    re.IGNORECASE,
)
_TIME: Final = (
    r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm]\b)?(?:Z\b|"
    r"[+-]\d\d:?\d\d)?)?"
)
_BEFORE: Final = (
    "on|since|dated?|from|until|till|through|thru|between|by|dos|dob|born|seen|visit(?:ed)?|due|lmp|edd|"
    "admitted|admit|"
    "discharged?|d/c|scheduled|follow-?up|appt|appointment|expired|died|surgery|effective|start(?:ed)?|as of|of"
)


def _is_dated(match: re.Match[str]) -> bool:
    """Whether the word before it makes a date of a word and a number."""
    return _DATING.search(match.string, max(0, match.start() - 12), match.start()) is not None


def _month_first(match: re.Match[str]) -> Found | None:
    month, year = match["month"], match["year"]
    if year is None and (
        (month in _WORDS and not match["ordinal"] and not _is_dated(match))
        or _UNIT.match(match.string, match.end())
    ):
        return None
    return match.start(), match.end(), 0.85 if year or match["ordinal"] else 0.65


def _day_first(match: re.Match[str]) -> Found | None:
    month = match["month"]
    if match["year"] is None and month.islower() and not match["ordinal"]:
        return None
    return match.start(), match.end(), 0.85 if match["year"] or match["ordinal"] else 0.65


def _month_year(match: re.Match[str]) -> Found | None:
    return None if match["month"] in ("may", "mar", "dec", "sep") else (match.start(), match.end(), 0.75)


def _is_day(one: str, other: str) -> bool:
    first, second = int(one), int(other)
    return 0 < first <= 31 and 0 < second <= 31 and (first <= 12 or second <= 12)


def _numeric(match: re.Match[str]) -> Found | None:
    if not _is_day(match["one"], match["other"]):
        return None
    certain = len(match["year"]) == 4 or match["sep"] == "/"
    if not certain and _UNIT.match(match.string, match.end()):
        return None
    return match.start(), match.end(), 0.9 if certain else 0.6


def _year_first(match: re.Match[str]) -> Found | None:
    if not 0 < int(match["one"]) <= 12 or not 0 < int(match["other"]) <= 31:
        return None
    return match.start(), match.end(), 0.9


def _compact(match: re.Match[str]) -> Found | None:
    if not 0 < int(match["one"]) <= 12 or not 0 < int(match["other"]) <= 31:
        return None
    return match.start(), match.end(), 0.35


def _short(match: re.Match[str]) -> Found | None:
    return (match.start("date"), match.end("date"), 0.6) if _is_day(match["one"], match["other"]) else None


class DateDetector(PatternDetector):
    """Dates to the month or the day: numbers in American, ISO and European order, months by name or short form, with
    or without a year; a day and a month in numbers alone only after a word such as `on` (0.6; else 0.3). A year alone
    is none.

    Source: 45 CFR 164.514(b)(2)(i)(C), all elements of dates except year; ISO 8601-1.
    """

    name: ClassVar[str] = "date"
    label: ClassVar[str] = "DATE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"(?<!\d[.-])\b(?P<month>{_MONTH})\b\.?[ -]{{0,2}}(?:the )?"
            rf"(?=(?P<ordinal>\d{{1,2}}(?:st|nd|rd|th))?){_DAY}"
            rf"(?:,? {{0,2}}(?:of |in )?(?P<year>{_YEAR})|[-/](?P<short>{_SHORT_YEAR}))?",
            (_MONTHS,),
            _month_first,
            re.IGNORECASE,
        ),
        Rule(
            rf"(?<![\w/.-])(?=(?P<ordinal>\d{{1,2}}(?:st|nd|rd|th))?)(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|"
            rf"th)?(?: of)?[ .-]{{1,2}}"
            rf"(?P<month>{_MONTH})\b\.?(?:[ ,.-]{{1,2}}(?P<year>{_SHORT_YEAR}))?",
            (
                r"\b\d{1,2}(?:st|nd|rd|th)?(?: of)?[ .-]{1,2}(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|"
                r"nov|dec)",
            ),
            _day_first,
            re.IGNORECASE,
        ),
        Rule(
            rf"\b(?P<month>{_MONTH})\b\.?[ ,-]{{1,2}}(?:of )?{_YEAR}",
            (_MONTHS,),
            _month_year,
            re.IGNORECASE,
        ),
        Rule(
            rf"(?<![\w/.-])(?P<one>\d{{1,2}})(?P<sep>[/.-])(?P<other>\d{{1,2}})(?P=sep)(?P<year>(?:18|19|"
            rf"20)\d\d|\d\d){_TIME}"
            r"(?![\w/-])(?!\.\d)",
            (r"\b\d{1,2}[/.-]\d{1,2}[/.-]\d\d",),
            _numeric,
        ),
        Rule(
            rf"(?<![\w/.-])(?:18|19|"
            rf"20)\d\d(?P<sep>[/.-])(?P<one>\d{{1,2}})(?P=sep)(?P<other>\d{{1,2}}){_TIME}(?![\w/-])(?!\.\d)",
            (r"\b(?:18|19|20)\d\d[/.-]\d{1,2}[/.-]\d",),
            _year_first,
        ),
        Rule(
            r"(?<![\w/.-])(?:19|"
            r"20)\d\d(?P<one>\d\d)(?P<other>\d\d)(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?(?![\w/-])(?!\.\d)",
            (r"\b(?:19|20)\d\d[01]\d[0-3]\d",),
            _compact,
        ),
        Rule(
            rf"\b(?:{_BEFORE})\b:? {{0,2}}(?P<date>(?P<one>\d{{1,2}})[/-](?P<other>\d{{1,2}}))(?![\w/-]|[.]\d)",
            (rf"\b(?:{_BEFORE})\b:? {{0,2}}\d{{1,2}}[/-]\d{{1,2}}(?:[^\w/-]|$)",),
            _short,
            re.IGNORECASE,
        ),
        Rule(
            r"(?<![\w/.-])(?P<date>(?P<one>\d{1,2})/(?P<other>\d{1,2}))(?= (?:at )?\d{1,2}(?::\d\d| ?[ap]m)\b)",
            (r"\b\d{1,2}/\d{1,2} (?:at )?\d{1,2}(?::\d| ?[ap]m)",),
            _short,
        ),
        Rule(
            r"(?<![\w/.-])(?P<date>(?P<one>\d{1,2})/(?P<other>\d{1,2}))(?![\w/-]|[.]\d)",
            (r"\b\d{1,2}/\d{1,2}(?:[^\w/-]|$)",),
            lambda match: (
                (match.start(), match.end(), 0.3) if _is_day(match["one"], match["other"]) else None
            ),
        ),
        Rule(
            r"(?<![\w/.-])(?:0?[1-9]|1[0-2])/(?:19|20)\d\d(?![\w/-])",
            (r"\b\d{1,2}/(?:19|20)\d\d",),
            sure(0.6),
        ),
        Rule(
            r"\b(?:christmas|thanksgiving|easter|halloween|new year'?s)(?: (?:eve|day))?,? (?:of )?(?:19|"
            r"20)\d\d\b",
            (r"\b(?:christmas|thanksgiving|easter|halloween|new year)",),
            sure(0.6),
            re.IGNORECASE,
        ),
    )


class AgeDetector(PatternDetector):
    """Ages over 89, in figures and in words.

    Source: 45 CFR 164.514(b)(2)(i)(C).
    """

    name: ClassVar[str] = "age"
    label: ClassVar[str] = "AGE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w.-])(?:9\d|1[0-3]\d)(?=[ -]{0,2}(?:years?|yrs?|y\.?)[ -]{0,2}(?:old|of age|o\b|/o)|"
            r"[ -]?y\.?[/ ]?o\b|[ -]?yo[mf]?\b"
            r"|[ -]?year-old|[ -]?y/o)",
            (r"\b(?:9\d|1[0-3]\d)[ -]{0,2}y",),
            sure(0.9),
            re.IGNORECASE,
        ),
        Rule(
            r"\b(?:aged?|turn(?:ed|s|ing)|at the age of)\b[: ]{0,2}(?:is |of )?(?P<age>9\d|"
            r"1[0-3]\d)(?![\w%/-]|[.]\d)",
            (r"\b(?:aged?|turn(?:ed|s|ing)|at the age of)\b[: ]{0,2}(?:is |of )?(?:9|1[0-3])\d",),
            sure(0.9, "age"),
            re.IGNORECASE,
        ),
        Rule(r"(?<![\w.-])(?:9\d|1[0-3]\d)(?=[MF](?![\w-]))", (r"\b(?:9\d|1[0-3]\d)[MF]\b",), sure(0.6)),
        Rule(
            r"\b(?:(?:ninety|(?:one )?hundred(?: and)?)(?:[ -](?:one|two|three|four|five|six|seven|eight|"
            r"nine|ten))?(?=[ -]years?[ -](?:old|of age))"
            r"|(?:non|super)?(?:nona|cente)(?:gen|n)arian)\b",
            (r"\b(?:ninety|one hundred|hundred)[ -]", r"\b(?:nonagen|centen|supercenten)arian"),
            sure(0.8),
            re.IGNORECASE,
        ),
    )
