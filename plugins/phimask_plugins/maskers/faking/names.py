"""Names of people: a full name is faked part by part, as the same parts are where they stand alone."""

from __future__ import annotations

import functools
import string
import unicodedata
from typing import Final

from phimask_plugins.maskers.faking.drawing import PLAIN, Manner, draw_other, normal
from phimask_plugins.maskers.keyed import KeyedHash

_TITLES: Final = frozenset({"dr", "mr", "mrs", "ms", "miss", "mx", "prof", "sir", "rev"})
_SUFFIXES: Final = frozenset(
    {"jr", "sr", "ii", "iii", "iv", "md", "do", "phd", "rn", "np", "pa", "esq", "dds"}
)
_PARTICLES: Final = frozenset(
    {"al", "bin", "da", "de", "del", "della", "den", "der", "di", "dos", "du", "el", "ibn", "la", "le", "mac",
     "mc", "san", "santa", "st", "ten", "ter", "van", "von", "zu"}
)  # fmt: skip
_BETWEEN: Final = frozenset(" .-,'")
_MOST_INITIALS: Final = 32
_MOST_WORDS: Final = 10
"""What has more words is no name but a text, and is faked as one thing."""


def first_name(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A first name for each word of `text`, an initial for an initial.

    With `keep_gender` a name that only women or only men have gets one that they have, too.
    """
    words = text.split()
    if len(words) > _MOST_WORDS:
        return _given(keyed, text, manner)
    fakes = [_initial(keyed, word) if _is_initial(word) else _given(keyed, word, manner) for word in words]
    return _joined(fakes)


def last_name(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """One last name for the whole of `text`; a suffix such as Jr. is left out.

    With `keep_gender` it has a woman's or man's form where the locale has such and `text` is one of them.
    """
    if len(text.split(None, _MOST_WORDS)) <= _MOST_WORDS:
        text = " ".join(_without_suffixes(text.split()))
    words = manner.words
    choices = words.last_names
    if manner.keep_gender:
        choices = _of_gender(text, words.last_names_female, words.last_names_male) or choices
    return draw_other(keyed, "last_name", text, lambda draws: draws.pick(choices), near=manner.keep_length)


def full_name(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A name of the same form, `First Middle Last` or `Last, First Middle`.

    A title such as Dr. stays, a suffix such as Jr. or MD is left out; a lone word counts as a last name.
    """
    if len(text.split(None, _MOST_WORDS)) > _MOST_WORDS:
        return _joined([_given(keyed, text, manner), last_name(keyed, text, manner)])
    family, comma, rest = text.partition(",")
    if comma and (given := _without_suffixes(rest.replace(",", " ").split())) and not _all_suffixes(given):
        titles, given = _split_titles(given)
        return _of_parts(keyed, text, manner, titles, given, family, comma=True)
    words = _without_suffixes(text.replace(",", " ").split())
    titles, words = _split_titles(words)
    start = _family_start(words)
    return _of_parts(keyed, text, manner, titles, words[:start], " ".join(words[start:]), comma=False)


def name_prefix(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """A title: `Dr.`; with `keep_gender`, Mrs. becomes none of a man's."""
    words = manner.words
    choices = words.name_prefixes
    if manner.keep_gender:
        alike = _of_gender(text, words.name_prefixes_female, words.name_prefixes_male)
        choices = alike if len(alike) > 1 else choices
    return draw_other(keyed, "name_prefix", text, lambda draws: draws.pick(choices))


def name_suffix(keyed: KeyedHash, text: str, manner: Manner = PLAIN) -> str | None:
    """What follows a name: `Jr.`, `MD`."""
    return draw_other(keyed, "name_suffix", text, lambda draws: draws.pick(manner.words.name_suffixes))


def initials(keyed: KeyedHash, text: str, _: Manner = PLAIN) -> str | None:
    """Each letter becomes what it does as an initial in a name; dots, dashes and spaces stay. None without a letter."""
    text = unicodedata.normalize("NFC", text)
    if len(text) > _MOST_INITIALS or not any(map(_is_initial, text)):
        return None
    fakes = [letter if letter in _BETWEEN else _initial(keyed, letter) for letter in text]
    return "".join(fake or "" for fake in fakes)


def _of_parts(
    keyed: KeyedHash,
    text: str,
    manner: Manner,
    titles: list[str],
    given: list[str],
    family: str,
    *,
    comma: bool,
) -> str | None:
    parts = [first_name(keyed, " ".join(given), manner) if given else ""]
    parts.append(last_name(keyed, family, manner) if family.strip() else "")
    if None in parts:
        return None
    first, last = parts
    front = " ".join([*titles, first or ""]).strip()
    result = f"{last}, {front}" if comma else f"{front} {last}"
    result = result.strip(" ,")
    return result if result and normal(result) != normal(text) else None


def _given(keyed: KeyedHash, word: str, manner: Manner) -> str | None:
    words = manner.words
    choices = words.first_names
    if manner.keep_gender:
        choices = _of_gender(word, words.first_names_female, words.first_names_male) or choices
    return draw_other(keyed, "first_name", word, lambda draws: draws.pick(choices), near=manner.keep_length)


def _of_gender(text: str, female: tuple[str, ...], male: tuple[str, ...]) -> tuple[str, ...]:
    """The one of the lists that has `text`; nothing if both do, or neither."""
    name = normal(text)
    is_female, is_male = name in _normals(female), name in _normals(male)
    return () if is_female == is_male else female if is_female else male


@functools.lru_cache(maxsize=64)
def _normals(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(normal, words))


def _initial(keyed: KeyedHash, word: str) -> str | None:
    letter = draw_other(keyed, "initial", word[0], lambda draws: draws.pick(string.ascii_uppercase))
    return None if letter is None else letter + word[1:]


def _is_initial(word: str) -> bool:
    return (word[0].isupper() or word[0].islower()) and word[1:] in ("", ".")


def _joined(words: list[str | None]) -> str | None:
    known = [word for word in words if word is not None]
    return " ".join(known) if len(known) == len(words) and known else None


def _bare(word: str) -> str:
    return word.replace(".", "").strip(",").casefold()


def _all_suffixes(words: list[str]) -> bool:
    return all(_bare(word) in _SUFFIXES for word in words)


def _without_suffixes(words: list[str]) -> list[str]:
    end = len(words)
    while end > 1 and _bare(words[end - 1]) in _SUFFIXES:
        end -= 1
    return words[:end]


def _split_titles(words: list[str]) -> tuple[list[str], list[str]]:
    start = 0
    while start < len(words) - 1 and _bare(words[start]) in _TITLES:
        start += 1
    return words[:start], words[start:]


def _family_start(words: list[str]) -> int:
    """Where the last name begins: at its particles (van der Berg), but never at the first of several words."""
    start = len(words) - 1
    while start > 1 and _bare(words[start - 1]) in _PARTICLES:
        start -= 1
    return start
