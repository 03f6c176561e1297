"""Addresses and organizations, composed of words; no composition is meant to exist, and some may."""

from __future__ import annotations

import re
from typing import Final

from phimask_plugins.maskers.faking.drawing import PLAIN, Manner, draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash

_UNIT: Final = re.compile(
    r"(#\s*|(?:apartment|apt|suite|ste|unit|room|rm|floor|fl|building|bldg|trailer|trlr|lot|space|spc|"
    r"p\.?\s?o\.?\s?box|box)\b\.?\s*#?\s*)[\w-]{1,12}",
    re.IGNORECASE,
)
"""Designators of the second line, as in USPS Publication 28, appendix C2."""
_COUNTY: Final = re.compile(r".*\b(county|parish|borough)", re.IGNORECASE)
_ALPHA_3: Final = 3


def street(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A house number and a street: `4711 Miller Crossing`."""
    return draw_other(keyed, "street", text, lambda draws: _street(draws, manner), near=manner.keep_length)


def secondary_address(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """A flat, suite or box, its designator kept: `Suite 412`; `Apt. 412` if that is unclear."""
    unit = _UNIT.fullmatch(text)
    front = unit[1] if unit is not None else "Apt. "
    return draw_other(keyed, "secondary_address", text, lambda draws: f"{front}{draws.below(999) + 1}")


def city(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A town: `Port Garciaville`."""
    return draw_other(keyed, "city", text, lambda draws: _city(draws, manner), near=manner.keep_length)


def county(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A county, followed by `County`, `Parish` or `Borough` if `text` is."""
    found = _COUNTY.fullmatch(text)
    tail = f" {found[1]}" if found is not None else ""
    choices = manner.words.counties or manner.words.last_names
    return draw_other(
        keyed, "county", text, lambda draws: f"{draws.pick(choices)}{tail}", near=manner.keep_length
    )


def state(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A state, province or region, by its two letters if `text` has two."""
    words = manner.words
    choices = words.state_codes if len(text) == len("MA") and words.state_codes else words.states
    return draw_other(keyed, "state", text, lambda draws: draws.pick(choices))


def state_code(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A state's or province's letters: `MA`."""
    return draw_other(keyed, "state", text, lambda draws: draws.pick(manner.words.state_codes))


def country(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A country's name."""
    return draw_other(keyed, "country", text, lambda draws: draws.pick(manner.words.countries))


def country_code(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A country's letters, of ISO 3166-1: three if `text` has three, else two."""
    words = manner.words
    choices = words.country_codes_3 if len(text) == _ALPHA_3 else words.country_codes
    return draw_other(keyed, "country_code", text, lambda draws: draws.pick(choices))


def organization(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A company's name: `Miller, Garcia and Jones`, `Miller Group`."""
    return draw_other(
        keyed, "organization", text, lambda draws: _organization(draws, manner), near=manner.keep_length
    )


def job(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """An occupation: `Engineer, mining`."""
    return draw_other(
        keyed, "job", text, lambda draws: draws.pick(manner.words.jobs), near=manner.keep_length
    )


def _street(draws: Draws, manner: Manner) -> str:
    words = manner.words
    number = draws.below(9999) + 1
    name = draws.pick(words.streets) if words.streets else draws.pick(words.last_names)
    if not words.streets and words.street_suffixes:
        suffix = draws.pick(words.street_suffixes)
        name = f"{name} {suffix}" if words.street_suffix_apart or suffix[0].isupper() else f"{name}{suffix}"
    if words.street_prefixes:
        name = f"{draws.pick(words.street_prefixes)} {name}"
    return f"{number} {name}" if words.number_first else f"{name} {number}"


def _city(draws: Draws, manner: Manner) -> str:
    words = manner.words
    if words.cities:
        return draws.pick(words.cities)
    prefix = f"{draws.pick(words.city_prefixes)} " if words.city_prefixes and draws.below(2) else ""
    name = draws.pick(words.last_names)
    suffix = draws.pick(words.city_suffixes) if words.city_suffixes else ""
    return f"{prefix}{name}{' ' if suffix and words.city_suffix_apart else ''}{suffix}"


def _organization(draws: Draws, manner: Manner) -> str:
    words = manner.words
    first, second, third = (draws.pick(words.last_names) for _ in range(3))
    form = draws.below(3)
    if form == 0 and words.company_suffixes:
        return f"{first} {draws.pick(words.company_suffixes)}"
    return f"{first}-{second}" if form == 1 else f"{first}, {second} and {third}"
