"""Electronic addresses, all in names and ranges that are set aside for documentation."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from phimask_plugins.maskers.faking.dictionaries import dictionaries
from phimask_plugins.maskers.faking.drawing import PLAIN, TAG_ALPHABET, Manner, draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash

_DOMAINS: Final = ("example.com", "example.net", "example.org")
"""Source: RFC 2606, section 3."""
_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")
"""Source: RFC 5737, section 3."""
_IPV6_NETWORK: Final = int(ipaddress.IPv6Address("2001:db8::"))
"""A /32. Source: RFC 3849, section 2."""
_MAC_RANGE: Final = "00005e0053"
"""And any one octet. Source: RFC 7042, section 2.1.2."""
_MAC: Final = re.compile(
    r"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}|[0-9A-Fa-f]{10})"
    r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}"
)
_HEX_DIGIT: Final = re.compile(r"[0-9A-Fa-f]")
_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")

_EMAIL_TAG: Final = 9
_USERNAME_TAG: Final = 11
_URL_TAG: Final = 13


def email(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """`maria.jones.7hk2mpqx4@example.org`: the tag keeps different addresses different (some 64 bits in all).

    With `keep_domain` it is the original's domain, where there is one.
    """
    kept = text.rpartition("@")[2] if manner.keep_domain and "@" in text else ""
    domain = kept.lower() if len(kept) <= 253 and _DOMAIN.fullmatch(kept) else ""
    return draw_other(keyed, "email", text, lambda draws: _email(draws, domain))


def username(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """`jones.7hk2mpqx4bz` (some 62 bits)."""
    return draw_other(keyed, "username", text, _username)


def url(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """`https://example.org/7hk2mpqx4bzw9` (some 64 bits)."""
    return draw_other(keyed, "url", text, _url)


def ip(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """An address of a documentation network, IPv6 if `text` has a colon."""
    return draw_other(keyed, "ip", text, _ipv6 if ":" in text else _ipv4)


def ipv6(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """An IPv6 address of the documentation network (96 bits)."""
    return draw_other(keyed, "ip", text, _ipv6)


def mac(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """A hardware address of the documentation range (one of 256), written as `text` is."""
    form = text if _MAC.fullmatch(text) else "00:00:00:00:00:00"
    digits = "".join(_HEX_DIGIT.findall(form)).lower() if form is text else None

    def build(draws: Draws) -> str:
        following = iter(f"{_MAC_RANGE}{draws.below(256):02x}")
        return _HEX_DIGIT.sub(lambda _: next(following), form)

    return draw_other(keyed, "mac", text, build, same=digits)


def _email(draws: Draws, domain: str) -> str:
    # Of English words in every locale: mail addresses are ASCII (RFC 5321, section 4.1.2).
    words = dictionaries()
    first, last = draws.pick(words.first_names), draws.pick(words.last_names)
    local = f"{first}.{last}.{draws.text(_EMAIL_TAG, TAG_ALPHABET)}"
    return f"{local}@{domain or draws.pick(_DOMAINS)}".lower()


def _username(draws: Draws) -> str:
    return f"{draws.pick(dictionaries().last_names)}.{draws.text(_USERNAME_TAG, TAG_ALPHABET)}".lower()


def _url(draws: Draws) -> str:
    return f"https://{draws.pick(_DOMAINS)}/{draws.text(_URL_TAG, TAG_ALPHABET)}"


def _ipv4(draws: Draws) -> str:
    return f"{draws.pick(_NETWORKS)}.{draws.below(254) + 1}"


def _ipv6(draws: Draws) -> str:
    return str(ipaddress.IPv6Address(_IPV6_NETWORK + draws.below(2**96)))
