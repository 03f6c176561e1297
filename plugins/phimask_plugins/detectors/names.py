"""Names of people: by titles, by the words around them, by dictionaries of first and last names."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from phimask_plugins.detectors import chat
from phimask_plugins.detectors.alternatives import any_case, any_of, each_with
from phimask_plugins.detectors.known import in_lower_case, known
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.people import (
    CREDENTIAL,
    CREDENTIALS,
    PARTICLE,
    PARTICLES,
    WORD,
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
from phimask_plugins.detectors.scanning import Found, Rule, Scan
from phimask_plugins.detectors.words import AMBIGUOUS, FACILITY, NO_NAME, TERMS, is_word, names

_TITLE: Final = (
    r"(?:Dr|Mrs?|Ms|Miss|Mx|Prof|Doctor|Professor|DR|MRS?|MS|PROF|Officer|Sgt|Rev|Pastor|Rabbi|Imam|Mme|Mlle|"
    r"Herr|Frau|Sra|Srta)"
)
_TITLES: Final = frozenset({"Dr", "Mr", "Mrs", "Ms", "Miss", "Prof", "Doctor", "DR", "MR", "MRS", "MS"})
"""What the rule for titles sees to."""
_KIN: Final = (
    "mother father mom dad wife husband spouse partner daughter son sister brother aunt uncle niece nephew cousin friend "
    "guardian caregiver girlfriend boyfriend fiance fiancee grandmother grandfather grandson granddaughter neighbor "
    "neighbour roommate twin proband interpreter"
).split()
_ROLES: Final = (
    "attending resident surgeon assistant physician provider pcp nurse therapist cardiologist oncologist neurologist "
    "psychiatrist radiologist pathologist pharmacist anesthesiologist hospitalist consultant midwife accepting contacted"
).split()
_DOERS: Final = each_with(
    "signed seen referred referring reviewed dictated transcribed ordered interpreted performed prescribed authorized "
    "authorised read written entered covered verified directed".split(),
    ("", "electronically"),
    ("", "by", "provider", "physician"),
)
_LABELS: Final = (
    "name named call called patient pt pts client contact caller author member cc re attn attention to from claimant "
    "insured employee its"
).split()
_PHRASES: Final = (
    "infant of", "primary care", "social worker", "case manager", "discussed with", "spoke with", "spoke to",
    "patient name", "pt name", "name is", "i am", "i'm", "this is", "it's", "emergency contact", "next of kin",
)  # fmt: skip
_RELATIONS: Final = (*_KIN, *_ROLES, *_DOERS, *_LABELS, *_PHRASES)
_STRONG: Final = frozenset(
    {"named", "name", "called", "client", "caller", "author", "patient name", "pt name", "name is", "emergency contact",
     "next of kin"}
)  # fmt: skip
_NEED_COLON: Final = frozenset({"to", "from", "cc", "attn", "attention", "member", "re", "contact"})
_FOLLOWED: Final = any_of(
    "reports reported denies denied states stated says said presents presented complains complained endorses endorsed "
    "called calls lives lived works worked came arrived underwent agrees agreed verbalized verbalised verbalizes "
    "understands wants asked asks fell feels felt smokes drinks no-showed resides weighs ambulated c/o went "
    "returns".split()
    + each_with(
        ("was",), "seen born admitted discharged accompanied hospitalized hospitalised brought".split()
    )
    + ["has a history", "had a"]
)
_AGED: Final = r",? (?:is )?(?:(?:an? )?\d{1,3}[ -]?(?:y|[MF]\b|male|female)|an? \d{1,3}\b)|,? \(?(?:DOB|D\.O\.B|dob|born|BORN)\b"
_OWNED: Final = (
    "wife|husband|mother|father|mom|dad|daughter|son|sister|brother|family|parents|chart|room|appointment|visit|meds|"
    "medications|labs|results|office|clinic|note|insurance|phone|number|address|house|home|team|service|care"
)
_OPENING: Final = (
    r"Hi|Hello|Hey|Dear|Thanks|Thank you|Sincerely|Regards|Best|Respectfully|Cheers|Yours truly|Cordially|"
    r"Respectfully submitted|hi|hey|hello|dear"
)
_BEFORE_PAIR: Final = re.compile(
    r"(?:\b(?:for|by|with|per|re|and|from|of|to|pt|patient|called|saw|see|is|on|gave|told|asked|sent|add|"
    r"verified|between)|[:(;/&]|--|[-*])\s{0,2}\Z|(?:\A|\n)\s{0,3}\Z",
    re.IGNORECASE,
)
_AFTER_PAIR: Final = re.compile(
    rf",? (?:is|was|has|had|will|and|DOB|dob|MRN|mrn|aged?|{_FOLLOWED}|\(|{CREDENTIAL}|\d{{1,3}}[ -]?[yMF])\b|[,;)]| \(|'s\b|\s*(?:\n|\Z)"
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


def _titled(match: re.Match[str]) -> Found | None:
    word = match["word"]
    if word is not None and is_none(word) and not is_last(word):
        return None
    return match.start(), onward(match.string, match.end()), 0.9


def _untitled(match: re.Match[str]) -> Found | None:
    """A title in lower case: what follows is a name if it is known as one, or as nothing else."""
    word = match["word"].capitalize()
    if is_none(word) or not (is_last(word) or is_first(word) or not chat.is_plain(match["word"])):
        return None
    return match.start(), chat.onward(match.string, match.end()), 0.7


def _pair(match: re.Match[str]) -> Found | None:
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


def _labelled(match: re.Match[str]) -> Found | None:
    """A capitalized word or several after a word that a name follows."""
    relation, text, start = match["relation"].lower(), match.string, match.start("word")
    word, end = match["word"], match.end("word")
    colon = ":" in match["mark"]
    if (relation in _NEED_COLON and not colon) or word in _TITLES:
        return None
    strong = colon or relation in _STRONG
    if is_none(word) or is_credential(word) or (word.isupper() and not strong):
        return None
    is_known = is_first(word) or is_last(word)
    if word.isupper() and not is_known and (len(word) < 4 or text[end : end + 1] != ","):
        return None
    if text[end : end + 1] == "," and (name := given(text, end)) is not None:
        if (name["initial"] or is_likely(name["word"]) or word.isupper()) and not (
            name["word"] and is_credential(name["word"])
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


def _initialled(match: re.Match[str]) -> Found | None:
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


def _followed(match: re.Match[str]) -> Found | None:
    """Who does what people do, or is so old, or has studied."""
    text = match.string
    name = backward(text, match.end("word"))
    if name is None:
        return None
    start, words = name
    end = match.end("word")
    sure = [
        word
        for word in words
        if len(word) > 2 and (is_first(word) or is_last(word)) and word not in AMBIGUOUS
    ]
    credential = match.re.groupindex.get("credential") is not None
    if credential:
        if len(words) == 1 and not sure and match["credential"] not in ("MD", "RN", "NP", "DO", "LPN"):
            return None
        if not any(is_likely(word) for word in words):
            return None
        return start, onward(text, end), 0.8 if sure else 0.6
    if not sure and (words[-1].isupper() or is_word(words[-1])):
        return None
    return start, end, 0.75 if sure else 0.55


def _by(match: re.Match[str]) -> Found | None:
    """A last name alone, where people are spoken of."""
    word, end = match["word"], match.end("word")
    if not is_last(word) or word in AMBIGUOUS or is_none(word) or is_word(word) or is_term(match.string, end):
        return None
    return match.start("word"), end, 0.5


def _opened(match: re.Match[str]) -> Found | None:
    word, text = match["word"], match.string
    if not is_likely(word) or (word in AMBIGUOUS and not (is_first(word) or is_last(word))):
        return None
    end = onward(text, match.end("word"))
    return None if is_term(text, end) else (match.start("word"), end, 0.6)


_MESSAGE: Final = 1000
"""Characters of what may be a message or a query, whose writers go without capitals."""
_INFORMAL: Final = Rule(
    r"(?:\A|[.?!]\s{1,2}|\n)[a-z]{2,20} [a-z]",
    (r"^[a-z]{2,20} [a-z]", r"(?:[.?!]\s{1,2}|\n)[a-z]{2,20} [a-z]"),
    lambda _: None,
)
"""A sentence that begins without a capital."""


class NameDetector(PatternDetector):
    """Names of people: after a title (0.9); a known first name with a last name or an initial (0.6 to 0.9), also
    `Last, First`; with what people are called before them or do after them, or what they have studied (0.5 to 0.8),
    whether any list knows them or not; usual first names alone (0.55); in lower case where messages name people
    (0.5 to 0.7). Discoverers before a sign, score or syndrome are none. The title belongs to the name.

    Source: 45 CFR 164.514(b)(2)(i)(A); the names of Faker's data, without those that are words as well.
    """

    name: ClassVar[str] = "name"
    label: ClassVar[str] = "NAME"
    labels: ClassVar[frozenset[str]] = frozenset({label})
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"\b{_TITLE}\b\.? {{1,2}}(?:(?:{PARTICLE})?(?P<word>{WORD})(?!\w)|[A-Z]\.)",
            (rf"\b{_TITLE}\b\.? {{1,2}}(?:[A-Z]|(?:{PARTICLES})[ -])",),
            _titled,
        ),
        Rule(
            r"\b(?:dr|mrs?|ms|miss|prof|nurse)\.? {1,2}(?P<word>[a-z]{2,20}(?:-[a-z]{2,20})?)\b",
            (r"\b(?:dr|mrs?|ms|miss|prof|nurse)\.? {1,2}[a-z]",),
            _untitled,
        ),
        Rule(
            rf"(?<![\w'@.-])(?P<word>{WORD})(?=,? {{1,2}}(?:[A-Z]|{PARTICLE}[A-Z]))",
            (rf"\b[A-Z][A-Za-z'-]*,? {{1,2}}(?:[A-Z]|(?:{PARTICLES})[ -])",),
            _pair,
        ),
        Rule(
            rf"\b(?P<relation>{any_case(_RELATIONS)})\b(?P<mark>(?::|,| \(| -)?)\s{{0,4}}"
            rf"(?<=[\s(])(?P<word>{WORD})(?!\w)",
            (rf"\b(?i:{any_of(_RELATIONS)})(?::|,| \(| -)?\s{{0,4}}[A-Z]",),
            _labelled,
        ),
        Rule(
            rf"(?<![\w'.-])(?P<initials>[A-Z]\. ?(?:[A-Z]\. ?)?)(?:{PARTICLE})?(?P<word>{WORD})(?!\w)",
            (r"\b[A-Z]\. ?(?:[A-Z]|(?:van|von|de|del|el|al)[ -])",),
            _initialled,
        ),
        Rule(
            rf"(?<![\w'-])(?P<word>[A-Z][A-Za-z'-]{{1,24}})(?: (?:{_FOLLOWED})\b|{_AGED})",
            (rf"\b[A-Z][A-Za-z'-]{{1,24}}(?: (?:{_FOLLOWED})\b|{_AGED})",),
            _followed,
        ),
        Rule(
            rf"(?<![\w'-])(?P<word>[A-Z][A-Za-z'-]{{1,24}}),? {{1,2}}(?P<credential>{CREDENTIAL})",
            (rf"\b[A-Z][A-Za-z'-]{{1,24}},? {{1,2}}(?:{CREDENTIALS})\b",),
            _followed,
        ),
        Rule(
            rf"(?<=[a-z] )(?:by|per|told|paged|saw|asked|notified|than) (?P<word>{WORD})(?!\w)",
            (r"\b(?:by|per|told|paged|saw|asked|notified|than) [A-Z]",),
            _by,
        ),
        Rule(
            rf"(?<![\w'@.-])(?P<word>{WORD})(?='s (?:{_OWNED})\b)",
            (rf"\b[A-Z][A-Za-z'-]{{1,24}}'s (?:{_OWNED})\b",),
            _by,
        ),
        Rule(
            rf"(?:\b(?:{_OPENING})\b[,!]?|--)\s{{1,3}}(?P<word>{WORD})(?!\w)",
            (rf"\b(?:{_OPENING})[,!]?\s{{1,3}}[A-Z]", r"--\s{1,3}[A-Z]"),
            _opened,
        ),
        _INFORMAL,
    )

    def found(self, seen: Scan) -> list[Found]:
        """By the rules, and first names that stand alone."""
        result = super().found(seen)
        text = seen.form.text
        alone = names().alone
        result += [
            (start, end, 0.55)
            for start, end in known(seen)
            if text[start:end] in alone and _stands_apart(text, start, end) and not is_term(text, end)
        ]
        if len(text) <= _MESSAGE or seen.has(_INFORMAL):
            result += [
                one
                for start, end in in_lower_case(seen)
                if _stands_apart(text, start, end) and (one := chat.found(text, start, end)) is not None
            ]
        return result


def _stands_apart(text: str, start: int, end: int) -> bool:
    """Whether it is no part of an address or of a contraction."""
    before = text[start - 1] if start else " "
    return (
        before not in "@./_-'" and text[end : end + 1] not in ("@", "_", "/") and text[end : end + 2] != "'t"
    )
