"""What is masked as it should be gives no finding, and what is not gives one: against the oracle."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import bson
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from trial_rules import ALL_MASKERS, KEEP, REMOVE, TILDE, Trial, done, told

from effort import examples
from oracle import Node, OracleRule, build, expected, parse, redacted, winner
from phimask import DocumentPair, Finding, Wildcard
from phimask_plugins.validators import NoOriginal, Structure, Untouched
from phimask_plugins.validators.compare import NONE, Comparer, _Walk, comparer_for
from phimask_plugins.validators.matcher import Matcher
from phimask_plugins.validators.parts import Parts
from phimask_plugins.validators.quick import QuickCheck
from strategies import documents, keys, rule_lists, scalars, trees

ANYWHERE = (Wildcard.ANY_DEPTH,)
EMPTY_STRING = (0x02, b"\1\0\0\0\0")
EMPTY_DOCUMENT = (0x03, b"\5\0\0\0\0")


@st.composite
def trials(draw: st.DrawFn, *, odd: bool = True) -> tuple[list[Node], list[Trial]]:
    """A document and rules for it."""
    nodes = draw(trees(odd=odd))
    paths = draw(rule_lists(nodes))
    return nodes, [(path, draw(st.sampled_from(ALL_MASKERS))) for path in paths]


def found(before: bytes | None, after: bytes | None, rules: list[Trial]) -> dict[str, list[Finding]]:
    facts = told(rules)
    pair = DocumentPair(before, after)
    return {cls.name: list(cls({}, facts).document(pair)) for cls in (Structure, NoOriginal, Untouched)}


def nothing() -> dict[str, list[Finding]]:
    return {"structure": [], "no_original": [], "untouched": []}


@given(trials())
@settings(max_examples=examples(60))
def test_a_document_masked_right_gives_no_finding(trial: tuple[list[Node], list[Trial]]) -> None:
    nodes, rules = trial
    raw = build(nodes)
    assert found(raw, expected(raw, done(rules)), rules) == nothing()


@given(trials(odd=False))
@settings(max_examples=examples(50))
def test_the_quick_check_is_enough_for_ordinary_documents(trial: tuple[list[Node], list[Trial]]) -> None:
    nodes, rules = trial
    raw = build(nodes)
    after = expected(raw, done(rules))
    assert QuickCheck(Matcher(told(rules)).top).is_clean(raw, after, Parts())


@given(trials(), st.data())
@settings(max_examples=examples(60))
def test_the_quick_check_never_overlooks_what_the_exact_walk_finds(
    trial: tuple[list[Node], list[Trial]], data: st.DataObject
) -> None:
    nodes, rules = trial
    raw = build(nodes)
    after = bytearray(expected(raw, done(rules)))
    for _ in range(data.draw(st.integers(0, 2))):
        after[data.draw(st.integers(0, len(after) - 1))] = data.draw(st.integers(0, 255))
    matcher = Matcher(told(rules))
    if QuickCheck(matcher.top).is_clean(raw, bytes(after), Parts()):
        assert _Walk(matcher, raw, bytes(after)).run() == NONE


@given(trials(), st.one_of(documents(), st.binary(max_size=64)), st.booleans())
@settings(max_examples=examples(50))
def test_any_other_document_gives_findings_and_no_exception(
    trial: tuple[list[Node], list[Trial]], other: bytes, swapped: bool
) -> None:
    nodes, rules = trial
    raw = build(nodes)
    pair = (other, raw) if swapped else (raw, other)
    clean = found(*pair, rules) == nothing()
    # Two documents may happen to be each other's masks: then the oracle's mask has the same shape.
    assert not clean or [node[1] for node in parse(expected(pair[0], done(rules)))] == [
        node[1] for node in parse(pair[1])
    ]


def flat(
    nodes: list[Node], around: tuple[bytes, ...] = ()
) -> list[tuple[list[Node], int, tuple[bytes, ...], bool]]:
    """All places in a tree: the list a node is in, its index there, its path, whether that is an array."""
    there: list[tuple[list[Node], int, tuple[bytes, ...], bool]] = []

    def visit(inside: list[Node], path: tuple[bytes, ...], *, array: bool) -> None:
        for index, (kind, key, value) in enumerate(inside):
            here = path if array else (*path, key)
            there.append((inside, index, here, array))
            if not isinstance(value, bytes):
                visit(value, here, array=kind == 0x04)

    visit(nodes, around, array=False)
    return there


@given(trials(), st.data())
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.filter_too_much])
def test_any_change_outside_of_masked_paths_is_found(
    trial: tuple[list[Node], list[Trial]], data: st.DataObject
) -> None:
    nodes, rules = trial
    raw = build(nodes)
    good = expected(raw, done(rules))
    tree = parse(good)
    oracle = done(rules)
    outside = []
    for inside, index, path, array in flat(tree):
        place = winner(oracle, path)
        if place is None or rules[place][1] is KEEP:
            outside.append((inside, index, array))
    assume(outside)
    inside, index, array = data.draw(st.sampled_from(outside))
    kind, key, value = inside[index]
    change = data.draw(st.sampled_from(["drop", "double", "value", "key", "order"]))
    if change == "drop":
        del inside[index]
    elif change == "double":
        inside.insert(index, (kind, key, value))
    elif change == "value":
        new = data.draw(scalars())
        inside[index] = (new[0], key, new[1])
    elif change == "key":
        inside[index] = (kind, data.draw(keys()), value)
    else:
        inside.append(inside.pop(index))
    bad = build(tree)
    assume(bad != good)
    findings = found(raw, bad, rules)
    assert findings["structure"] or findings["untouched"]
    if not rules:
        assert findings["untouched"]


@given(trials(), st.integers(0, 30))
@settings(
    max_examples=examples(60), suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
def test_any_original_that_stays_is_found(trial: tuple[list[Node], list[Trial]], which: int) -> None:
    nodes, rules = trial
    raw = build(nodes)

    def leak(chosen: int | None) -> tuple[bytes, int]:
        """The document masked but for one value, and how many values could be that one."""
        hidden = 0

        def leaky(rule: OracleRule) -> OracleRule:
            def mask(bson_type: int, value: bytes) -> object:
                nonlocal hidden
                if (bson_type, value) in (redacted(bson_type, value), EMPTY_STRING, EMPTY_DOCUMENT):
                    return rule.mask(bson_type, value)
                hidden += 1
                return (bson_type, value) if hidden - 1 == chosen else rule.mask(bson_type, value)

            return rule._replace(mask=mask)

        tampered = [
            leaky(rule) if masker.facts.changes == "always" else rule
            for rule, (_, masker) in zip(done(rules), rules, strict=True)
        ]
        return expected(raw, tampered), hidden

    _, hidden = leak(None)
    assume(hidden)
    bad, _ = leak(which % hidden)
    assert found(raw, bad, rules)["no_original"]


def test_the_walk_is_shared_and_the_comparer_is_let_go() -> None:
    rules = told([(("shared",), TILDE)])
    first, second = NoOriginal({}, rules), Structure({}, rules)
    assert first._comparer is second._comparer is comparer_for(rules)
    pair = DocumentPair(bson.encode({"shared": "x"}), bson.encode({"shared": 1}))
    assert first._comparer.compare(pair) is second._comparer.compare(pair)
    again = DocumentPair(pair.before, bson.encode({"shared": "~x"}))
    assert first._comparer.compare(again) == NONE
    other = Untouched({}, told([(("shared",), KEEP)]))
    assert other._comparer is not first._comparer
    held = id(first._comparer)
    del first, second
    gc.collect()
    assert id(comparer_for(rules)) != held or comparer_for(rules)._last is None


def test_the_parts_of_a_large_pair_are_not_kept() -> None:
    rules = told([(("notes",), TILDE)])
    comparer = Comparer(rules)
    before = bson.encode({"notes": ["a" * 40] * 20_000})
    pair = DocumentPair(before, bson.encode({"notes": ["~" + "a" * 40] * 20_000}))
    tracemalloc.start()
    try:
        assert comparer.compare(pair) == NONE
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < len(before) < most
    assert len(comparer.parts(pair).masked) == 20_000
    small = DocumentPair(bson.encode({"notes": "a"}), bson.encode({"notes": "~a"}))
    assert comparer.parts(small) is comparer.parts(small)


def nested(depth: int, leaf: Any) -> bytes:
    body = b"\x02x\0" + bson.encode({"": leaf})[6:-1]
    for _ in range(depth):
        raw = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
        body = b"\x03x\0" + raw
    return (len(body) + 5).to_bytes(4, "little") + body + b"\0"


def test_documents_as_deep_as_the_server_takes_are_checked() -> None:
    rules: list[Trial] = [(ANYWHERE, TILDE)]
    assert found(nested(180, "a"), nested(180, "~a"), rules) == nothing()
    deep = found(nested(180, "a"), nested(180, "a"), rules)
    assert [finding.what for finding in deep["no_original"]] == ["a masked path still holds its original"]


def test_documents_too_deep_to_walk_are_a_finding() -> None:
    findings = found(nested(5000, "a"), nested(5000, "~a"), [(ANYWHERE, TILDE)])
    for name in ("structure", "no_original", "untouched"):
        assert [finding.what for finding in findings[name]] == [
            "the document is nested too deeply to be checked"
        ]


def test_findings_of_one_path_are_counted_together() -> None:
    before = bson.encode({"v": [{"n": "Ada"}, {"n": "Bob"}, {"n": "Cyd"}]})
    (finding,) = found(before, before, [(("v", "n"), TILDE)])["no_original"]
    assert finding == Finding("a masked path still holds its original", "v.n", 3)


def test_keys_without_end_do_not_fill_the_memory() -> None:
    comparer = Comparer(told([((Wildcard.ANY_DEPTH, "SSN"), REMOVE)]))
    for start in range(0, 20_000, 1000):
        raw = bson.encode({f"key{number}": number for number in range(start, start + 1000)})
        assert comparer.compare(DocumentPair(raw, raw)) == NONE
    assert all(len(place.plans) <= 2048 for place in comparer._quick._places.values())
