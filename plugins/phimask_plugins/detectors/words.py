"""The words that tell names from other capitalized words: names out of Faker's data, and words that are none."""

from __future__ import annotations

import functools
import importlib.util
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phimask_plugins.detectors.lists import words

_USUAL: Final = "en_US"
_OTHERS: Final = (
    "", "az_AZ", "cs_CZ", "da_DK", "de_AT", "de_CH", "de_DE", "en_GB", "en_IE", "en_IN", "en_KE", "en_NG", "en_NZ",
    "en_PK", "en_TH", "es_CL", "es_CO", "es_ES", "es_MX", "et_EE", "fi_FI", "fr_BE", "fr_CA", "fr_DZ", "fr_FR", "ga_IE",
    "ha_NG", "hr_HR", "hu_HU", "id_ID", "ig_NG", "it_IT", "ja_JP", "lt_LT", "lv_LV", "nl_BE", "nl_NL", "no_NO", "pl_PL",
    "pt_BR", "pt_PT", "ro_RO", "sk_SK", "sl_SI", "sv_SE", "tr_TR", "tw_GH", "vi_VN", "yo_NG", "zh_CN", "zu_ZA",
)  # fmt: skip
"""Whose names are written in Latin letters; where one has none, nothing is found."""
_SHORT: Final = re.compile("en_|es_|de_DE|fr_FR|it_|ja_|nl_NL|pl_|pt_BR|sv_|vi_|zh_")
"""Where names of two and three letters are usual; elsewhere they are mostly words of some language."""
_ASSIGNMENT: Final = re.compile(r"^    (\w+)(?:: [^=\n]+)? = ", re.MULTILINE)
_NEXT: Final = re.compile(r"^ {0,4}(?:def|class|@)", re.MULTILINE)
_STRING: Final = re.compile(r'"([^"\n]+)"')
_WORD: Final = re.compile(r"[A-Z][A-Za-z'-]{1,24}")

AMBIGUOUS: Final = words("ambiguous")
"""Names that are words as well, or that other words look like: they need a name beside them."""
NO_NAME: Final = words("no_name")
"""Words that begin sentences, headings and clinical terms, and that are no name whatever stands beside them."""
TERMS: Final = words("terms")
"""What a discoverer's name stands before in medicine: Barrett's esophagus, the Wells score."""
_ENDING: Final = re.compile(
    r"[a-z]{2,}(?:[ts]ion|ment|ness|itis|osis|a?emia|uria|pathy|[eo]ctomy|otomy|ostomy|plasty|scopy|graph|graphy|grams?|"
    r"logy|logic|logists?|trophy|algia|noma|penia|cytes?|genic|sartan|statin|mycin|micin|cillin|azole|olol|pril|dipine|"
    r"gliptin|flozin|glutide|formin|thiazide|semide|cycline|floxacin|ovir|[uix]mab|tinib|epam|azolam|bital|caine|"
    r"dronate|parin|xaban|gatran|triptan|setron|terol|sone|solone|profen|oxetine|alopram|apine|idone|azine|"
    r"bly|ally|ously|ively|ently|antly|arly|ately|able|ible|ical|onal|ular|eous|ious|tive|sive|ing|ivity|ility|"
    r"[ae]nces?|ships?|wards?|less|ful|ism|ized|ised|ated|tory|sory|ies|ents|ants|ions|ments)s?"
)
"""How words of the language and of medicine end, and few names do."""
FACILITY: Final = words("facility")
"""What follows a capitalized word to make a place or an institution of it."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names as words with a capital, accents taken off."""

    first: frozenset[str]
    last: frozenset[str]
    alone: frozenset[str]
    """First names that are nothing else, so that they stand out by themselves."""


_KEPT: Final = 4096
remembered: Final = functools.lru_cache(maxsize=_KEPT)
"""For what is decided about a word alone: few words make up most of all texts."""


@functools.cache
def names() -> Names:
    """Read once, which takes about a second."""
    first = set(_read(_USUAL, "first_"))
    last = set(_read(_USUAL, "last_"))
    alone = frozenset(name for name in first if len(name) > 2) - AMBIGUOUS - NO_NAME - _common()
    for locale in _OTHERS:
        short = _SHORT.match(locale) is not None
        first.update(name for name in _read(locale, "first_") if short or len(name) > 3)
        last.update(name for name in _read(locale, "last_") if short or len(name) > 3)
    alone |= {name for name in first - last if len(name) > 3 and name not in AMBIGUOUS and not is_word(name)}
    return Names(frozenset(first - NO_NAME), frozenset(last - NO_NAME), alone)


def is_common(word: str) -> bool:
    """Whether it is a word of the language, name or not: in any case."""
    capital = word[:1].upper() + word[1:].lower()
    return capital in AMBIGUOUS or capital in NO_NAME or capital in _common()


@remembered
def is_word(word: str) -> bool:
    """Whether it is more likely a word than the name of somebody of whom no list knows. Parts joined by hyphens are
    such if one of them is."""
    return any(
        is_common(part) or part.capitalize() in FACILITY or _ENDING.fullmatch(part.lower()) is not None
        for part in word.split("-")
    )


def _read(locale: str, kind: str) -> Iterator[str]:
    for name in _strings("person", locale, kind):
        plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
        if _WORD.fullmatch(plain):
            yield plain


@functools.cache
def _common() -> frozenset[str]:
    return frozenset(word.capitalize() for word in _strings("lorem", _USUAL, "word_list"))


def _strings(subject: str, locale: str, kind: str) -> Iterator[str]:
    """What stands in those of Faker's lists whose names have `kind` in them.

    They are read as text: to import any module of Faker's takes 50 MB and more, which each worker would pay.
    """
    spec = importlib.util.find_spec("faker")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("detectors take names from Faker, which is not installed")
    source = Path(spec.submodule_search_locations[0], "providers", subject, locale, "__init__.py")
    _, *assignments = _ASSIGNMENT.split(source.read_text(encoding="utf-8"))
    for name, values in zip(assignments[::2], assignments[1::2], strict=True):
        if name.startswith(kind) or f"_{kind}" in name:
            yield from _STRING.findall(_NEXT.split(values, maxsplit=1)[0])
