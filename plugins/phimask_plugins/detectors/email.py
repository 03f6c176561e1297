"""E-mail addresses."""

from __future__ import annotations

from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, Scan

_LABEL: Final = r"[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?"
_TOP_LEVEL: Final = r"[A-Za-z](?:[\w-]{0,61}[A-Za-z0-9])"
_LOCAL: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.%+'-"
_LONGEST_LOCAL: Final = 64


class EmailDetector(PatternDetector):
    """A local part of up to 64 characters, an at sign, and a domain with a dot or an address in brackets.

    International addresses count (letters of any script, `xn--` labels); quoted local parts do not.
    Source: RFC 5321, sections 4.1.2 and 4.5.3.1; RFC 6531, section 3.3.
    """

    name: ClassVar[str] = "email"
    label: ClassVar[str] = "EMAIL"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(rf"@(?:(?:{_LABEL}\.){{1,8}}{_TOP_LEVEL}|\[\d{{1,3}}(?:\.\d{{1,3}}){{3}}\])", ("@",), 1.0),
    )

    def found(self, scan: Scan, number: int, by_rules: list[Found]) -> list[Found]:
        """The domains that have a local part before them, with it."""
        text = scan.seen[number].form.text
        result: list[Found] = []
        for at, end, confidence in by_rules:
            first = max(0, at - _LONGEST_LOCAL)
            start = first + len(text[first:at].rstrip(_LOCAL))
            # What is no letter or digit at the front belongs to the sentence; what is longer is no address.
            while start < at and not (text[start].isalnum() or text[start] == "_"):
                start += 1
            before = text[start - 1] if start else " "
            if start < at and not (before.isalnum() or before == "_"):
                result.append((start, end, confidence))
        return result
