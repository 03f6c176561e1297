"""Social security numbers of the United States."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import HYPHENS, SPACES, PatternDetector, digits

_SEPARATED: Final = 0.9
_HALF_SEPARATED: Final = 0.3
_COMPACT: Final = 0.4

_VOID: Final = frozenset({"078051120", "219099999"})
"""Numbers that were printed on sample cards and belong to nobody. Source: Social Security Administration, Office of
the Historian, "Social Security Cards Issued by Woolworth"."""


class UsSsnDetector(PatternDetector):
    """Nine digits as 3-2-4 with the same separator twice (confidence 0.9), once (0.3), or never (0.4).

    No area is 000 or 666, no group 00, no serial 0000. Areas from 900 are taken as well: never assigned as social
    security numbers, they are taxpayer numbers (ITIN) or stand in for one, and identify a person all the same.
    Source: Social Security Administration, Program Operations Manual System, RM 10201.035.
    """

    name: ClassVar[str] = "us_ssn"
    label: ClassVar[str] = "US_SSN"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    pattern: ClassVar[re.Pattern[str]] = re.compile(
        rf"(?<!\d)(?:\d{{3}}([.{SPACES}{HYPHENS}])\d{{2}}\1\d{{4}}"
        rf"|\d{{3}}[{HYPHENS}]\d{{6}}|\d{{5}}[{HYPHENS}]\d{{4}}"
        r"|(?<![^\W_])(?<!\d[.,])\d{9}(?![^\W_])(?![.,]\d))(?!\d)"
    )

    def judge(self, match: re.Match[str]) -> float | None:
        """Checks area, group and serial."""
        number = digits(match[0])
        if number[:3] in ("000", "666") or number[3:5] == "00" or number[5:] == "0000" or number in _VOID:
            return None
        if match[1] is not None:
            return _SEPARATED
        return _COMPACT if len(match[0]) == len(number) else _HALF_SEPARATED
