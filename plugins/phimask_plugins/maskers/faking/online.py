"""Electronic addresses, all in names and ranges that are set aside for documentation."""

from __future__ import annotations

import ipaddress
from typing import Final

from phimask_plugins.maskers.faking.dictionaries import dictionaries
from phimask_plugins.maskers.faking.drawing import TAG_ALPHABET, draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash

_DOMAINS: Final = ("example.com", "example.net", "example.org")
"""Source: RFC 2606, section 3."""
_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")
"""Source: RFC 5737, section 3."""
_IPV6_NETWORK: Final = int(ipaddress.IPv6Address("2001:db8::"))
"""A /32. Source: RFC 3849, section 2."""

_EMAIL_TAG: Final = 9
_USERNAME_TAG: Final = 11
_URL_TAG: Final = 13


def email(keyed: KeyedHash, text: str) -> str | None:
    """`maria.jones.7hk2mpqx4@example.org`: the tag keeps different addresses different (some 64 bits in all)."""
    return draw_other(keyed, "email", text, _email)


def username(keyed: KeyedHash, text: str) -> str | None:
    """`jones.7hk2mpqx4bz` (some 62 bits)."""
    return draw_other(keyed, "username", text, _username)


def url(keyed: KeyedHash, text: str) -> str | None:
    """`https://example.org/7hk2mpqx4bzw9` (some 64 bits)."""
    return draw_other(keyed, "url", text, _url)


def ip(keyed: KeyedHash, text: str) -> str | None:
    """An address of a documentation network, IPv6 if `text` has a colon."""
    return draw_other(keyed, "ip", text, _ipv6 if ":" in text else _ipv4)


def _email(draws: Draws) -> str:
    words = dictionaries()
    first, last = draws.pick(words.first_names), draws.pick(words.last_names)
    return f"{first}.{last}.{draws.text(_EMAIL_TAG, TAG_ALPHABET)}@{draws.pick(_DOMAINS)}".lower()


def _username(draws: Draws) -> str:
    return f"{draws.pick(dictionaries().last_names)}.{draws.text(_USERNAME_TAG, TAG_ALPHABET)}".lower()


def _url(draws: Draws) -> str:
    return f"https://{draws.pick(_DOMAINS)}/{draws.text(_URL_TAG, TAG_ALPHABET)}"


def _ipv4(draws: Draws) -> str:
    return f"{draws.pick(_NETWORKS)}.{draws.below(254) + 1}"


def _ipv6(draws: Draws) -> str:
    return str(ipaddress.IPv6Address(_IPV6_NETWORK + draws.below(2**96)))
