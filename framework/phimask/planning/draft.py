"""A collection file drafted from what a sample shows. It is a beginning: a person reads it before it masks anything.

It holds paths, labels and counts, and no value of any document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from phimask.config.model import Rule
from phimask.config.paths import format_path
from phimask.masking.automaton import NO_RULE
from phimask.planning.discovery import Discovery, Field, Segments
from phimask.plugins.values import Wildcard

Masker = Mapping[str, Any] | str


def _fake(kind: str) -> Masker:
    return {"name": "fake", "options": {"kind": kind}}


_HASH: Final[Masker] = {"name": "hash", "options": {"length": 24}}
_YEAR: Final[Masker] = {"name": "date_truncate", "options": {"to": "year"}}
_SHIFT: Final[Masker] = {"name": "date_shift", "options": {"max_days": 180}}

_BY_LABEL: Final[Mapping[str, tuple[str, Masker]]] = {
    "US_SSN": ("G", _fake("ssn")),
    "US_ITIN": ("R", _fake("ssn")),
    "EMAIL": ("F", _fake("email")),
    "PHONE": ("D", _fake("phone")),
    "FAX": ("E", _fake("fax")),
    "MRN": ("H", _fake("mrn")),
    "MBI": ("I", _fake("mbi")),
    "HEALTH_PLAN": ("I", _fake("health_plan_id")),
    "ACCOUNT": ("J", _fake("account")),
    "CARD": ("J", _fake("credit_card")),
    "IBAN": ("J", _fake("iban")),
    "ROUTING": ("J", _fake("account")),
    "WALLET": ("J", _HASH),
    "LICENSE": ("K", _fake("driver_license")),
    "PASSPORT": ("K", _fake("passport")),
    "DEA": ("K", _fake("dea")),
    "NPI": ("K", _fake("npi")),
    "VIN": ("L", _fake("vin")),
    "PLATE": ("L", _fake("license_plate")),
    "DEVICE": ("M", _fake("device_id")),
    "MAC": ("M", _fake("mac")),
    "URL": ("N", _fake("url")),
    "IP": ("O", _fake("ip")),
    "NAME": ("A", _fake("full_name")),
    "LOCATION": ("B", _fake("city")),
    "ADDRESS": ("B", _fake("street")),
    "ZIP": ("B", "zip3"),
    "DATE": ("C", _YEAR),
    "AGE": ("C", "age_cap"),
    "ID": ("R", _HASH),
}
"""For each label a letter of Safe Harbor and a masker, as the rule packs have them."""
_ANY: Final[tuple[str, Masker]] = ("R", _HASH)
_TEXT: Final[tuple[str, Masker]] = ("text", "free_text")

_NAMES: Final[Mapping[str, re.Pattern[str]]] = {
    "first_name": re.compile(r"first|given|forename|nick", re.IGNORECASE),
    "middle_name": re.compile(r"middle", re.IGNORECASE),
    "last_name": re.compile(r"last|family|surname|maiden", re.IGNORECASE),
}
"""Kinds of names, by what their fields are called."""

_COMMON: Final = frozenset({"PHONE", "NAME", "LOCATION", "ID", "DATE", "AGE"})
"""What values are often taken for: of two labels the other one is believed."""

_MOSTLY: Final = 0.5
"""A field is of the kind that this share of its values is, and nothing else."""
_PROSE_CHARACTERS: Final = 40
"""Longer on average, values are texts in which something may stand."""
_BY_CHANCE: Final = 0.05
"""Where fewer of many values look like anything, chance is as likely."""
_MANY: Final = 40
_SUBJECTS: Final = (
    "patientid",
    "subjectid",
    "personid",
    "memberid",
    "mrn",
    "medicalrecordnumber",
    "patientnumber",
)
_ALWAYS: Final = 0.95
_BARE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS_OF_YAML: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_QUOTES: Final = frozenset('"\\')
_DATES: Final = frozenset({"date", "timestamp"})
_NOTHING: Final = frozenset({"null", "undefined"})
_PLAIN: Final = frozenset({"string", "int", "long", "objectId", "binData"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A field that looks like PHI: what it looks like, the letter of Safe Harbor, the masker for it. Not `sure` where
    chance is as likely."""

    field: Field
    labels: tuple[str, ...]
    hipaa: str
    masker: Masker
    sure: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """What `discover` comes to. `covered` are fields that a pack's rule masks, with that rule; `rest` those in which
    nothing was found."""

    subject: Segments | None
    proposals: tuple[Proposal, ...]
    covered: tuple[tuple[Field, Rule], ...]
    rest: tuple[Field, ...]


