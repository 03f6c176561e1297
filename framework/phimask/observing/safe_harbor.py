"""What became of each identifier of the Safe Harbor method, 45 CFR 164.514(b)(2)(i), as a report's rules tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from phimask.config.hipaa import FREE_TEXT, IDENTIFIERS
from phimask.config.paths import PathSyntaxError, parse_path
from phimask.plugins.values import Wildcard

Standing = Literal["found", "kept", "expert", "masked", "uncounted", "absent", "unnamed"]
"""found: validators found something at its fields; kept: a rule lets values of it stay; expert: a masker leaves more of
them than Safe Harbor does, which takes an expert's determination, (b)(1); masked: values of it were masked; uncounted:
MongoDB masked them, and nobody counted; absent: no value of it was met; unnamed: no rule names it."""

LEAVES_MORE: Final[Mapping[str, tuple[str, str]]] = {
    "date_shift": ("C", "shifted dates are whole dates still"),
    "perturb": ("C", "a date that is moved a little is a whole date still"),
    "free_text": (FREE_TEXT, "what detectors miss in a text stays"),
}
"""Maskers that leave more of an identifier than Safe Harbor lets stay, each with that identifier and what is left."""

DERIVED: Final = frozenset({"hash", "pseudonym", "fpe", "tokenize", "encrypt", "fhir_id"})
"""Maskers that make a code of the original under the key, which 45 CFR 164.514(c) has something to say on."""


@dataclass(frozen=True, slots=True)
class RuleMet:
    """A rule of a collection as the report has it, counts of None where MongoDB masked by itself."""

    namespace: str
    path: str
    masker: str
    masked: int | None
    redacted: int | None
    kept: int | None
    sampled: int | None

    @property
    def met(self) -> bool:
        """Whether it won any value, in the documents or, where nobody counted those, in the sample."""
        counts = (self.masked, self.redacted, self.kept)
        return any(counts) if self.masked is not None else bool(self.sampled)


@dataclass(slots=True)
class Account:
    """One identifier, or free text that may hold any of them: the rules that name it and what was found there."""

    letter: str
    words: str
    rules: list[RuleMet] = field(default_factory=list)
    findings: int = 0

    @property
    def masked(self) -> int:
        """Values masked."""
        return sum(rule.masked or 0 for rule in self.rules)

    @property
    def redacted(self) -> int:
        """Values that their masker could not take, and that became redactions."""
        return sum(rule.redacted or 0 for rule in self.rules)

    @property
    def kept(self) -> int:
        """Values that a rule lets stay."""
        return sum(rule.kept or 0 for rule in self.rules)

    @property
    def left(self) -> list[str]:
        """What maskers of values that were met leave and Safe Harbor would not."""
        maskers = sorted({rule.masker for rule in self.rules if rule.met and rule.masker in LEAVES_MORE})
        return [LEAVES_MORE[one][1] for one in maskers if LEAVES_MORE[one][0] == self.letter]

    @property
    def standing(self) -> Standing:
        """Where it stands; the worst that is true."""
        if self.findings:
            return "found"
        if self.kept:
            return "kept"
        if self.left:
            return "expert"
        if self.masked or self.redacted:
            return "masked"
        if any(rule.masked is None and rule.met for rule in self.rules):
            return "uncounted"
        return "absent" if self.rules else "unnamed"


def accounts(report: Mapping[str, Any]) -> list[Account]:
    """The eighteen identifiers in order, then free text. A rule that names several counts for each."""
    made = {letter: Account(letter, words) for letter, words in IDENTIFIERS.items()}
    made[FREE_TEXT] = Account(FREE_TEXT, "Any of them, in free text")
    for one in report["collections"]:
        for rule, entry in _rules(one):
            for letter in entry.get("hipaa", ()):
                made[letter].rules.append(rule)
        for path, count in _found(one):
            winner = _winner(one["rules"], path)
            for letter in () if winner is None else winner.get("hipaa", ()):
                made[letter].findings += count
    return list(made.values())


def unnamed(report: Mapping[str, Any]) -> list[RuleMet]:
    """Rules that name no identifier and met values: what they are about, nobody said."""
    return [
        rule
        for one in report["collections"]
        for rule, entry in _rules(one)
        if not entry.get("hipaa") and rule.met
    ]


def _rules(one: Mapping[str, Any]) -> Iterator[tuple[RuleMet, Mapping[str, Any]]]:
    for entry in one["rules"]:
        masked, redacted, values = entry["masked"], entry["redacted_on_error"], entry["values"]
        kept = None if values is None else values - masked - redacted
        yield (
            RuleMet(
                one["namespace"], entry["path"], entry["masker"], masked, redacted, kept, entry.get("sampled")
            ),
            entry,
        )


def _found(one: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for result in one["verification"]:
        for finding in result["findings"]:
            if finding["path"]:
                yield finding["path"], finding["count"]


def _winner(rules: Sequence[Mapping[str, Any]], path: str) -> Mapping[str, Any] | None:
    """The last rule that covers the path of a finding, which may be a rule's own."""
    keys = _segments(path)
    there = {*keys, Wildcard.ANY_DEPTH, Wildcard.ANY_KEY}
    for rule in rules[::-1]:
        if rule["path"] == path:
            return rule
        segments = _segments(rule["path"])
        # Most rules name a key that is not on the path, which is soon seen.
        if segments and there.issuperset(segments) and _covers(segments, keys):
            return rule
    return None


@lru_cache(maxsize=10_000)
def _segments(path: str) -> tuple[str | Wildcard, ...]:
    """Of a path as reports have it; none where it is none."""
    try:
        return parse_path(path)
    except PathSyntaxError:
        return ()


def _covers(rule: Sequence[str | Wildcard], keys: Sequence[str | Wildcard]) -> bool:
    """Whether a rule's path leads to what is at these keys, or to something above it."""
    if not rule:
        return True
    first, rest = rule[0], rule[1:]
    if first is Wildcard.ANY_DEPTH:
        return any(_covers(rest, keys[skipped:]) for skipped in range(len(keys) + 1))
    return bool(keys) and first in (Wildcard.ANY_KEY, keys[0]) and _covers(rest, keys[1:])
