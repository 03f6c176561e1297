"""The words fakes are made of: Faker's data for one locale, sorted, so that its own order does not matter.

A fake is a pick from these words. With other words under the same key there are other fakes, so Faker's version
is bounded, and `digest` tells whether two installations have the same ones.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DEFAULT_LOCALE: Final = "en_US"
_LOCALE: Final = re.compile(r"[a-z]{2,3}_[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Dictionaries:
    """Words without repeats, in code point order; empty where Faker has none for the locale."""

    first_names: tuple[str, ...]
    first_names_male: tuple[str, ...]
    first_names_female: tuple[str, ...]
    last_names: tuple[str, ...]
    last_names_male: tuple[str, ...]
    last_names_female: tuple[str, ...]
    name_prefixes: tuple[str, ...]
    name_prefixes_male: tuple[str, ...]
    name_prefixes_female: tuple[str, ...]
    name_suffixes: tuple[str, ...]
    streets: tuple[str, ...]
    street_prefixes: tuple[str, ...]
    street_suffixes: tuple[str, ...]
    cities: tuple[str, ...]
    city_prefixes: tuple[str, ...]
    city_suffixes: tuple[str, ...]
    states: tuple[str, ...]
    state_codes: tuple[str, ...]
    counties: tuple[str, ...]
    countries: tuple[str, ...]
    country_codes: tuple[str, ...]
    country_codes_3: tuple[str, ...]
    company_suffixes: tuple[str, ...]
    jobs: tuple[str, ...]
    number_first: bool
    """Whether the house number stands before the street."""
    street_suffix_apart: bool
    city_suffix_apart: bool
    """Whether there is a space before the suffix: `Miller Road`, `Millerville`."""


@functools.cache
def dictionaries(locale: str = DEFAULT_LOCALE) -> Dictionaries:
    """Read once for each locale, when first asked for; what Faker has for no locale but its own default comes from
    that, as in Faker itself. Raises ValueError for a locale that Faker does not know at all."""
    # Importing these takes a third of a second, which only those who fake should wait for.
    if not _LOCALE.fullmatch(locale) or not any(_has(subject, locale) for subject in ("person", "address")):
        raise ValueError(f"Faker has no locale {locale!r}; take one such as en_US, es_MX, de_DE or fr_CA")
    person, address = _Source("person", locale), _Source("address", locale)
    male, female = person.words("first_names_male"), person.words("first_names_female")
    last_male, last_female = person.words("last_names_male"), person.words("last_names_female")
    prefixes_male, prefixes_female = person.words("prefixes_male"), person.words("prefixes_female")
    return Dictionaries(
        first_names=person.words("first_names") or _united(male, female),
        first_names_male=male,
        first_names_female=female,
        last_names=person.words("last_names", "unisex_last_names") or _united(last_male, last_female),
        last_names_male=last_male,
        last_names_female=last_female,
        name_prefixes=_united(person.words("prefixes"), prefixes_male, prefixes_female),
        name_prefixes_male=prefixes_male,
        name_prefixes_female=prefixes_female,
        name_suffixes=_united(
            person.words("suffixes"), person.words("suffixes_male"), person.words("suffixes_female")
        ),
        streets=address.words("street_names", "streets"),
        street_prefixes=address.words("street_prefixes"),
        street_suffixes=address.words("street_suffixes", "street_suffixes_long"),
        cities=address.words("cities", "city_names"),
        city_prefixes=address.words("city_prefixes"),
        city_suffixes=address.words("city_suffixes"),
        states=address.words("states", "regions", "provinces"),
        state_codes=address.words("states_abbr", "provinces_abbr"),
        counties=address.words("counties"),
        countries=address.words("countries", inherited=True),
        country_codes=address.words("alpha_2_country_codes", inherited=True),
        country_codes_3=address.words("alpha_3_country_codes", inherited=True),
        company_suffixes=_Source("company", locale).words("company_suffixes", inherited=True),
        jobs=_Source("job", locale).words("jobs", inherited=True),
        number_first=address.number_first,
        street_suffix_apart=address.apart("street_name_formats", "street_suffix"),
        city_suffix_apart=address.apart("city_formats", "city_suffix"),
    )


def digest(locale: str, names: Sequence[str]) -> str:
    """SHA-256 over the named dictionaries of a locale, in hex: equal where the words are.

    Source: FIPS 180-4.
    """
    words = dictionaries(locale)
    told = hashlib.sha256()
    for name in names:
        value = getattr(words, name)
        told.update(f"{name}\0{chr(0).join(value) if isinstance(value, tuple) else value}\1".encode())
    return told.hexdigest()


class _Source:
    """One of Faker's providers, for one locale."""

    def __init__(self, subject: str, locale: str) -> None:
        base = f"faker.providers.{subject}"
        name = f"{base}.{locale if _has(subject, locale) else DEFAULT_LOCALE}"
        self._base = importlib.import_module(base).Provider
        self._provider = importlib.import_module(name).Provider

    def words(self, *names: str, inherited: bool = False) -> tuple[str, ...]:
        """The first of the lists that there is, its weights left out.

        What all locales inherit counts only if `inherited`: John and Jane stand in for lists that are missing.
        """
        for name in names:
            found = getattr(self._provider, name, ())
            if not inherited and found is getattr(self._base, name, ()):
                continue
            if isinstance(found, Mapping | Sequence) and all(isinstance(word, str) for word in found):
                return tuple(sorted({word.strip() for word in found if word.strip()}))
        return ()

    @property
    def number_first(self) -> bool:
        """Whether addresses are written with the house number before the street."""
        (form, *_) = getattr(self._provider, "street_address_formats", None) or ("",)
        return bool(form.find("building_number") <= form.find("street_name"))

    def apart(self, formats: str, part: str) -> bool:
        """Whether there is a space before a part in the forms of a name."""
        return any(f" {{{{{part}" in form for form in getattr(self._provider, formats, ()))


def _has(subject: str, locale: str) -> bool:
    return importlib.util.find_spec(f"faker.providers.{subject}.{locale}") is not None


def _united(*lists: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({word for words in lists for word in words}))