def draft(found: Discovery, rules: Sequence[Rule]) -> Draft:
    """Sort the fields. `rules` are those of the packs that the file is to extend."""
    subject = _subject(found)
    proposals: list[Proposal] = []
    covered: list[tuple[Field, Rule]] = []
    rest: list[Field] = []
    for one in found.fields:
        if one.path[0] == "_id" or set(one.types) <= _NOTHING:
            continue
        if one.rule != NO_RULE:
            covered.append((one, rules[one.rule]))
        elif (proposal := _proposal(one, dated=subject is not None)) is not None:
            proposals.append(proposal)
        elif one.path == subject:
            proposals.append(Proposal(one, ("the subject",), "R", _HASH, sure=True))
        else:
            rest.append(one)
    return Draft(subject, tuple(proposals), tuple(covered), tuple(rest))


def _subject(found: Discovery) -> Segments | None:
    """The field that most likely says whose document it is: known by its name, and there in all documents."""
    named = [
        (_SUBJECTS.index(name), len(one.path), place)
        for place, one in enumerate(found.fields)
        if Wildcard.ANY_KEY not in one.path
        and (name := re.sub(r"[^a-z]", "", str(one.path[-1]).lower())) in _SUBJECTS
        and set(one.types) <= _PLAIN
        and one.documents >= _ALWAYS * found.documents
    ]
    return found.fields[min(named)[2]].path if named else None


def _proposal(one: Field, *, dated: bool) -> Proposal | None:
    if one.types.keys() & _DATES:
        return Proposal(one, ("DATE",), "C", _SHIFT if dated else _YEAR, sure=True)
    if not one.detected:
        return None
    labels = tuple(sorted(one.found, key=lambda label: (-one.found[label], label)))
    sure = one.detected > _BY_CHANCE * one.shown or one.shown < _MANY
    kind = max(one.whole, key=lambda label: (one.whole[label], label not in _COMMON, label), default=None)
    if kind is not None and one.whole[kind] >= _MOSTLY * one.shown:
        return Proposal(one, (kind,), *_by_label(kind, one.path, dated=dated), sure=True)
    if one.characters >= _PROSE_CHARACTERS * one.shown or kind is None:
        return Proposal(one, labels, *_TEXT, sure=sure)
    # Some of its values are of that kind, and nobody knows what the others are: all are masked as such.
    return Proposal(one, labels, *_by_label(kind, one.path, dated=dated), sure=sure)


def _by_label(label: str, path: Segments, *, dated: bool) -> tuple[str, Masker]:
    hipaa, masker = _BY_LABEL.get(label, _ANY)
    if label == "DATE" and dated:
        return hipaa, _SHIFT
    if label == "NAME":
        kinds = [kind for kind, words in _NAMES.items() if words.search(str(path[-1]))]
        return hipaa, _fake(kinds[0]) if kinds else masker
    return hipaa, masker


