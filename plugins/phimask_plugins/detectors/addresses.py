"""Where people live: street addresses, post office boxes, ZIP codes."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.gazetteer import STATE_CODES, STATES
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, sure

_STATE: Final = "|".join((*STATE_CODES, *STATES))
_STATE_END: Final = re.compile(rf"\b(?:{_STATE})\Z")
_LONGEST_STATE: Final = 16
_LOWER_FRONT: Final = re.compile(r"(?<![\w.-])\d{2,6} (?:[nsew]\.? )?(?:[a-z]{2,20} ){1,3}\Z")
_SUFFIX: Final = (
    r"Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Parkway|Pkwy|"
    r"Circle|Cir|Terrace|Ter|"
    r"Trail|Trl|Highway|Hwy|Square|Sq|Loop|Pike|Turnpike|Crossing|Alley|Plaza|Row|Walk|Run|Path|Broadway|"
    r"Expressway|Route|Point|Ridge"
)
_UNIT: Final = (
    r"(?:,? {1,2}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Bldg|Building|"
    r"#)\.? ?#?[A-Za-z]?-?\d{0,5}[A-Za-z]?\b)?"
)
_CITY_STATE_ZIP: Final = (
    r"(?:,? {0,2}\n?[A-Z][A-Za-z.'-]+(?: [A-Z][A-Za-z.'-]+){0,2},? {1,2}"
    rf"(?:{_STATE})\b(?:,? {{1,2}}\d{{5}}(?:-\d{{4}})?\b)?)?"
)


def _zip(match: re.Match[str]) -> Found | None:
    before = match.start() + 1
    state = _STATE_END.search(match.string, max(0, before - _LONGEST_STATE), before)
    return None if state is None else (match.start("zip"), match.end("zip"), 0.9)


def _lower(match: re.Match[str]) -> Found | None:
    """A street in lower case, by what it ends with."""
    front = _LOWER_FRONT.search(match.string, max(0, match.start() - 40), match.start())
    return None if front is None else (front.start(), match.end(), 0.6)


class StreetAddressDetector(PatternDetector):
    """A house number and a street, with apartment, city, state and ZIP code where they follow; post office boxes.

    Source: 45 CFR 164.514(b)(2)(i)(B); USPS, Publication 28, appendix C.
    """

    name: ClassVar[str] = "street_address"
    label: ClassVar[str] = "ADDRESS"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"(?<![\w.-])\d{{1,6}}[A-Za-z]?(?:-\d{{1,4}})? {{1,2}}(?:(?:[A-Z][A-Za-z'.-]*|\d{{1,3}}(?:st|"
            rf"nd|rd|th)) {{1,2}}){{1,4}}?"
            rf"(?:{_SUFFIX})\b\.?(?: [NSEW]{{1,2}}\b)?{_UNIT}{_CITY_STATE_ZIP}",
            (r"\b\d{1,6}[A-Za-z]?(?:-\d{1,4})? {1,2}(?:[A-Z]|\d{1,3}(?:st|nd|rd|th))",),
            sure(0.85),
        ),
        Rule(
            r"(?<= )(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|court)\b",
            (r"\b(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|court)\b",),
            _lower,
        ),
        Rule(
            rf"\bP\.?\s?O\.? ?Box:? {{0,2}}#?\d{{1,6}}{_CITY_STATE_ZIP}",
            (r"\bP\.?\s?O\.? ?Box",),
            sure(0.9),
            re.IGNORECASE,
        ),
    )


class ZipDetector(PatternDetector):
    """ZIP codes of five or nine digits: after a state or the word for them (0.9), or nine as 5-4 alone (0.4).

    Source: 45 CFR 164.514(b)(2)(i)(B); USPS, Publication 28, section 22.
    """

    name: ClassVar[str] = "zip_code"
    label: ClassVar[str] = "ZIP"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<=\w)[A-Za-z],? {1,2}(?P<zip>\d{5}(?:-\d{4})?)(?![\w-])",
            (r"[A-Za-z],? {1,2}\d{5}",),
            _zip,
        ),
        Rule(
            r"\b(?:zip|postal|post) ?(?:codes?)?\b(?: (?:is|of|are|"
            r"in))?[ :#]{0,3}(?P<zip>\d{5}(?:-\d{4})?|\d{3}\b)(?![\w-])",
            (r"\b(?:zip|postal|post)",),
            sure(0.9, "zip"),
            re.IGNORECASE,
        ),
        Rule(r"(?<![\w.-])\d{5}-\d{4}(?![\w-])", (r"\b\d{5}-\d{4}",), sure(0.4)),
    )
