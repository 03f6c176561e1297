"""Telephone numbers as they are written in the United States, and international ones with their plus sign."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import HYPHENS, SPACES, PatternDetector, digits

_WRITTEN: Final = 0.9
_COMPACT: Final = 0.4
_NOT_FIRST: Final = "01"
"""Neither an area code nor an exchange begins with these."""

_GAP: Final = rf"[.{SPACES}{HYPHENS}]"


class UsPhoneDetector(PatternDetector):
    """Ten digits as area code, exchange and line, after a 1 or +1 or neither, with an extension or without; or a plus
    sign and 7 to 15 digits.

    Area code and exchange begin with 2 to 9. Numbers kept for fiction (555-0100 to 555-0199) count like
    others. Ten digits with nothing between them get a confidence of 0.4, all else 0.9.
    Source: North American Numbering Plan; ITU-T E.164, section 6.
    """

    name: ClassVar[str] = "us_phone"
    label: ClassVar[str] = "PHONE"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    pattern: ClassVar[re.Pattern[str]] = re.compile(
        r"(?:(?P<country>\+\d(?:[ .()\u00a0" + HYPHENS + r"]{0,2}\d){6,14})"
        rf"|(?<!\d)(?:1{_GAP}?)?(?P<area>\(\d{{3}}\)|\d{{3}})[{SPACES}]?{_GAP}?"
        rf"(?P<exchange>\d{{3}}){_GAP}?(?P<line>\d{{4}}))(?!\d)"
        r"(?:,?[ \u00a0]?(?:x|ext|extension)\.?[ \u00a0]?\d{1,6}(?!\d))?",
        re.IGNORECASE,
    )

    def judge(self, match: re.Match[str]) -> float | None:
        """Checks area code and exchange, where there is no plus sign."""
        if match["country"] is not None:
            return self._international(digits(match["country"]))
        if digits(match["area"])[0] in _NOT_FIRST or digits(match["exchange"])[0] in _NOT_FIRST:
            return None
        return _COMPACT if match[0].isdecimal() else _WRITTEN

    def _international(self, number: str) -> float | None:
        return None if number[0] == "0" else _WRITTEN
