"""The conformance checks of what watches a run: validators, detectors, observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import bson

from phimask.plugins import events
from phimask.plugins.class_check import constructor_arguments
from phimask.plugins.interfaces import Detector, Observer, Validator
from phimask.plugins.values import (
    CollectionFacts,
    Detection,
    DocumentPair,
    Finding,
    RuleFacts,
    Totals,
    Wildcard,
)
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


_TEXTS: Final = (
    "", " ", "\n", "🩺🩺🩺🩺🩺🩺 123-45-6789", "מרים כהן 212-555-0134",
    "Wilhelmina Oakes, MRN 0047113, SSN 123-45-6789, born 04/17/1931, lives at 17 Elm Street, Springfield, MA 01103.",
    "Call (212) 555-0134 or +1 212-555-0178 ext. 5, or write to w.oakes@example.org, see https://example.com/p/4711.",
    "Card 4111 1111 1111 1111, IBAN GB82 WEST 1234 5698 7654 32, IP 192.0.2.77, NPI 1234567893, on 2019-03-04.",
    "No PHI in this sentence.", "e\u0301" * 200, "\x00\x00123-45-6789\x00", "1" * 5000, "a@" * 2500,
    "-" * 5000, "(" * 2000,
    "\ud800 123-45-6789",
)  # fmt: skip


def check_detector(cls: type[Detector], options: Mapping[str, Any] | None = None) -> None:
    """Check that a detector's stretches lie inside the text, in order, under labels that it declares, and are
    the same when asked again."""
    check_class("detector", cls)
    labels = cls.labels
    require(
        isinstance(labels, frozenset | set)
        and bool(labels)
        and all(isinstance(one, str) and one for one in labels),
        cls,
        "it declares no labels; set `labels` to the names of what it finds",
    )
    detector = make(cls, options)
    for text in _TEXTS:
        try:
            found = list(detector.detect(text))
        except Exception as error:  # noqa: BLE001  (a detector may raise anything, and that is what is looked for)
            raise AssertionError(
                f"{cls.__qualname__}: detect() raises {type(error).__name__} on {text[:40]!r}; find nothing instead"
            ) from None
        _check_detections(cls, text, found)
        require(
            list(make(cls, options).detect(text)) == found,
            cls,
            f"it finds something else when asked again: {text[:40]!r}",
        )


def _check_detections(cls: type[Detector], text: str, found: list[Detection]) -> None:
    shown = f"in {text[:40]!r}"
    for one in found:
        require(
            isinstance(one, Detection), cls, f"detect() gives a {type(one).__name__}; give phimask.Detection"
        )
        require(
            0 <= one.start < one.end <= len(text),
            cls,
            f"[{one.start}, {one.end}) is no stretch of {len(text)} characters {shown}; count code points, not bytes",
        )
        require(one.label in cls.labels, cls, f"the label {one.label!r} is not among its `labels` {shown}")
        require(0 <= one.confidence <= 1, cls, f"a confidence of {one.confidence!r} {shown}; give 0 to 1")
    starts = [one.start for one in found]
    require(starts == sorted(starts), cls, f"its stretches are not in order of start {shown}")


_NOON: Final = 1_795_694_400.0
_AT: Final = "ehr.patients [bold] 🩺 {0} %s"

EVENTS: Final[tuple[events.Event, ...]] = (
    events.RunStarted(run_id="0f6c", profile="emergency", collections=(_AT, "ehr.visits")),
    events.CollectionStarted(namespace=_AT, target="ehr_masked.patients", documents=12, bytes=90_000),
    events.WorkerStarted(worker="w1", pid=4711),
    events.WorkerStarted(worker="w2", pid=4712),
    events.PartitionStarted(namespace=_AT, partition=0, documents=None, worker="w1"),
    events.BatchFinished(
        namespace=_AT, partition=0, documents=7, bytes=52_000, seconds=0.25, written=5, unchanged=1, quarantined=1,
        missing=0, rss_bytes=80_000_000, masked=(3, 0), redacted_on_error=(1, 0), classes={"simple": 6, "complex": 1},
        worker="w1",
    ),
    events.BatchFinished(
        namespace=_AT, partition=0, documents=0, bytes=0, seconds=0.0, written=0, unchanged=0, quarantined=0,
        missing=0, rss_bytes=0,
    ),
    events.Paused(reason="memory", seconds=1.5, worker="w1"),
    events.SetAside(namespace=_AT, partition=0, bytes=16_000_000, worker="w1"),
    events.Scaled(before=2, workers=4, because="2 have 9.1 MB/s: trying 4"),
    events.MemorySpent(rss_bytes=2_900_000_000, worker="w1"),
    events.Holding(reasons=("replica lag", "flag file")),
    events.Holding(reasons=()),
    events.Logged(worker="w1", level="WARNING", message=_AT, source="phimask.engine", line=7),
    events.WorkerEnded(worker="w2", reason="died", restarts=1, replaced=True),
    events.WorkerStarted(worker="w2", pid=4713),
    events.BreakerTripped(reason="slow_batch", detail="16.1 s"),
    events.Warned(message="a rule matches nothing: $.rules[3]"),
    events.AlertRaised(
        rule="slow", message="147 documents a second over 60 s, fewer than 200", at=_NOON, namespace=_AT
    ),
    events.AlertRaised(rule="worker", message="worker w2 died and is replaced", at=_NOON, worker="w2"),
    events.AlertRaised(
        rule="slow", message="231 documents a second over 60 s", at=_NOON, namespace=_AT, cleared=True
    ),
    events.FindingMade(
        namespace=_AT, validator="structure", phase="during", what="a type changed", path="Visits.Date", count=2
    ),
    events.FindingMade(namespace=_AT, validator="count", phase="after", what="one is missing", path=None, count=1),
    events.PartitionFinished(namespace=_AT, partition=0, worker="w1"),
    events.WorkerEnded(worker="w1", reason="done", restarts=1, cpu_seconds=2.5, peak_rss_bytes=90_000_000),
    events.VerificationProgress(namespace=_AT, checked=6, documents=12),
    events.CollectionFinished(namespace=_AT, report={}),
    events.CollectionStarted(namespace="ehr.visits", target=None, documents=0, bytes=0),
    events.CollectionFinished(namespace="ehr.visits", report={}),
    events.RunFinished(status="stopped", report={}),
)  # fmt: skip
"""A run in which each event happens at least once."""


def check_observer(cls: type[Observer], options: Mapping[str, Any] | None = None) -> None:
    """Check that an observer takes every event of a run, of an empty one, and of one that ends early, and can be
    closed twice. It may print."""
    check_class("observer", cls)
    for told in (EVENTS, EVENTS[:4], EVENTS[2:5], EVENTS[-1:], ()):
        observer = make(cls, options)
        for event in told:
            _survives(cls, f"notify({type(event).__name__})", partial(observer.notify, event))
        _survives(cls, "close()", observer.close)
        _survives(cls, "close(), called a second time,", observer.close)


def _survives(cls: type[Observer], called: str, call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        raise AssertionError(
            f"{cls.__qualname__}: {called} raises {type(error).__name__}; the run would go on without it"
        ) from error
