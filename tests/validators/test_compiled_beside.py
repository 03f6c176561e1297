"""The compiled walk over two documents says what the one in Python says, and survives any bytes."""

from __future__ import annotations

import random
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from test_comparison import trials
from trial_rules import KEEP, NULLIFY, REMOVE, TEXT, TILDE, Trial, done, told

from effort import examples
from oracle import Node, build, expected
from phimask import DocumentPair, Wildcard, compiled
from phimask_plugins.validators import parts, quick
from phimask_plugins.validators.compare import NONE, Comparer
from phimask_plugins.validators.matcher import Matcher
from phimask_plugins.validators.parts import Masked, Parts, taken_apart
from phimask_plugins.validators.quick import QuickCheck

pytestmark = pytest.mark.skipif(
    not compiled.AVAILABLE, reason="phimask was installed without its compiled walks"
)


def looked_at(matcher: Matcher, before: bytes, after: bytes, *, python: bool) -> tuple[bool, Parts]:
    parts = Parts()
    with pytest.MonkeyPatch.context() as patch:
        if python:
            patch.setattr(quick, "beside", None)
        return QuickCheck(matcher.top).is_clean(before, after, parts), parts


def by_both(matcher: Matcher, before: bytes, after: bytes) -> tuple[bool, list[Masked]]:
    """The same answer, and the same parts."""
    clean, found = looked_at(matcher, before, after, python=False)
    python, others = looked_at(matcher, before, after, python=True)
    assert clean == python
    if clean:
        assert found.masked == others.masked
        assert {type(one) for one in found.masked} <= {Masked}
        for each in (found, others):
            untouched = b"\0".join(each.untouched)
            assert all(text in untouched for text in taken_apart(before, after, matcher.top).untouched)
    return clean, found.masked


@given(trials(), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_both_say_the_same(trial: tuple[list[Node], list[Trial]], data: st.DataObject) -> None:
    nodes, rules = trial
    before = bytearray(build(nodes))
    after = bytearray(expected(bytes(before), done(rules)))
    for raw in (before, after):
        for _ in range(data.draw(st.integers(0, 1))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    by_both(Matcher(told(rules)), bytes(before), bytes(after))


RULES: list[Trial] = [
    (("a",), TILDE),
    (("a", "kept"), KEEP),
    ((Wildcard.ANY_DEPTH, "b"), TILDE),
    (("c",), REMOVE),
    (("d", Wildcard.ANY_KEY, "e"), TEXT),
    (("n",), NULLIFY),
]
DOCUMENT: dict[str, Any] = {
    "_id": 1,
    "a": {"x": "Ada", "y": [{"z": "B"}, "C", ["D", 5]], "kept": {"b": "x"}, "o": None},
    "b": [1, 2.5, Int64(7), True, {"b": ["x", "y"]}, b"123", bson.Regex("x", "i")],
    "c": {"x": [1, {"y": "z"}]},
    "d": {"1": {"e": 5, "f": "g"}, "2": {"e": "five"}, "3": [{"e": [1, 2]}]},
    "n": "x",
    "plain": {"deep": [[["x" * 50, {"deeper": 1.5}]]]},
}


def test_an_ordinary_document_is_taken() -> None:
    before = bson.encode(DOCUMENT)
    clean, masked = by_both(Matcher(told(RULES)), before, expected(before, done(RULES)))
    assert clean
    assert len(masked) == 20


def test_places_may_meet_any_number_of_keys() -> None:
    matcher = Matcher(told([((Wildcard.ANY_DEPTH, "b"), TILDE)]))
    check = QuickCheck(matcher.top)
    for start in range(0, 6000, 1000):
        before = bson.encode({f"k{number}": {"b": "x", "c": 1} for number in range(start, start + 1000)})
        parts = Parts()
        after = expected(before, done([((Wildcard.ANY_DEPTH, "b"), TILDE)]))
        assert check.is_clean(before, after, parts)
        assert len(parts.masked) == 1000


def test_what_is_nested_too_deep_is_left_to_the_exact_walk() -> None:
    deep: dict[str, Any] = {"e": "x"}
    for _ in range(200):
        deep = {"d": deep}
    raw = bson.encode(deep)
    rules = told([((Wildcard.ANY_DEPTH, "b"), TILDE)])
    assert not looked_at(Matcher(rules), raw, raw, python=False)[0]
    assert Comparer(rules).compare(DocumentPair(raw, raw)) == NONE


def test_any_bytes_are_survived() -> None:
    source = random.Random(3)
    whole = bson.encode(DOCUMENT)
    masked = expected(whole, done(RULES))
    matcher = Matcher(told(RULES))
    comparer = Comparer(told(RULES))
    taken = 0
    for number in range(3_000):
        before, after = broken(source, whole), broken(source, masked)
        if source.random() < 0.6:
            before = whole
        elif source.random() < 0.6:
            after = masked
        taken += by_both(matcher, before, after)[0]
        if number % 20 == 0:
            comparer.compare(DocumentPair(before, after))
    assert taken > 5


@given(st.lists(st.sampled_from([b"Ada", b"\0", b" ", b"\t", b"ab", b"\x01", b"\xff", b"\xc3\xa4", b"long"])))
@settings(max_examples=examples(60), deadline=None)
def test_stretches_of_text_are_the_same(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "beside", None)
        expected_ones = parts.stretches(data)
    assert parts.stretches(data) == expected_ones


def broken(source: random.Random, raw: bytes) -> bytes:
    found = bytearray(raw)
    for _ in range(source.randrange(1, 4)):
        choices = (0, 1, 2, 3, 4, 5, 0x7F, 0xFF, source.randrange(256))
        found[source.randrange(len(found))] = source.choice(choices)
    if source.random() < 0.2:
        del found[source.randrange(len(found)) :]
    if source.random() < 0.9:
        found[:4] = len(found).to_bytes(4, "little")
    return bytes(found)
