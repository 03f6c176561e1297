"""Addresses and organizations, composed of words; no composition is meant to exist, and some may."""

from __future__ import annotations

from phimask_plugins.maskers.faking.dictionaries import dictionaries
from phimask_plugins.maskers.faking.drawing import draw_other
from phimask_plugins.maskers.keyed import Draws, KeyedHash


def street(keyed: KeyedHash, text: str) -> str | None:
    """A house number and a street: `4711 Miller Crossing`."""
    return draw_other(keyed, "street", text, _street)


def city(keyed: KeyedHash, text: str) -> str | None:
    """A town: `Port Garciaville`."""
    return draw_other(keyed, "city", text, _city)


def state(keyed: KeyedHash, text: str) -> str | None:
    """A state of the United States, by its two letters if `text` has two."""
    words = dictionaries()
    choices = words.state_codes if len(text) == len("MA") else words.states
    return draw_other(keyed, "state", text, lambda draws: draws.pick(choices))


def organization(keyed: KeyedHash, text: str) -> str | None:
    """A company's name: `Miller, Garcia and Jones`, `Miller Group`."""
    return draw_other(keyed, "organization", text, _organization)


def _street(draws: Draws) -> str:
    words = dictionaries()
    return f"{draws.below(9999) + 1} {draws.pick(words.last_names)} {draws.pick(words.street_suffixes)}"


def _city(draws: Draws) -> str:
    words = dictionaries()
    prefix = f"{draws.pick(words.city_prefixes)} " if draws.below(2) else ""
    return f"{prefix}{draws.pick(words.last_names)}{draws.pick(words.city_suffixes)}"


def _organization(draws: Draws) -> str:
    words = dictionaries()
    first, second, third = (draws.pick(words.last_names) for _ in range(3))
    form = draws.below(3)
    if form == 0:
        return f"{first} {draws.pick(words.company_suffixes)}"
    return f"{first}-{second}" if form == 1 else f"{first}, {second} and {third}"
