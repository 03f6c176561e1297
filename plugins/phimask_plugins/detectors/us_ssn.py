"""Social security numbers and taxpayer numbers of the United States."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, sure

_SEPARATED: Final = 0.9
_HALF_SEPARATED: Final = 0.3
_COMPACT: Final = 0.4
_ITIN: Final = 0.95
"""Above that of a social security number, which such a number is taken for as well."""

_VOID: Final = frozenset({"078051120", "219099999"})
"""Numbers that were printed on sample cards and belong to nobody. Source: Social Security Administration, Office of
the Historian, "Social Security Cards Issued by Woolworth"."""
_NOT_DIGIT: Final = re.compile(r"\D")
_ITIN_GROUPS: Final = frozenset({*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)})
_NINE: Final = (
    r"\d{3}[. -]\d{2}[. -]\d{4}",
    r"\d{3}-\d{6}",
    r"\d{5}-\d{4}",
    r"\d{9}",
)
_SHAPES: Final = (
    r"(?<!\d)(?:\d{3}([. -])\d{2}\1\d{4}|\d{3}-\d{6}|\d{5}-\d{4}"
    r"|(?<![A-Za-z0-9])(?<!\d[.,])\d{9}(?![A-Za-z0-9])(?![.,]\d))(?!\d)"
)


def _confidence(match: re.Match[str], number: str, separated: float) -> float:
    if match[1] is not None:
        return separated
    return _COMPACT if len(match[0]) == len(number) else _HALF_SEPARATED


def _ssn(match: re.Match[str]) -> Found | None:
    number = _NOT_DIGIT.sub("", match[0])
    if number[:3] in ("000", "666") or number[3:5] == "00" or number[5:] == "0000" or number in _VOID:
        return None
    return match.start(), match.end(), _confidence(match, number, _SEPARATED)


def _itin(match: re.Match[str]) -> Found | None:
    number = _NOT_DIGIT.sub("", match[0])
    if number[0] != "9" or int(number[3:5]) not in _ITIN_GROUPS:
        return None
    return match.start(), match.end(), _confidence(match, number, _ITIN)


class UsSsnDetector(PatternDetector):
    """Nine digits as 3-2-4 with the same separator twice (confidence 0.9), once (0.3), or never (0.4); the last four
    after the words for it (0.8).

    No area is 000 or 666, no group 00, no serial 0000. Areas from 900 are taken as well: never assigned as social
    security numbers, they are taxpayer numbers (ITIN) or stand in for one, and identify a person all the same.
    Source: Social Security Administration, Program Operations Manual System, RM 10201.035.
    """

    name: ClassVar[str] = "us_ssn"
    label: ClassVar[str] = "US_SSN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(_SHAPES, _NINE, _ssn),
        Rule(
            r"\b(?:ssn|social security(?: (?:number|no\.?|#))?)\b[ :#]{0,3}(?:(?:is|ending|ends)(?: in)? |"
            r"last (?:4|four)[ :]{0,2})?"
            r"(?P<number>(?:[x*]{3}[ -]?[x*]{2}[ -]?)?\d{4}|\d{9})(?![\w-])",
            (r"\b(?:ssn|social security)\b",),
            sure(0.8, "number"),
            re.IGNORECASE,
        ),
    )


class UsItinDetector(PatternDetector):
    """Individual taxpayer identification numbers: as a social security number, with a 9 in front and 50 to 65, 70 to
    88, 90 to 92 or 94 to 99 in the middle.

    Source: Internal Revenue Manual, 3.21.263.6.1.
    """

    name: ClassVar[str] = "us_itin"
    label: ClassVar[str] = "US_ITIN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (Rule(_SHAPES, _NINE, _itin),)
