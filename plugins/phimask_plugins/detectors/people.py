"""How names of people are written, and which words may be parts of one."""

from __future__ import annotations

import re
from typing import Final

from phimask_plugins.detectors.words import FACILITY, NO_NAME, TERMS, is_word, names, remembered

WORD: Final = (
    r"(?:[A-Z][a-z]+(?:[A-Z][a-z]+)?|[A-Z]{2,20}|[A-Z]'[A-Z][a-z]+|[A-Z]'[A-Z]{2,20})"
    r"(?:-[A-Za-z][A-Za-z']{1,20}){0,2}"
)
PARTICLES: Final = "van|von|de|del|della|der|den|da|di|du|la|le|el|al|bin|bint|ibn|dos|st|ter|ten|ni|af|av"
PARTICLE: Final = rf"(?:(?:(?:{PARTICLES})\.? |(?:al|el|ul|as|ad|ar)-)){{1,2}}"
INITIAL: Final = r"[A-Z](?:\.|(?![\w'-]))"
_MORE: Final = re.compile(
    rf" {{1,2}}(?:(?P<initial>{INITIAL})|(?P<particle>{PARTICLE})?(?P<word>{WORD})(?![\w]))"
)
_GIVEN: Final = re.compile(rf", {{0,2}}(?:(?P<initial>{INITIAL})|(?P<word>{WORD})(?!\w))(?: {INITIAL})?")
_BEFORE: Final = re.compile(rf"(?<![\w'@.-])(?:(?:{WORD}|[A-Z]\.?) (?:{PARTICLE})?){{0,3}}{WORD}\Z")
_LONGEST: Final = 72
CREDENTIALS: Final = (
    r"M\.?D|D\.?O|R\.?N|N\.?P|PA-C|P\.?A|A?PRN|APRN|CRNA|LPN|BSN|MSN|DNP|CNM|FNP(?:-BC|-C)?|PharmD|R\.?Ph|Ph\.?D|"
    r"Psy\.?D|LCSW|LMSW|LICSW|MSW|LPC|LMFT|DPM|DDS|DMD|DPT|OTR(?:/L)?|RDN?|CCC-SLP|RRT|MBBS|FACS|FACP|FRCP|MPH|EMT(?:-P)?"
)
CREDENTIAL: Final = rf"(?:{CREDENTIALS})\b\.?(?!\w)"
_CREDENTIAL: Final = re.compile(CREDENTIAL)
_TITLED_AFTER: Final = re.compile(rf"(?:,? {{1,2}}{CREDENTIAL}){{1,3}}")
_AFTER: Final = re.compile(r"(?:'s)?[ -]([A-Za-z]+)")
_AFTER_STARTS: Final = (" ", "-", "'s")


def capital(word: str) -> str:
    """A word as the dictionaries have it."""
    return word if word[1:].islower() else word[0] + word[1:].lower() if word.isupper() else word


@remembered
def is_first(word: str) -> bool:
    """Whether it is known as a first name, or begins with one and a hyphen."""
    first = names().first
    return (
        word in first or capital(word) in first or ("-" in word and capital(word.partition("-")[0]) in first)
    )


@remembered
def is_last(word: str) -> bool:
    """Whether it is known as a last name, or ends with one after a hyphen."""
    last = names().last
    return word in last or capital(word) in last or ("-" in word and capital(word.rpartition("-")[2]) in last)


@remembered
def is_none(word: str) -> bool:
    """Whether it is no name whatever stands beside it."""
    return word in NO_NAME or word in FACILITY or (word.isupper() and capital(word) in NO_NAME)


@remembered
def is_likely(word: str) -> bool:
    """Whether it is known as a name, or no word that is known otherwise. Of what is all in capitals only names are."""
    if is_none(word):
        return False
    return is_first(word) or is_last(word) or not (word.isupper() or is_word(word))


def is_term(text: str, end: int) -> bool:
    """Whether what follows makes a discoverer of a person, or a place."""
    after = _AFTER.match(text, end) if text.startswith(_AFTER_STARTS, end) else None
    return after is not None and (after[1].lower() in TERMS or after[1] in FACILITY)


def more(text: str, end: int) -> re.Match[str] | None:
    """One more word or initial of a name that ends here so far."""
    return _MORE.match(text, end)


def given(text: str, end: int) -> re.Match[str] | None:
    """What follows a last name and a comma."""
    return _GIVEN.match(text, end)


def onward(text: str, end: int, most: int = 3) -> int:
    """The end of a name that has begun: further words, and what its bearer has studied."""
    for _ in range(most):
        one = _MORE.match(text, end) if text.startswith(" ", end) else None
        if one is None or (one["word"] and (is_none(one["word"]) or is_credential(one["word"]))):
            break
        end = one.end()
    titles = _TITLED_AFTER.match(text, end) if text.startswith((",", " "), end) else None
    return end if titles is None else titles.end()


def is_credential(word: str) -> bool:
    """Whether it stands behind names: MD, RN."""
    return _CREDENTIAL.fullmatch(word) is not None


def backward(text: str, end: int) -> tuple[int, list[str]] | None:
    """The start and the words of the name that ends here, if what stands here may be one."""
    match = _BEFORE.search(text, max(0, end - _LONGEST), end)
    if match is None:
        return None
    start, words = match.start(), match[0].split(" ")
    while words and not (is_likely(words[0]) or (len(words) > 1 and len(words[0].rstrip(".")) == 1)):
        start += len(words.pop(0)) + 1
    return (start, words) if words else None
