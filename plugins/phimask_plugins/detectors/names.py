"""Names of people: by titles, by the words before them, by dictionaries of first and last names."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors.known import known
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Found, Rule, Scan
from phimask_plugins.detectors.words import AMBIGUOUS, FACILITY, NO_NAME, TERMS, names

_WORD: Final = (
    r"(?:[A-Z][a-z]+(?:[A-Z][a-z]+)?|[A-Z]{2,20}|[A-Z]'[A-Z][a-z]+|"
    r"[A-Z]'[A-Z]{2,20})(?:-[A-Z][A-Za-z]{1,20})?"
)
_PARTICLE: Final = (
    r"(?:(?:van|von|de|del|della|der|den|da|di|du|la|le|el|al|bin|ibn|dos|st\.?|ter|ten) ){1,2}"
)
_TITLE: Final = r"(?:Dr|Mrs?|Ms|Miss|Mx|Prof|Doctor|Professor|DR|MRS?|MS|PROF)"
_MORE: Final = re.compile(
    rf" {{1,2}}(?:(?P<initial>[A-Z](?:\.|(?![\w'-])))|(?P<particle>{_PARTICLE})?(?P<word>{_WORD})(?![\w]))"
)
_GIVEN: Final = re.compile(
    rf", {{0,2}}(?:(?P<initial>[A-Z](?:\.|(?![\w'-])))|(?P<word>{_WORD})(?!\w))(?: [A-Z](?:\.|(?![\w'-])))?"
)
_AFTER: Final = re.compile(r"(?:'s)?[ -]([A-Za-z]+)")
_RELATIONS: Final = (
    r"(?:named?|called|patient(?: name)?|pt(?: name)?|client|mother|father|mom|dad|wife|husband|spouse|"
    r"partner|daughter|son|sister|"
    r"brother|aunt|uncle|niece|nephew|cousin|friend|guardian|caregiver|attending|resident|surgeon|"
    r"physician|provider|pcp|nurse|"
    r"therapist|cardiologist|oncologist|neurologist|psychiatrist|radiologist|pathologist|pharmacist|"
    r"signed by|seen by|"
    r"referred by|reviewed by|dictated by|transcribed by|ordered by|interpreted by|performed by|"
    r"prescribed by|authori[sz]ed by|"
    r"discussed with|spoke with|spoke to|contacted|cc|re|regarding|name is|i am|this is|emergency contact|"
    r"next of kin|for|with|case of|"
    r"under|by|and|to|of|about)"
)
_STRONG: Final = frozenset(
    {
        "named",
        "name",
        "called",
        "patient name",
        "pt name",
        "name is",
        "client",
        "emergency contact",
        "next of kin",
    }
)
_WEAK: Final = frozenset(
    {
        "for",
        "with",
        "by",
        "and",
        "to",
        "of",
        "about",
        "re",
        "cc",
        "under",
        "this is",
        "regarding",
        "contacted",
    }
)


def _bare(word: str) -> str:
    """A word as the dictionaries have it."""
    return word if word[1:].islower() else word[0] + word[1:].lower() if word.isupper() else word


def _is_first(word: str) -> bool:
    first = names().first
    return word in first or _bare(word) in first or ("-" in word and word.partition("-")[0] in first)


def _is_last(word: str) -> bool:
    last = names().last
    return word in last or _bare(word) in last or ("-" in word and word.rpartition("-")[2] in last)


def _is_none(word: str) -> bool:
    return word in NO_NAME or word in FACILITY or (word.isupper() and _bare(word) in NO_NAME)


def _is_term(text: str, end: int) -> bool:
    """Whether what follows makes a discoverer of a person, or a place."""
    after = _AFTER.match(text, end)
    return after is not None and (after[1].lower() in TERMS or after[1] in FACILITY)


def _titled(match: re.Match[str]) -> Found | None:
    word = match["word"]
    if word is not None and _is_none(word) and not _is_last(word):
        return None
    end = match.end()
    text = match.string
    for _ in range(3):
        more = _MORE.match(text, end)
        if more is None or (more["word"] and _is_none(more["word"])):
            break
        end = more.end()
    return match.start(), end, 0.9


def _untitled(match: re.Match[str]) -> Found | None:
    """A title in lower case: what follows is a name if it is known as one."""
    word = match["word"].capitalize()
    known = _is_last(word) or _is_first(word)
    return (*match.span(), 0.7) if known and word not in NO_NAME else None


def _pair(match: re.Match[str]) -> Found | None:
    word, text, start, end = match["word"], match.string, match.start(), match.end("word")
    if word in NO_NAME or word in FACILITY:
        return None
    if text[end] == ",":
        return _reversed(match)
    first = _is_first(word)
    more = _MORE.match(text, end)
    if more is None:
        return None
    if more["initial"]:
        following = _MORE.match(text, more.end())
        dotted = more["initial"].endswith(".")
        if (
            following
            and following["word"]
            and (first or _is_last(following["word"]))
            and not _is_none(following["word"])
            and not _is_term(text, following.end())
        ):
            return start, following.end(), 0.9 if first else 0.7
        if word.isupper() or _is_term(text, more.end()):
            return None
        if not first:
            # As clinicians shorten names; between commas it is no numbered thing.
            return (start, more.end(), 0.55) if dotted and text[start - 2 : start] == ", " else None
        if word in AMBIGUOUS and not dotted:
            return None
        return start, more.end(), 0.85 if dotted else 0.6
    second = more["word"]
    if _is_none(second) or (word.isupper() != second.isupper() and len(second) < 4):
        return None
    last, end = _is_last(second), more.end()
    third = _MORE.match(text, end)
    if (
        third
        and third["word"]
        and _is_last(third["word"])
        and not _is_none(third["word"])
        and not word.isupper()
        and first
        and (last or _is_first(second))
    ):
        last, end = True, third.end()
    if _is_term(text, end):
        return None
    if first:
        if last:
            return start, end, 0.9
        return None if word in AMBIGUOUS or word.isupper() else (start, end, 0.75)
    if word.isupper():
        return None
    if last and second not in AMBIGUOUS:
        return start, end, 0.55
    return (start, end, 0.6) if _is_last(word) and second in names().alone else None


def _reversed(match: re.Match[str]) -> Found | None:
    """`Last, First`."""
    word, text = match["word"], match.string
    given = _GIVEN.match(text, match.end("word"))
    if given is None or not _is_last(word):
        return None
    if given["initial"]:
        certain = given["initial"].endswith(".") and word not in AMBIGUOUS
        return (match.start(), given.end(), 0.6) if certain else None
    if _is_none(given["word"]) or not _is_first(given["word"]) or _is_term(text, given.end()):
        return None
    if _is_first(word) and not word.isupper():
        # Two first names may as well be a list of two people; either way they are names.
        return match.start(), given.end(), 0.6
    return match.start(), given.end(), 0.85


def _related(match: re.Match[str]) -> Found | None:
    """A capitalized word or several after a word that a name follows."""
    relation, text, start = match["relation"].lower(), match.string, match.start("word")
    word, end = match["word"], match.end("word")
    if _is_none(word) or (word.isupper() and len(word) < 4 and relation not in _STRONG):
        return None
    strong = relation in _STRONG or match["mark"] == ":"
    parts = 1
    for _ in range(2):
        more = _MORE.match(text, end)
        if more is None or (more["word"] and _is_none(more["word"])):
            break
        end = more.end()
        parts += 1
    if _is_term(text, end):
        return None
    if relation in _WEAK:
        return (start, end, 0.55) if parts == 1 and word in names().alone else None
    known = _is_first(word) or _is_last(word)
    if parts > 1:
        return start, end, 0.8 if strong or known else 0.55
    if strong:
        return start, end, 0.75
    return (start, end, 0.6) if known and word not in AMBIGUOUS else None


class NameDetector(PatternDetector):
    """Names of people: after a title (0.9); a known first name with a last name or an initial (0.6 to 0.9), also
    `Last, First`; after words such as `patient`, `named` or `seen by` (0.55 to 0.8); usual first names alone (0.55).
    Discoverers before a sign, score or syndrome are none. The title belongs to the name.

    Source: 45 CFR 164.514(b)(2)(i)(A); the names of Faker's data, without those that are words as well.
    """

    name: ClassVar[str] = "name"
    label: ClassVar[str] = "NAME"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"\b{_TITLE}\b\.? {{1,2}}(?:(?P<word>{_WORD})(?!\w)|[A-Z]\.)",
            (rf"\b{_TITLE}\b\.? {{1,2}}[A-Z]",),
            _titled,
        ),
        Rule(
            r"\b(?:dr|mr|mrs|ms|prof)\.? {1,2}(?P<word>[a-z]{2,20}(?:-[a-z]{2,20})?)\b",
            (r"\b(?:dr|mr|mrs|ms|prof)\.? {1,2}[a-z]",),
            _untitled,
        ),
        Rule(
            rf"(?<![\w'@.-])(?P<word>{_WORD})(?=,? {{1,2}}(?:[A-Z]|{_PARTICLE}[A-Z]))",
            (
                r"\b[A-Z][A-Za-z'-]*,? {1,2}(?:[A-Z]|(?:van|von|de|del|della|der|den|da|di|du|la|le|el|al|"
                r"bin|ibn|dos|st|ter|ten)\b)",
            ),
            _pair,
        ),
        Rule(
            rf"\b(?i:(?P<relation>{_RELATIONS}))\b(?P<mark>:?) {{1,2}}(?P<word>{_WORD})(?!\w)",
            (rf"\b(?i:{_RELATIONS}):? {{1,2}}[A-Z]",),
            _related,
        ),
    )

    def found(self, seen: Scan) -> list[Found]:
        """By the rules, and first names that stand alone."""
        result = super().found(seen)
        text = seen.form.text
        alone = names().alone
        for start, end in known(seen):
            if text[start:end] not in alone:
                continue
            before = text[start - 1] if start else " "
            if (
                before not in "@./_-'"
                and text[end : end + 1] not in ("@", "_", "/")
                and text[end : end + 2] != "'t"
                and not _is_term(text, end)
            ):
                result.append((start, end, 0.55))
        return result