def as_yaml(collection: str, pack: str | None, found: Discovery, drafted: Draft) -> str:
    """The collection file."""
    parts = [
        _head(collection, found),
        _extends(pack),
        _subject_line(drafted.subject),
        ["# Paths that no rule names are counted in the report.", "unmapped: report"],
        _rules(drafted.proposals),
        _listed(
            f"Named by {pack}:", [f"{_text(one.path)}: {rule.masker_name}" for one, rule in drafted.covered]
        ),
        _about_ids(found),
        *(_about_keys(path, labels) for path, labels in found.keys.items()),
        _listed(
            "Nothing was found in these, which is no proof that nothing is there:",
            [f"{_text(one.path)}: {', '.join(sorted(one.types))}" for one in drafted.rest],
        ),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(collection: str, found: Discovery) -> list[str]:
    return [
        f"# {_comment(collection)}, drafted by `phimask discover` from {found.documents:,} sampled documents.",
        "# Detectors miss things, and take others for PHI: read every line, and the lists at the end, before it masks",
        "# anything. `phimask plan` says what it would do.",
        "version: 1",
        f"collection: {_scalar(collection)}",
    ]


def _extends(pack: str | None) -> list[str]:
    if pack is None:
        return []
    return [
        "# What this pack knows by name. The rules below come after it, and win.",
        f"extends: [{_scalar(pack)}]",
    ]


def _subject_line(subject: Segments | None) -> list[str]:
    if subject is None:
        return [
            "# No field looks like what identifies the person; name it, and dates may be shifted instead (date_shift).",
            "# subject: PatientId",
        ]
    return [
        "# Whose document it is: all dates of one person are shifted alike.",
        f"subject: {_path(subject)}",
    ]


def _rules(proposals: Sequence[Proposal]) -> list[str]:
    sure = [one for one in proposals if one.sure]
    lines = ["rules:"] if sure else []
    for one in sure:
        lines += [f"  # {_why(one)}", f"  {_rule(one)}"]
    unsure = [one for one in proposals if not one.sure]
    if unsure:
        lines.append("  # Few values of these look like PHI, perhaps by chance:")
    for one in unsure:
        lines += [f"  # {_why(one)}", f"  # {_rule(one)}"]
    return lines


def _listed(said: str, entries: Sequence[str]) -> list[str]:
    return [f"# {said}", *(f"#   {entry}" for entry in entries)] if entries else []


def _about_keys(path: Segments, labels: set[str]) -> list[str]:
    look = (
        f"look like {', '.join(sorted(labels))}"
        if labels
        else "are many or hold numbers, and are perhaps data"
    )
    return [
        f"# Keys below {_text(path)} {look}. Keys are never masked; this takes all of it out:",
        f"#   - {{path: {_path(path)}, masker: remove}}",
    ]


def _about_ids(found: Discovery) -> list[str]:
    labels = sorted({label for one in found.fields if one.path[0] == "_id" for label in one.found})
    if not labels:
        return []
    return [
        f"# Values of _id look like {', '.join(labels)}, and no run changes an _id: copy the documents under new ones",
        "# first.",
    ]


def _why(one: Proposal) -> str:
    field = one.field
    said = ", ".join(one.labels)
    share = (
        ""
        if not field.shown or one.labels == ("the subject",)
        else f" ({field.detected} of {field.shown} values)"
    )
    return f"({one.hipaa}) {said}{share}"


def _rule(one: Proposal) -> str:
    masker = one.masker if isinstance(one.masker, str) else _flow(one.masker)
    return f"- {{path: {_path(one.field.path)}, hipaa: {one.hipaa}, masker: {masker}}}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(child)}" for key, child in value.items()) + "}"
    return str(value)


def _path(path: Segments) -> str:
    return _scalar(format_path(path))


def _scalar(text: str) -> str:
    """As YAML takes it within a flow mapping, and nobody for an environment variable."""
    if _BARE.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    escaped = _escaped(text, _QUOTES).replace("${", "$${")
    return f'"{escaped}"'


def _text(path: Segments) -> str:
    return _comment(format_path(path))


def _comment(text: str) -> str:
    """On one line, whatever a key holds."""
    return _escaped(text, frozenset())


def _escaped(text: str, besides: frozenset[str]) -> str:
    return "".join(
        f"\\{one}" if one in besides else one if one.isprintable() else f"\\U{ord(one):08x}" for one in text
    )
