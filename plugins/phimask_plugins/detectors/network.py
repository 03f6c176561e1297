"""Addresses of machines: web, IP, MAC."""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Final

from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule

_TOP_LEVEL: Final = (
    "com|org|net|edu|gov|mil|int|info|io|co|us|uk|ca|au|nz|ie|de|fr|es|it|nl|be|ch|at|dk|se|no|fi|pl|pt|"
    "cz|gr|ru|ua|"
    "il|in|jp|cn|kr|tw|hk|sg|br|mx|ar|za|eu|app|dev|site|online|health|care|clinic|hospital|doctor|biz|"
    "me|tv|xyz|ai"
)
"""Of domains without a scheme or `www`: what else has a dot inside is mostly no domain."""
_LABELS: Final = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?){0,4}(?![A-Za-z0-9])"
)
"""Read from the end."""
_LONGEST_HOST: Final = 253
_LONGEST_LABEL: Final = 63
_NOT_LAST: Final = ".,;:!?)]}'\""
_REFUSED_MACS: Final = frozenset({"0" * 12, "F" * 12})
_NOT_HEX: Final = re.compile(r"[^0-9A-Fa-f]")


def _url(match: re.Match[str]) -> Found | None:
    address = match[0]
    scheme, mark, rest = address.partition("://")
    host = (rest if mark else scheme).partition("/")[0]
    if host.lower() in ("localhost", "localhost."):
        return None
    plain = host.rpartition("@")[2].partition(":")[0]
    if not plain.startswith("[") and "." not in plain.rstrip(_NOT_LAST):
        return None
    if not mark and host.lower().startswith("www.") and "." not in host[4:].rstrip(_NOT_LAST):
        return None
    return match.start(), match.start() + len(address.rstrip(_NOT_LAST)), 0.9 if mark else 0.7


def _at_domain(expression: re.Pattern[str], text: str, start: int, _: int) -> re.Match[str] | None:
    """The last part of a domain, but not where it plainly belongs to an address of e-mail."""
    at = text.rfind("@", max(0, start - _LONGEST_LABEL), start)
    return None if at >= 0 and text[at + 1 : start].isalnum() else expression.match(text, start)


def _domain(match: re.Match[str]) -> Found | None:
    """A domain by its last part: the labels stand before it."""
    text, end = match.string, match.start()
    labels = _LABELS.match(text[max(0, end - _LONGEST_HOST) : end][::-1])
    if labels is None:
        return None
    start = end - labels.end()
    if (start and text[start - 1] in "@/-_.") or text[start:end].isdecimal():
        return None
    return start, match.start() + len(match[0].rstrip(_NOT_LAST)), 0.7


def _ip(match: re.Match[str]) -> Found | None:
    try:
        ipaddress.ip_address(match[0].partition("/")[0])
    except ValueError:
        return None
    return match.start(), match.end(), 0.9 if len(match[0]) > len("::") else 0.3


def _mac(match: re.Match[str]) -> Found | None:
    if _NOT_HEX.sub("", match[0]).upper() in _REFUSED_MACS:
        return None
    return match.start(), match.end(), 0.95


class UrlDetector(PatternDetector):
    """Web addresses, with or without a scheme. The host has a dot or is an IPv6 address in brackets.

    Source: RFC 3986, section 3; for domains without scheme the top-level domains in common use.
    """

    name: ClassVar[str] = "url"
    label: ClassVar[str] = "URL"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"\b(?:https?|ftps?|sftp|wss?|file|hl7|mllp)://[^\s<>\"']{1,2048}",
            (r"\b(?:https?|ftps?|sftp|wss?|file|hl7|mllp)://",),
            _url,
            re.IGNORECASE,
        ),
        Rule(r"\bwww\.[^\s<>\"']{1,2048}", (r"\bwww\.",), _url, re.IGNORECASE),
        Rule(
            rf"\.(?:{_TOP_LEVEL})\b(?![\w@-])(?!\.\w)(?:/[^\s<>\"']{{0,2048}})?",
            (rf"\.(?:{_TOP_LEVEL})\b",),
            _domain,
            re.IGNORECASE,
            glance=_at_domain,
        ),
    )


class IpDetector(PatternDetector):
    """IPv4 in four decimal parts, IPv6 in all its short forms, a zone or a prefix length included.

    Source: RFC 791; RFC 4291, section 2.2; RFC 4007, section 11.
    """

    name: ClassVar[str] = "ip_address"
    label: ClassVar[str] = "IP"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w.])(?<!\d-)(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?!\w)",
            (r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d",),
            _ip,
        ),
        Rule(
            r"(?<![\w:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,40}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3})?(?:%\w{1,15})?(?:/\d{1,3})?(?![\w:]|\.\d)",
            (r"\b[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:", "::"),
            _ip,
        ),
    )


class MacDetector(PatternDetector):
    """Six bytes in hexadecimal with colons or hyphens, or three groups of four with dots; neither zeros nor broadcast.

    Source: IEEE Std 802, clause 8.
    """

    name: ClassVar[str] = "mac_address"
    label: ClassVar[str] = "MAC"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            r"(?<![\w:.-])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])",
            (r"\b[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]",),
            _mac,
        ),
        Rule(
            r"(?<![\w:.-])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w:-]|\.\w)",
            (r"\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",),
            _mac,
        ),
    )
