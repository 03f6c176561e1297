"""E-mail addresses."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector

_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_TOP_LEVEL: Final = r"[^\W\d_](?:[\w-]{0,61}[^\W_])"


class EmailDetector(PatternDetector):
    """A local part of up to 64 characters, an at sign, and a domain with a dot or an address in brackets.

    International addresses count (letters of any script, `xn--` labels); quoted local parts do not.
    Source: RFC 5321, sections 4.1.2 and 4.5.3.1; RFC 6531, section 3.3.
    """

    name: ClassVar[str] = "email"
    label: ClassVar[str] = "EMAIL"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    pattern: ClassVar[re.Pattern[str]] = re.compile(
        rf"(?<!\w)\w[\w.%+'-]{{0,63}}[@\uff20]"
        rf"(?:(?:{_LABEL}\.){{1,8}}{_TOP_LEVEL}|\[\d{{1,3}}(?:\.\d{{1,3}}){{3}}\])"
    )

    def judge(self, match: re.Match[str]) -> float:  # noqa: ARG002  (the pattern alone decides)
        """What looks like an address is one."""
        return 1.0
