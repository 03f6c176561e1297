"""Where people live: street addresses, post office boxes, ZIP codes."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.alternatives import any_of
from phimask_plugins.detectors.gazetteer import STATE_CODES, STATES
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, sure

_STATE: Final = any_of((*STATE_CODES, *STATES))
_STATE_END: Final = re.compile(rf"\b(?:{_STATE})\Z")
_LONGEST_STATE: Final = 16
_CODES: Final = frozenset(STATE_CODES)
_LOWER_FRONT: Final = re.compile(r"(?<![\w.-])\d{2,6} (?:[nsew]\.? )?(?:[a-z]{2,20} ){1,3}\Z")
_SUFFIX: Final = any_of(
    (
        "Street", "St", "Avenue", "Ave", "Av", "Road", "Rd", "Boulevard", "Blvd", "Lane", "Ln", "Drive", "Dr",
        "Court", "Ct", "Place", "Pl", "Way", "Parkway", "Pkwy", "Circle", "Cir", "Terrace", "Ter", "Crescent",
        "Cres", "Close", "Grove", "Hill", "Green", "Mews", "Gardens", "Trail", "Trl", "Highway", "Hwy", "Square",
        "Sq", "Loop", "Pike", "Turnpike", "Crossing", "Alley", "Plaza", "Row", "Walk", "Run", "Path", "Broadway",
        "Expressway", "Route", "Point", "Ridge",
    )
)  # fmt: skip
_UNIT: Final = (
    r"(?:,? {1,2}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Bldg|Building|"
    r"#)\.? ?#?[A-Za-z]?-?\d{0,5}[A-Za-z]?\b)?"
)
_CITY_STATE_ZIP: Final = (
    r"(?:,? {0,2}\n?[A-Z][A-Za-z.'-]+(?: [A-Z][A-Za-z.'-]+){0,2},? {1,2}"
    rf"(?:{_STATE})\b(?:,? {{1,2}}\d{{5}}(?:-\d{{4}})?\b)?)?"
)


_EUROPEAN: Final = (
    r"(?:Rue|Avenue|Boulevard|Chemin|Via|Viale|Piazza|Corso|Calle|Carrer|Avenida|Rua|Travessa|Plaza|Paseo|Camino|"
    r"ul\.|C/) (?:(?:de|del|della|di|da|do|dos|la|las|los|le|les|el|du|des|l')[ ']?){0,2}"
    r"(?:[A-Z][\w'.-]{0,24} ?){1,4}(?:,? ?\d{1,4}\b)?"
)
"""Streets whose kind stands in front."""
_ONE_WORD: Final = (
    r"[A-Z][a-z]{2,20}(?:strasse|str\.|gasse|weg|platz|allee|gatan|vagen|vegen|vej|gade|veien|"
    r"straat|laan|plein|katu|tie)"
)
_HOME: Final = (
    r"address(?: is| was)?:?|lives? (?:at|on)|lived (?:at|on)|living (?:at|on)|resid(?:es|ing) at|"
    r"(?:mail|send|return|ship|sent|mailed)(?: it| them| one)? to|home(?: is)? at|moved to|meet (?:me|us) at|"
    r"here they are:"
)


def _unit(match: re.Match[str]) -> Found | None:
    """A house number before what an apartment or a suite makes an address of."""
    text = match.string
    front = _HOUSE.search(text, max(0, match.start() - 60), match.start())
    if front is None:
        return None
    city = _REST.match(text, match.end())
    return front.start(), match.end() if city is None else city.end(), 0.7


def _is_state(text: str, end: int) -> bool:
    """Whether a state or its code ends here."""
    if text[end - 2 : end] in _CODES and text[end - 3 : end - 2] == " ":  # as it mostly is
        return True
    return _STATE_END.search(text, max(0, end - _LONGEST_STATE), end) is not None


def _zip(match: re.Match[str]) -> Found | None:
    before = match.start() + 1
    return (match.start("zip"), match.end("zip"), 0.9) if _is_state(match.string, before) else None


def _home(match: re.Match[str]) -> Found | None:
    """What looks like one after the words for an address."""
    return match.start("home"), match.end("home") - match["home"].endswith((" ", ".")), 0.6


def _european(match: re.Match[str]) -> Found | None:
    """A street with a number before or behind it."""
    digits = sum(one.isdigit() for one in match[0])
    return (match.start(), match.end() - match[0].endswith(" "), 0.7) if digits else None


def _lower(match: re.Match[str]) -> Found | None:
    """A street in lower case, by what it ends with."""
    front = _LOWER_FRONT.search(match.string, max(0, match.start() - 40), match.start())
    return None if front is None else (front.start(), match.end(), 0.6)


_HOUSE: Final = re.compile(r"(?<![\w.-])\d{1,6}[A-Za-z]?,? (?:[\w'./-]{1,24}[ ,]{1,2}|\n ?){1,6}\Z")
_REST: Final = re.compile(
    r"(?:[,\s]{1,3}[A-Z][\w.'-]+(?: [A-Z][\w.'-]+){0,3}){1,2}(?:[,\s]{1,4}[A-Z]{2,3}\b)?"
    r"(?:[,\s]{1,4}\d{4,5}(?:-\d{4})?\b)"
)
"""A city and a code behind it, on the same line or the next."""


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
            r"(?<=[\s,])(?:Apt|Apartment|Suite|Ste|Unit)\.? #?[A-Za-z]?-?\d{1,5}[A-Za-z]?\b",
            (r"\b(?:Apt|Apartment|Suite|Ste|Unit)\.? #?[A-Za-z]?-?\d",),
            _unit,
            re.IGNORECASE,
        ),
        Rule(
            rf"\b(?:{_HOME})\s{{1,3}}(?P<home>\d{{1,6}}[A-Za-z]?,? (?:[\w'.-]{{1,24}} ?){{1,6}}{_CITY_STATE_ZIP})",
            (rf"\b(?:{_HOME})\s{{1,3}}\d",),
            _home,
            re.IGNORECASE,
        ),
        Rule(
            rf"(?:(?<![\w.-])\d{{1,6}},? )?(?<![\w.-])(?:{_EUROPEAN}|{_ONE_WORD} \d{{1,4}}\b)",
            (
                r"\b(?:\d{1,6},? )?(?:Rue|Avenue|Boulevard|Chemin|Via|Viale|Piazza|Corso|Calle|Carrer|Avenida|Rua|"
                r"Travessa|Plaza|Paseo|Camino|ul\.|C/) ",
                r"\b(?:\d{1,6},? )?[A-Z][a-z]{2,20}(?:strasse|str\.|gasse|weg|platz|allee|gatan|vagen|vegen|vej|gade|"
                r"veien|straat|laan|plein|katu|tie) \d",
            ),
            _european,
        ),
        Rule(
            r"\b(?:on|off|near) (?P<street>(?:[NSEW]\.? )?(?:[A-Z][a-z]+|\d{1,3}(?:st|nd|rd|th)) (?:[A-Z][a-z]+ )?"
            r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Highway|Hwy|Parkway|Pkwy))\b",
            (r"\b(?:on|off|near) (?:[A-Z]|\d{1,3}(?:st|nd|rd|th))",),
            sure(0.6, "street"),
        ),
        Rule(
            r"\b(?:PSC|Unit|CMR) \d{1,5},? Box \d{1,5}(?:\s{1,2}[AFD]PO,? A[AEP] \d{5})?",
            (r"\b(?:PSC|Unit|CMR) \d{1,5},? Box \d",),
            sure(0.9),
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
            (r"[A-Za-z],? {1,2}\d{5}(?:\W|$)",),
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
