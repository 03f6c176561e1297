"""The words fakes are made of: Faker's data for the United States, sorted, so that its own order does not matter."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dictionaries:
    """Words without repeats, in code point order."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    street_suffixes: tuple[str, ...]
    city_prefixes: tuple[str, ...]
    city_suffixes: tuple[str, ...]
    states: tuple[str, ...]
    state_codes: tuple[str, ...]
    company_suffixes: tuple[str, ...]


@functools.cache
def dictionaries() -> Dictionaries:
    """Read once. A version of Faker with other words gives other fakes under the same key."""
    # Importing these takes a third of a second, which only those who fake should wait for.
    from faker.providers.address.en_US import Provider as Address  # noqa: PLC0415
    from faker.providers.company import Provider as Company  # noqa: PLC0415
    from faker.providers.person.en_US import Provider as Person  # noqa: PLC0415

    return Dictionaries(
        first_names=_words(Person.first_names),
        last_names=_words(Person.last_names),
        street_suffixes=_words(Address.street_suffixes),
        city_prefixes=_words(Address.city_prefixes),
        city_suffixes=_words(Address.city_suffixes),
        states=_words(Address.states),
        state_codes=_words(Address.states_abbr),
        company_suffixes=_words(Company.company_suffixes),
    )


def _words(source: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(source)))
