"""Names of people: by titles, by the words around them, by dictionaries of first and last names."""

from __future__ import annotations

from typing import ClassVar, Final

from phimask_plugins.detectors import chat, naming
from phimask_plugins.detectors.alternatives import any_case, any_of, each_with
from phimask_plugins.detectors.known import in_lower_case, known
from phimask_plugins.detectors.lists import words
from phimask_plugins.detectors.naming import FOLLOWED, NEED_COLON
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.people import CREDENTIAL, CREDENTIALS, PARTICLE, PARTICLES, WORD, is_term
from phimask_plugins.detectors.scanning import Found, Rule, Scan
from phimask_plugins.detectors.words import names

_TITLE: Final = (
    r"(?:Dr|Mrs?|Ms|Miss|Mx|Prof|Doctor|Professor|DR|MRS?|MS|PROF|Officer|Sgt|Rev|Pastor|Rabbi|Imam|Mme|Mlle|"
    r"Herr|Frau|Sra|Srta)"
)
_DONE: Final = each_with(words("done_by"), ("", "electronically"), ("", "by", "provider", "physician"))
_RELATIONS: Final = (*words("relations"), *_DONE)
_AGED: Final = (
    r",? (?:is )?(?:(?:an? )?\d{1,3}[ -]?(?:y|[MF]\b|male|female)|an? \d{1,3}\b)|"
    r",? \(?(?:DOB|D\.O\.B|dob|born|BORN)\b"
)
_OWNED: Final = (
    "wife|husband|mother|father|mom|dad|daughter|son|sister|brother|family|parents|chart|room|appointment|visit|meds|"
    "medications|labs|results|office|clinic|note|insurance|phone|number|address|house|home|team|service|care"
)
_OPENING: Final = (
    r"Hi|Hello|Hey|Dear|Thanks|Thank you|Sincerely|Regards|Best|Respectfully|Cheers|Yours truly|Cordially|"
    r"Respectfully submitted|hi|hey|hello|dear"
)
_LONGEST: Final = 100
"""Characters of the first of two names. The native scanner looks for words without such a bound four times as long."""
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
    uses_known: ClassVar[bool] = True
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            rf"\b{_TITLE}\b\.? {{1,2}}(?:(?:{PARTICLE})?(?P<word>{WORD})(?!\w)|[A-Z]\.)",
            (rf"\b{_TITLE}\b\.? {{1,2}}(?:[A-Z]|(?:{PARTICLES})[ -])",),
            naming.titled,
        ),
        Rule(
            r"\b(?:dr|mrs?|ms|miss|prof|nurse)\.? {1,2}(?P<word>[a-z]{2,20}(?:-[a-z]{2,20})?)\b",
            (r"\b(?:dr|mrs?|ms|miss|prof|nurse)\.? {1,2}[a-z]",),
            naming.untitled,
        ),
        Rule(
            rf"(?<![\w'@.-])(?![A-Za-z'-]{{{_LONGEST + 1}}})(?P<word>{WORD})(?=,? {{1,2}}(?:[A-Z]|{PARTICLE}[A-Z]))",
            (rf"\b[A-Z][A-Za-z'-]{{0,{_LONGEST - 1}}},? {{1,2}}(?:[A-Z]|(?:{PARTICLES})[ -])",),
            naming.pair,
            glance=naming.at_pair,
        ),
        Rule(
            rf"\b(?P<relation>{any_case(_RELATIONS)})\b(?P<mark>(?::|,| \(| -)?)\s{{0,4}}"
            rf"(?<=[\s(])(?P<word>{WORD})(?!\w)",
            (
                rf"\b(?i:{any_of(set(_RELATIONS) - NEED_COLON)})(?:[:,]?\s{{1,4}}| \(\s{{0,4}}| -\s{{1,4}})[A-Z]",
                rf"\b(?i:{any_of(NEED_COLON)}):\s{{1,4}}[A-Z]",
            ),
            naming.labelled,
            glance=naming.at_label,
        ),
        Rule(
            rf"(?<![\w'.-])(?P<initials>[A-Z]\. ?(?:[A-Z]\. ?)?)(?:{PARTICLE})?(?P<word>{WORD})(?!\w)",
            (r"\b[A-Z]\. ?(?:[A-Z]|(?:van|von|de|del|el|al)[ -])",),
            naming.initialled,
        ),
        Rule(
            rf"(?<![\w'-])(?P<word>[A-Z][A-Za-z'-]{{1,24}})(?: (?:{FOLLOWED})\b|{_AGED})",
            (rf"\b[A-Z][A-Za-z'-]{{1,24}}(?: (?:{FOLLOWED})\b|{_AGED})",),
            naming.followed,
        ),
        Rule(
            rf"(?<![\w'-])(?P<word>[A-Z][A-Za-z'-]{{1,24}}),? {{1,2}}(?P<credential>{CREDENTIAL})",
            (rf"\b[A-Z][A-Za-z'-]{{1,24}},? {{1,2}}(?:{CREDENTIALS})\b",),
            naming.followed,
        ),
        Rule(
            rf"(?<=[a-z] )(?:by|per|told|paged|saw|asked|notified|than) (?P<word>{WORD})(?!\w)",
            (r"\b(?:by|per|told|paged|saw|asked|notified|than) [A-Z]",),
            naming.by,
            glance=naming.at_last,
        ),
        Rule(
            rf"(?<![\w'@.-])(?P<word>{WORD})(?='s (?:{_OWNED})\b)",
            (rf"\b[A-Z][A-Za-z'-]{{1,24}}'s (?:{_OWNED})\b",),
            naming.by,
        ),
        Rule(
            rf"(?:\b(?:{_OPENING})\b[,!]?|--)\s{{1,3}}(?P<word>{WORD})(?!\w)",
            (rf"\b(?:{_OPENING})[,!]?\s{{1,3}}[A-Z]", r"--\s{1,3}[A-Z]"),
            naming.opened,
        ),
        _INFORMAL,
    )

    def found(self, scan: Scan, number: int, by_rules: list[Found]) -> list[Found]:
        """By the rules, and first names that stand alone."""
        seen, result = scan.seen[number], by_rules
        text = seen.form.text
        alone = names().alone
        result += [
            (start, end, 0.55)
            for start, end in known(seen)
            if text[start:end] in alone and _stands_apart(text, start, end) and not is_term(text, end)
        ]
        if len(text) <= _MESSAGE or scan.has(_INFORMAL, number):
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
