"""The conformance check of validators: documents well masked and badly, and what no finding may tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import bson

from phimask.plugins.class_check import constructor_arguments
from phimask.plugins.interfaces import Validator
from phimask.plugins.values import CollectionFacts, DocumentPair, Finding, RuleFacts, Totals, Wildcard
from phimask.testing.making import check_class, make, require

_HOOKS: Final = {
    "before": {"before"},
    "document": {"during", "after"},
    "totals": {"during", "after"},
    "collection": {"after"},
}
"""The methods of a validator, and the phases that one of them must be among for it to be called."""

_MOST_ROUNDS: Final = 100

_NAME: Final = "Zxqulon Vyrkenbjush"
_NUMBER: Final = 74193026
_PERSON: Final[Mapping[str, Any]] = {
    "_id": "zxqulon-74193026",
    "Name": _NAME,
    "Account": _NUMBER,
    "Weight": 74193.02658,
    "Visits": [
        {"Note": f"Saw {_NAME}.", "When": None},
        {"Note": "zxqulon@vyrkenbjush.org"},
        74193026,
        [_NAME],
    ],
    "Other": {"Deep": [[], {}], "Tag": "VYRKENBJUSH"},
}
_MASKED: Final[Mapping[str, Any]] = {
    **_PERSON,
    "Name": "Ann Example",
    "Visits": [{"Note": "[REDACTED]", "When": None}, {"Note": "[REDACTED]"}, 74193026, [_NAME]],
}
_TRACES: Final = ("zxqu", "vyrk", "bjush", "74193")


def check_validator(cls: type[Validator], options: Mapping[str, Any] | None = None) -> None:
    """Check that a validator answers with findings, whatever it is shown, and that no finding tells a value.

    It is shown documents well masked and badly: left as they were, lost, added, with fields gone, moved and of
    another type, and bytes that are no BSON; then taken through its rounds to its last word. What it ought to find is
    for its own tests to say.
    """
    check_class("validator", cls)
    defined = [hook for hook in _HOOKS if getattr(cls, hook) is not getattr(Validator, hook)]
    require(bool(defined), cls, f"it looks at nothing; define {', '.join(_HOOKS)}")
    for hook in defined:
        require(
            bool(cls.phases & _HOOKS[hook]),
            cls,
            f"its {hook}() is never called; add {_any_of(_HOOKS[hook])} to `phases`",
        )
    for phase in sorted(cls.phases):
        require(
            any(phase in _HOOKS[hook] for hook in defined),
            cls,
            f"it has nothing to do in phase {phase!r}; leave it out",
        )
    for rules in ((), _RULES, _RULES[::-1]):
        asked: dict[str, Any] = {"key": bytes(range(32)), "detectors": ()}
        given = {name: asked[name] for name in constructor_arguments(cls)}
        validator = make(cls, options, rules=rules, **given)
        for facts in _FACTS:
            _check_findings(cls, "before()", partial(validator.before, facts))
        for before, after in _pairs():
            pair = DocumentPair(before, after)
            _check_findings(cls, "document()", partial(validator.document, pair))
        for totals in _TOTALS:
            _check_findings(cls, "totals()", partial(validator.totals, totals))
        for facts in _FACTS:
            for was in (None, facts):
                _check_findings(cls, "collection()", partial(validator.collection, was, facts))
        rounds = 1
        while validator.next_round(validator.join([validator.gathered()])):
            rounds += 1
            require(
                rounds < _MOST_ROUNDS, cls, "next_round() asks for one round after the other; answer False"
            )
            for before, after in _pairs():
                pair = DocumentPair(before, after)
                _check_findings(cls, "document()", partial(validator.document, pair))
        _check_findings(cls, "conclude()", partial(validator.conclude, ()))
        _check_findings(cls, "unjudged()", validator.unjudged)


def _any_of(phases: Iterable[str]) -> str:
    return " or ".join(repr(phase) for phase in sorted(phases))


def _check_findings(cls: type[Validator], asked: str, answer: Callable[[], Iterable[Finding]]) -> None:
    try:
        findings = list(answer())
    except Exception as error:  # noqa: BLE001  (a validator may raise anything, and that is what is looked for)
        raise AssertionError(
            f"{cls.__qualname__}: {asked} raises {type(error).__name__} where it should answer with findings"
        ) from None
    for finding in findings:
        require(
            isinstance(finding, Finding),
            cls,
            f"{asked} gives a {type(finding).__name__}; give phimask.Finding",
        )
        require(
            type(finding.count) is int and finding.count > 0,
            cls,
            f"{asked} gives a finding with a count of {finding.count!r}; count from 1",
        )
        told = f"{finding.what}\n{finding.path or ''}"
        leaked = next((trace for trace in _TRACES if trace in told.lower()), None)
        require(
            leaked is None,
            cls,
            f"{asked} gives a finding that tells a value or an _id (it holds {leaked!r}); name paths and types only",
        )
        require(bool(finding.what.strip()), cls, f"{asked} gives a finding that says nothing")


def _rule(path: str, *segments: str | Wildcard, **facts: Any) -> RuleFacts:
    declared: dict[str, Any] = {
        "masker": "fake",
        "changes": "always",
        "types": frozenset({"string"}),
        "produces": None,
        "containers": False,
        "removes": False,
    }
    return RuleFacts(path, segments, **{**declared, **facts})


_RULES: Final = (
    _rule("Name", "Name"),
    _rule("Visits.Note", "Visits", "Note"),
    _rule("**.Tag", Wildcard.ANY_DEPTH, "Tag", masker="keep", changes="never", containers=True),
    _rule(
        "Other.*",
        "Other",
        Wildcard.ANY_KEY,
        masker="remove",
        produces=frozenset(),
        containers=True,
        removes=True,
    ),
)

_FACTS: Final = (
    CollectionFacts("ehr.patients", 0, 0),
    CollectionFacts(
        "ehr.patients",
        10**9,
        10**13,
        {"capped": True, "validator": {"Name": {"$ne": _NAME}}, "collation": {"locale": "en"}},
        (
            {"v": 2, "key": {"_id": 1}, "name": "_id_"},
            {"v": 2, "key": {"Name": 1}, "name": "Name_1", "unique": True},
            {"v": 2, "key": {"Visits.When": -1}, "name": "ttl", "expireAfterSeconds": 60},
            {"v": 2, "key": {"$**": "text"}, "name": "t", "partialFilterExpression": {"Name": _NAME}},
        ),
    ),
)

_TOTALS: Final = (
    Totals(0, 0, 0, 0, 0),
    Totals(read=100, written=90, unchanged=5, quarantined=3, missing=2),
    Totals(read=100, written=100, unchanged=0, quarantined=0, missing=0, stored=100),
    Totals(read=100, written=10, unchanged=0, quarantined=0, missing=0, stored=0),
    Totals(read=0, written=1, unchanged=0, quarantined=0, missing=0, stored=2**62),
)


def _pairs() -> Iterator[tuple[bytes | None, bytes | None]]:
    person, masked = bson.encode(_PERSON), bson.encode(_MASKED)
    spoilt: tuple[dict[str, Any], ...] = (
        {key: value for key, value in _MASKED.items() if key != "Visits"},
        {**_MASKED, "Added": 1},
        {key: _MASKED[key] for key in reversed(list(_MASKED))},
        {**_MASKED, "Name": 74193026},
        {**_MASKED, "Name": {"First": _NAME}},
        {**_MASKED, "Visits": []},
        {**_MASKED, "Visits": _NAME},
        {**_MASKED, "_id": "zxqulon-0"},
        {**_MASKED, "Other": None},
    )
    yield from ((person, masked), (person, person), (masked, masked))
    yield from ((None, None), (person, None), (None, person))
    yield from ((person, bson.encode(one)) for one in spoilt)
    for broken in (
        b"",
        b"\0",
        b"\5\0\0\0\0",
        person[:-1],
        person[: len(person) // 2],
        b"\xff" * 40,
        _lying(person),
    ):
        yield from ((person, broken), (broken, person), (broken, broken))
    # A text that is not UTF-8, and a length inside that reaches past the end.
    yield person.replace(b"Zxqulon", b"Zxq\xff\xfeon"), masked
    yield person, masked.replace(b"\x0c\0\0\0Ann", b"\xff\xff\xff\x7fAnn")


def _lying(document: bytes) -> bytes:
    """The document with a type byte that BSON does not know."""
    return document.replace(b"\x02Name\0", b"\x63Name\0")
