"""What detectors by regular expression share: finding, judging, going on."""

from __future__ import annotations

import abc
import re
import unicodedata
from collections.abc import Iterator
from typing import ClassVar

from phimask import Detection, Detector

HYPHENS = "\\-\u2010\u2011\u2012\u2013\u2212"
"""For a character class: hyphen-minus, and what word processors make of it."""
SPACES = " \u00a0\u202f"
"""For a character class: space, no-break space, narrow no-break space."""


class PatternDetector(Detector):
    """Finds `pattern` and keeps the matches that `judge` believes. Patterns match bounded lengths only, so that the
    time is linear in the text's length whatever it holds."""

    pattern: ClassVar[re.Pattern[str]]
    label: ClassVar[str]

    @abc.abstractmethod
    def judge(self, match: re.Match[str]) -> float | None:
        """The confidence, 0 to 1, or None where the match is none."""

    def detect(self, text: str) -> Iterator[Detection]:
        """Every match that is believed, in order of start, none within another."""
        at = 0
        while (match := self.pattern.search(text, at)) is not None:
            confidence = self.judge(match)
            if confidence is None:
                # A true one may begin within what looked like one.
                at = match.start() + 1
            else:
                at = match.end()
                yield Detection(match.start(), match.end(), self.label, confidence)


def digits(text: str) -> str:
    """The decimal digits in `text`, of whatever script, as ASCII digits."""
    return "".join(str(unicodedata.decimal(one)) for one in text if one.isdecimal())
