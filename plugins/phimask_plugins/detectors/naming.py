"""What is made of a match that may be somebody's name: the judges of the rules in `names`."""

from __future__ import annotations

import re
from typing import Final

from phimask_plugins.detectors import chat
from phimask_plugins.detectors.alternatives import any_of
from phimask_plugins.detectors.lists import words
from phimask_plugins.detectors.people import (
    CREDENTIAL,
    backward,
    given,
    is_credential,
    is_first,
    is_last,
    is_likely,
    is_none,
    is_term,
    more,
    onward,
)
from phimask_plugins.detectors.scanning import Found
from phimask_plugins.detectors.words import AMBIGUOUS, FACILITY, NO_NAME, TERMS, is_word

FOLLOWED: Final = any_of(words("deeds"))
_TITLES: Final = frozenset({"Dr", "Mr", "Mrs", "Ms", "Miss", "Prof", "Doctor", "DR", "MR", "MRS", "MS"})
"""What the rule for titles sees to."""
_STRONG: Final = frozenset(
    {"named", "name", "called", "client", "caller", "author", "patient name", "pt name", "name is", "emergency contact",
     "next of kin"}
)  # fmt: skip
NEED_COLON: Final = frozenset({"to", "from", "cc", "attn", "attention", "member", "re", "contact"})
_BEFORE_PAIR: Final = re.compile(
    r"(?:\b(?:for|by|with|per|re|and|from|of|to|pt|patient|called|saw|see|is|on|gave|told|asked|sent|add|"
    r"verified|between)|[:(;/&]|--|[-*])\s{0,2}\Z|(?:\A|\n)\s{0,3}\Z",
    re.IGNORECASE,
)
_AFTER_PAIR: Final = re.compile(
    rf",? (?:is|was|has|had|will|and|DOB|dob|MRN|mrn|aged?|{FOLLOWED}|\(|{CREDENTIAL}|\d{{1,3}}[ -]?[yMF])\b|"
    rf"[,;)]| \(|'s\b|\s*(?:\n|\Z)"
)
_NAMING: Final = re.compile(r"\b(?:by|with|per|to|from|than) \Z")
_NO_SPECIES: Final = frozenset(
    {
        "Coli",
        "Difficile",
        "Diff",
        "Pylori",
        "Aureus",
        "Pneumoniae",
        "Pneumonia",
        "Influenzae",
        "Albicans",
        "Fib",
        "Flutter",
    }
)


def titled(match: re.Match[str]) -> Found | None:
    """A title, and what follows it."""
    word = match["word"]
    if word is not None and is_none(word) and not is_last(word):
        return None
    return match.start(), onward(match.string, match.end()), 0.9


def untitled(match: re.Match[str]) -> Found | None:
    """A title in lower case: what follows is a name if it is known as one, or as nothing else."""
    word = match["word"].capitalize()
    if is_none(word) or not (is_last(word) or is_first(word) or not chat.is_plain(match["word"])):
        return None
    return match.start(), chat.onward(match.string, match.end()), 0.7


_RUN: Final = re.compile(r"[A-Za-z]+(?![\w'-])")
"""A word that the expression for one can only match whole."""


