"""The words that tell names from other capitalized words: names out of Faker's data, and words that are none."""

from __future__ import annotations

import functools
import importlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from phimask_plugins.detectors.lists import words

_USUAL: Final = "en_US"
_OTHERS: Final = (
    "en_GB", "en_IN", "en_NZ", "en_PK", "es_ES", "es_MX", "fr_FR", "de_DE", "it_IT", "pt_BR", "pl_PL", "nl_NL",
    "sv_SE", "zh_CN", "ja_JP", "vi_VN",
)  # fmt: skip
"""Whose names are written in Latin letters; where one has none, nothing is found."""
_WORD: Final = re.compile(r"[A-Z][A-Za-z'-]{1,24}")

AMBIGUOUS: Final = words("ambiguous")
"""Names that are words as well, or that other words look like: they need a name beside them."""
NO_NAME: Final = words("no_name")
"""Words that begin sentences, headings and clinical terms, and that are no name whatever stands beside them."""
TERMS: Final = words("terms")
"""What a discoverer's name stands before in medicine: Barrett's esophagus, the Wells score."""
FACILITY: Final = words("facility")
"""What follows a capitalized word to make a place or an institution of it."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names as words with a capital, accents taken off."""

    first: frozenset[str]
    last: frozenset[str]
    alone: frozenset[str]
    """Usual first names that are nothing else, so that they stand out by themselves."""


@functools.cache
def names() -> Names:
    """Read once, which takes about a second."""
    first = set(_read(_USUAL, "first_"))
    last = set(_read(_USUAL, "last_"))
    alone = frozenset(name for name in first if len(name) > 2) - AMBIGUOUS - NO_NAME - _common()
    for locale in _OTHERS:
        first.update(_read(locale, "first_"))
        last.update(_read(locale, "last_"))
    return Names(frozenset(first - NO_NAME), frozenset(last - NO_NAME), alone)


def is_common(word: str) -> bool:
    """Whether it is a word of the language, name or not: in any case."""
    capital = word[:1].upper() + word[1:].lower()
    return capital in AMBIGUOUS or capital in NO_NAME or capital in _common()


def _read(locale: str, kind: str) -> Iterator[str]:
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    for attribute in dir(provider):
        lists = getattr(provider, attribute)
        if attribute.startswith(kind) and isinstance(lists, tuple | list | dict):
            for name in lists:
                plain = "".join(
                    one for one in unicodedata.normalize("NFKD", str(name)) if not unicodedata.combining(one)
                )
                if _WORD.fullmatch(plain):
                    yield plain


@functools.cache
def _common() -> frozenset[str]:
    from faker.providers.lorem.en_US import Provider  # noqa: PLC0415  (takes its time, as all of Faker)

    return frozenset(word.capitalize() for word in Provider.word_list)
