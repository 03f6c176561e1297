"""The page's Safe Harbor part: each of the eighteen identifiers, the rules that treat it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from phimask.config.hipaa import FREE_TEXT
from phimask.observing.html.parts import Tone, coded, mark, path, table
from phimask.observing.markup import Markup, element, joined
from phimask.observing.safe_harbor import DERIVED, Account, RuleMet, Standing, accounts, unnamed
from phimask.observing.wording import counted

_TONES: Final[Mapping[Standing, Tone]] = {
    "found": "bad",
    "kept": "warn",
    "expert": "warn",
    "masked": "good",
    "uncounted": "good",
    "absent": "none",
    "unnamed": "warn",
}
_MOST_RULES: Final = 12
"""Rules of one identifier that are named, those that met most first; the rest is counted."""


def safe_harbor(report: Mapping[str, Any]) -> Markup:
    """The section."""
    read = sum(one["batches"]["documents"] for one in report["collections"])
    made = accounts(report)
    rows = [
        (
            element("span", "text" if one.letter == FREE_TEXT else f"({one.letter})"),
            one.words,
            _rules(one),
            _count(one, one.masked),
            _count(one, one.redacted),
            joined(
                mark(_TONES[one.standing], _words(one)),
                *(element("p", left, class_="soft") for left in one.left),
            ),
        )
        for one in made
    ]
    derived = sorted({rule.masker for one in made for rule in one.rules if rule.met} & DERIVED)
    gaps = [one.letter for one in made if one.standing == "unnamed" and one.letter != FREE_TEXT]
    return element(
        "section",
        element("h2", "HIPAA Safe Harbor", id="safe-harbor"),
        element(
            "p",
            coded(
                "The eighteen identifiers of 45 CFR 164.514(b)(2)(i), and what this run did with the fields whose "
                "rules name them (`hipaa:` in collection files and packs). A rule that names several counts for each."
            ),
        ),
        table(
            f"{counted(read, 'document')} read in {counted(len(report['collections']), 'collection')}",
            ("letter", "identifier", "treated by", "values masked", "redacted on error", "standing"),
            rows,
            (3, 4),
            class_="identifiers",
        ),
        element(
            "p",
            coded(
                f"No rule of this run names {', '.join(f'({one})' for one in gaps)}. Where the collections hold such "
                "identifiers, they were not looked for: extend a rule pack, or write rules with `hipaa:`."
            ),
        )
        if gaps
        else None,
        element(
            "p",
            "What leaves more than Safe Harbor does takes an expert's determination, (b)(1): write a rule with another "
            "masker (date_truncate, redact), or have it judged.",
        )
        if any(one.standing == "expert" for one in made)
        else None,
        element(
            "p",
            f"Codes derived from the original under the key ({', '.join(derived)}): 45 CFR 164.514(c) asks that a code "
            "is not derived from information about the individual, and that the means are not disclosed. Have it "
            "judged whether keyed codes will do, or put redact in their place.",
        )
        if derived
        else None,
        _unnamed(unnamed(report)),
        element(
            "p",
            "A rule finds values by the names of fields. Whether the result is de-identified, and whether anybody "
            "knows of a way to identify a person by what is left, (b)(2)(ii), is for your privacy officer or an "
            "expert to say.",
            class_="soft",
        ),
        class_="own-page",
        aria_labelledby="safe-harbor",
    )


def _rules(one: Account) -> Markup:
    met = sorted((rule for rule in one.rules if rule.met), key=_size, reverse=True)
    named = [
        element("li", path(rule.path), element("span", _by(rule), class_="soft"))
        for rule in met[:_MOST_RULES]
    ]
    if len(met) > _MOST_RULES:
        named.append(element("li", f"and {counted(len(met) - _MOST_RULES, 'rule')} more", class_="soft"))
    idle = len(one.rules) - len(met)
    if idle:
        named.append(element("li", f"{counted(idle, 'rule')} met no value", class_="soft"))
    return element("ul", *named) if named else element("span", "none", class_="soft")


def _by(rule: RuleMet) -> str:
    return f"{rule.masker}, {rule.kept:,} kept" if rule.kept else rule.masker


def _size(rule: RuleMet) -> int:
    return (rule.masked or 0) + (rule.redacted or 0) + (rule.kept or 0) or (rule.sampled or 0)


def _count(one: Account, count: int) -> str:
    return "not counted" if one.standing == "uncounted" else f"{count:,}"


def _words(one: Account) -> str:
    return {
        "found": counted(one.findings, "finding"),
        "kept": f"{counted(one.kept, 'value')} kept by rule",
        "expert": "masked; Safe Harbor asks for more",
        "masked": "masked",
        "uncounted": "masked by MongoDB",
        "absent": "not present: no value met",
        "unnamed": "no rule names it",
    }[one.standing]


def _unnamed(rules: Sequence[RuleMet]) -> Markup | None:
    if not rules:
        return None
    return table(
        "Rules that name no identifier",
        ("rule", "masker", "collection", "values masked", "kept"),
        (
            (
                path(rule.path),
                rule.masker,
                rule.namespace,
                "not counted" if rule.masked is None else f"{rule.masked + (rule.redacted or 0):,}",
                "" if rule.kept is None else f"{rule.kept:,}",
            )
            for rule in rules
        ),
        (3, 4),
    )
