"""Telephone and fax numbers as they are written in the United States, and international ones."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, sure

_WRITTEN: Final = 0.9
_COMPACT: Final = 0.4
_UNDIALLED: Final = 0.5
_NAMED: Final = 0.7
_NOT_FIRST: Final = "01"
"""Neither an area code nor an exchange begins with these."""
_EXTENSION: Final = r"(?:,? ?(?:x|ext|extension)\.? ?\d{1,6}(?!\d))?"
_SEVERAL: Final = r"\+?\(?\d(?:[ .()-]{0,2}\d){6,14}(?!\d)"


def _domestic(match: re.Match[str]) -> Found | None:
    if match["area"].lstrip("(")[0] in _NOT_FIRST or match["exchange"][0] in _NOT_FIRST:
        return None
    return match.start(), match.end(), _COMPACT if match[0].isdecimal() else _WRITTEN


class UsPhoneDetector(PatternDetector):
    """Ten digits as area code, exchange and line, after a 1 or +1 or neither, with an extension or without; a plus
    sign and 7 to 15 digits; or as many after a word for a telephone.

    Area code and exchange begin with 2 to 9. Numbers kept for fiction (555-0100 to 555-0199) count like
    others. Ten digits with nothing between them get a confidence of 0.4, ten as 3-3-4 that cannot be dialled 0.5,
    those after a word 0.7, all else 0.9.
    Source: North American Numbering Plan; ITU-T E.164, section 6.
    """

    name: ClassVar[str] = "us_phone"
    label: ClassVar[str] = "PHONE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w-])(?:(?:pager|beeper|ext|extension)\b[ .:#]{1,3}(?P<number>\d{4,5})|"
            r"x(?P<short>\d-?\d{3,4}))(?![\w-]|\.\d)",
            (r"\b(?:pager|beeper|ext|extension)\b[ .:#]{1,3}\d", r"\bx\d-?\d{3}"),
            lambda match: (match.start(match.lastgroup or 0), match.end(), 0.6),
            re.IGNORECASE,
        ),
        Rule(r"\+[1-9](?:[ .()-]{0,2}\d){6,14}(?!\d)" + _EXTENSION, (r"\+[1-9]",), _WRITTEN, re.IGNORECASE),
        Rule(
            r"(?<!\d)(?:1[. -]?)?(?P<area>\(\d{3}\)|"
            r"\d{3}) ?[. -]?(?P<exchange>\d{3})[. -]?(?P<line>\d{4})(?!\d)" + _EXTENSION,
            (
                r"1[. -]?\(?\d{3}\)? ?[. -]?\d{3}[. -]?\d{4}",
                r"\(\d{3}\) ?[. -]?\d{3}[. -]?\d{4}",
                r"\d{3} ?[. -]?\d{3}[. -]?\d{4}",
            ),
            _domestic,
            re.IGNORECASE,
        ),
        Rule(r"(?<![\d-])[01]\d\d-\d{3}-\d{4}(?![\d-])", (r"[01]\d\d-\d{3}-\d{4}",), _UNDIALLED),
        Rule(
            rf"\b(?:tel|telephone|phone|mobile|cell|cellphone|pager|call|callback|contact|number)\b\.?"
            rf"(?: (?:number|no\.?|at|is|him|her|them|on|me|us)){{0,3}}[:#]?\s{{0,3}}(?P<number>{_SEVERAL})",
            (
                r"\b(?:tel|telephone|phone|mobile|cell|cellphone|pager|call|callback|contact|number)\b\.?"
                r"(?: (?:number|no\.?|at|is|him|her|them|on|me|us)){0,3}[:#]?\s{0,3}\+?\(?\d",
            ),
            sure(_NAMED, "number"),
            re.IGNORECASE,
        ),
    )


class FaxDetector(PatternDetector):
    """A telephone number after the word fax or facsimile."""

    name: ClassVar[str] = "fax"
    label: ClassVar[str] = "FAX"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"\b(?:fax(?:ed)?|facsimile)\b\.?(?: (?:number|no\.?|at|is|"
            rf"to)){{0,3}}[:#]?\s{{0,3}}(?P<number>{_SEVERAL})",
            (r"\b(?:fax(?:ed)?|facsimile)\b",),
            sure(0.95, "number"),
            re.IGNORECASE,
        ),
    )