def at_pair(expression: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    """The first of two words, unless it begins no name."""
    word, _, _ = text[start : end - 1].partition(" ")
    if word[-1] == ",":
        if not is_last(word[:-1]):
            return None
    elif word in NO_NAME or word in FACILITY:
        return None
    return expression.match(text, start)


def at_label(expression: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    """A word that a name follows, unless what begins before `end` is none."""
    run = _RUN.match(text, end - 1)
    if run is not None and (run[0] in _TITLES or is_none(run[0])):
        return None
    return expression.match(text, start)


def at_last(expression: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    """A word before somebody, unless what begins before `end` is no last name."""
    run = _RUN.match(text, end - 1)
    return None if run is not None and not is_last(run[0]) else expression.match(text, start)


def pair(match: re.Match[str]) -> Found | None:
    """Two capitalized words or more, an initial among them or not."""
    word, text, start, end = match["word"], match.string, match.start(), match.end("word")
    if word in NO_NAME or word in FACILITY:
        return None
    if text[end] == ",":
        return _reversed(match)
    first = is_first(word)
    one = more(text, end)
    if one is None:
        return None
    if one["initial"]:
        following = more(text, one.end())
        dotted = one["initial"].endswith(".")
        if (
            following
            and following["word"]
            and (first or is_last(following["word"]))
            and not is_none(following["word"])
            and not is_term(text, following.end())
        ):
            return start, following.end(), 0.9 if first else 0.7
        if dotted and following and following["word"] and is_likely(word) and is_likely(following["word"]):
            return None if is_term(text, following.end()) else (start, following.end(), 0.55)
        if word.isupper() or is_term(text, one.end()):
            return None
        if not first:
            # As clinicians shorten names; between commas it is no numbered thing.
            return (start, one.end(), 0.55) if dotted and text[start - 2 : start] == ", " else None
        if word in AMBIGUOUS and not dotted:
            return None
        return start, one.end(), 0.85 if dotted else 0.6
    second = one["word"]
    if is_none(second) or (word.isupper() != second.isupper() and len(second) < 4) or second.lower() in TERMS:
        return None
    last, end = is_last(second), one.end()
    third = more(text, end)
    if (
        third
        and third["word"]
        and (is_last(third["word"]) or (first and last and is_likely(third["word"])))
        and not is_none(third["word"])
        and not word.isupper()
        and (first or not is_word(word))
        and (last or is_first(second) or not is_word(second))
    ):
        last, end = True, third.end()
    if is_term(text, end):
        return None
    if first:
        if last:
            return start, end, 0.9
        return None if word in AMBIGUOUS or word.isupper() else (start, end, 0.75)
    if word.isupper():
        return None
    if last and second not in AMBIGUOUS:
        return start, end, 0.55
    if is_last(word) and is_first(second) and second not in AMBIGUOUS:
        return start, end, 0.6
    if one["particle"] and not is_word(second) and not is_word(word):
        return start, end, 0.55
    return _unknown(text, start, end, word, second)


def _unknown(text: str, start: int, end: int, word: str, second: str) -> Found | None:
    """Two words that no list knows, where people are named."""
    if second.isupper() or is_word(word) or is_word(second):
        return None
    before = _BEFORE_PAIR.search(text, max(0, start - 12), start)
    if before is None or second in AMBIGUOUS:
        return None
    return (
        (start, end, 0.5)
        if _NAMING.search(text, max(0, start - 6), start) or _AFTER_PAIR.match(text, end)
        else None
    )


def _reversed(match: re.Match[str]) -> Found | None:
    """`Last, First`."""
    word, text = match["word"], match.string
    name = given(text, match.end("word"))
    if name is None or not is_last(word):
        return None
    if name["initial"]:
        certain = name["initial"].endswith(".") and word not in AMBIGUOUS
        return (match.start(), name.end(), 0.6) if certain else None
    if is_none(name["word"]) or not is_first(name["word"]) or is_term(text, name.end()):
        return None
    if is_first(word) and not word.isupper():
        # Two first names may as well be a list of two people; either way they are names.
        return match.start(), name.end(), 0.6
    return match.start(), name.end(), 0.85


def labelled(match: re.Match[str]) -> Found | None:
    """A capitalized word or several after a word that a name follows."""
    relation, text, start = match["relation"].lower(), match.string, match.start("word")
    word, end = match["word"], match.end("word")
    colon = ":" in match["mark"]
    if (relation in NEED_COLON and not colon) or word in _TITLES:
        return None
    strong = colon or relation in _STRONG
    if is_none(word) or is_credential(word) or (word.isupper() and not strong):
        return None
    is_known = is_first(word) or is_last(word)
    if word.isupper() and not is_known and (len(word) < 4 or text[end : end + 1] != ","):
        return None
    name = given(text, end) if text[end : end + 1] == "," else None
    if name is not None and (
        name["initial"] or (not is_credential(name["word"]) and (is_likely(name["word"]) or word.isupper()))
    ):
        return start, onward(text, name.end()), 0.8 if is_known or strong else 0.6
    one = more(text, end)
    parts = 1 + (
        one is not None and not (one["word"] and (is_none(one["word"]) or is_credential(one["word"])))
    )
    end = onward(text, end, 2)
    if is_term(text, end) or (match["mark"].strip() == "," and parts > 1 and not is_known):
        return None
    if parts > 1:
        if is_known or strong:
            return start, end, 0.8
        return (start, end, 0.55) if is_likely(word) else None
    if relation in ("named", "name", "called", "name is", "patient name", "pt name"):
        return start, end, 0.75
    if is_known:
        return (start, end, 0.6) if word not in AMBIGUOUS or strong else None
    return (start, end, 0.55) if is_likely(word) and len(word) > 2 else None


def initialled(match: re.Match[str]) -> Found | None:
    """`L. Vandersloot`, where the initial is not what a word before it is numbered by."""
    text, word = match.string, match["word"]
    if not is_likely(word) or word in _NO_SPECIES or word in AMBIGUOUS or is_term(text, match.end()):
        return None
    before = text[max(0, match.start() - 2) : match.start()]
    if before[-1:] == " " and before[:1].isalnum() and _numbered(text, match.start()):
        return None
    if word.isupper() and not match["initials"].endswith("."):
        return None
    return match.start(), onward(text, match.end(), 2), 0.7 if is_last(word) else 0.55


def _numbered(text: str, at: int) -> bool:
    word = text[max(0, text.rfind(" ", 0, at - 1)) : at - 1].strip(" (\n")
    return word[:1].isupper() or word.lower() in (
        "vitamin",
        "hepatitis",
        "type",
        "group",
        "grade",
        "stage",
        "class",
    )


def followed(match: re.Match[str]) -> Found | None:
    """Who does what people do, or is so old, or has studied."""
    text = match.string
    name = backward(text, match.end("word"))
    if name is None:
        return None
    start, parts = name
    end = match.end("word")
    sure = [
        word
        for word in parts
        if len(word) > 2 and (is_first(word) or is_last(word)) and word not in AMBIGUOUS
    ]
    credential = match.re.groupindex.get("credential") is not None
    if credential:
        if len(parts) == 1 and not sure and match["credential"] not in ("MD", "RN", "NP", "DO", "LPN"):
            return None
        if not any(is_likely(word) for word in parts):
            return None
        return start, onward(text, end), 0.8 if sure else 0.6
    if not sure and (parts[-1].isupper() or is_word(parts[-1])):
        return None
    return start, end, 0.75 if sure else 0.55


def by(match: re.Match[str]) -> Found | None:
    """A last name alone, where people are spoken of."""
    word, end = match["word"], match.end("word")
    if not is_last(word) or word in AMBIGUOUS or is_none(word) or is_word(word) or is_term(match.string, end):
        return None
    return match.start("word"), end, 0.5


def opened(match: re.Match[str]) -> Found | None:
    """Who is greeted, or who signs."""
    word, text = match["word"], match.string
    if not is_likely(word) or (word in AMBIGUOUS and not (is_first(word) or is_last(word))):
        return None
    end = onward(text, match.end("word"))
    return None if is_term(text, end) else (match.start("word"), end, 0.6)
