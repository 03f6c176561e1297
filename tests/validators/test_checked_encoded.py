"""Fields that rules decode: nothing is found where masking is right, and each bug planted in one is."""

from __future__ import annotations

import base64
import json
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoded_trials import RuleText, batch, bound
from masking_trials import AsText, Keep, NextDay, Nullify, Remove, Stub, Tilde
from phimask import Column, DocumentPair, RuleFacts
from phimask.masking.outcomes import Masked
from phimask.planning.binding import facts
from phimask_plugins.validators import ALL

stable = settings(derandomize=True, deadline=None, database=None)

TILDE = Tilde({})
JSON: RuleText = ("P", None, "json")
A: RuleText = ("P.a", TILDE, "")

BOTH = ("structure", "untouched")
ORIGINAL = "a masked path still holds its original"
BYTES = "bytes that no rule masks changed"


class Capped(Tilde):
    """Changes long strings alone."""

    name = "capped"
    changes = "maybe"

    def mask(self, column: Column) -> list[Any]:
        return [value[:3] for value in column.values]


def told(*rules: RuleText) -> tuple[RuleFacts, ...]:
    return facts(bound(*rules))


def found(
    rules: tuple[RuleFacts, ...], before: Any, after: Any, field: str = "P"
) -> set[tuple[str, str, str | None]]:
    """What is found, as validator, finding and path."""
    pair = DocumentPair(bson.encode({"_id": 1, field: before}), bson.encode({"_id": 1, field: after}))
    return {(cls.name, one.what, one.path) for cls in ALL for one in cls({}, rules).document(pair)}


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


RIGHT: list[tuple[list[RuleText], Any, Any]] = [
    ([JSON, A], '{"a":"x","b":1.0}', '{"a":"x~","b":1.0}'),
    ([JSON, A], '{"a":"","b":1.0}', '{"a":"~","b":1.0}'),
    ([JSON, A], '{"a":null}', '{"a":null}'),
    ([JSON, A], '{"b": 1}', '{"b": 1}'),
    ([JSON, A], "no JSON", "[REDACTED]"),
    ([JSON, A], "", ""),
    ([JSON, A], 17, 0),
    ([JSON, A], None, None),
    ([JSON, A], {"a": "x"}, {"a": "x~"}),
    ([JSON, A], b'{"a":"x"}', b'{"a":"x~"}'),
    ([JSON, A], '{"a":17}', '{"a":0}'),
    ([JSON, A], '{"a":"x","a":"y"}', '{"a":"x~","a":"y~"}'),
    ([JSON, A], '[{"a":["x",{"c":"y"}]}]', '[{"a":["x~",{"c":"y~"}]}]'),
    ([JSON, A], '\ufeff{"a":"x"}', '\ufeff{"a":"x~"}'),
    ([JSON, A], '{"b":NaN,"a":"\\ud800"}', '{"b":NaN,"a":null}'),
    ([JSON, ("P.a", Capped({}), "")], '{"a":["abc","abcd"]}', '{"a":["abc","abc"]}'),
    ([JSON, ("P.a", Remove({}), "")], '{"b":1, "a":2}', '{"b":1}'),
    ([JSON, ("P.a", Remove({}), "")], '{"a":[1],"a":{}}', "{}"),
    ([JSON, ("P.a", Nullify({}), "")], '{"a":{"b":1}}', '{"a":null}'),
    ([JSON, ("P.a", Stub({}), "")], '{"a":{"b":1}}', '{"a":{"mask": true}}'),
    ([JSON, ("P.a", AsText({}), "")], '{"a":[1,4294967296]}', '{"a":["#1","#4294967296"]}'),
    ([("P", TILDE, "json"), ("P.b", Keep({}), "")], '{"a":"x","b":"y"}', '{"a":"x~","b":"y"}'),
    ([("P", TILDE, "json"), ("P", Keep({}), "")], '{"a":"x"}', '{"a":"x"}'),
    ([("P", Keep({}), "json"), A], '{"a":"x","b":"y"}', '{"a":"x~","b":"y"}'),
    ([("P", TILDE, "base64")], b64("x"), b64("x~")),
    ([("P", TILDE, "base64")], "no base64!", "[REDACTED]"),
    ([("P", TILDE, "base64")], {"k": b64("x")}, {"k": b64("x~")}),
    ([("P", Nullify({}), "base64")], b64("x"), None),
    ([("P", None, "base64 json"), A], b64('{"a":"x"}'), b64('{"a":"x~"}')),
    ([("P", None, "json json"), A], '"{\\"a\\":\\"x\\"}"', '"{\\"a\\":\\"x~\\"}"'),
    ([JSON, ("P.c", None, "json"), ("**.a", TILDE, "")], '{"c":"{\\"a\\":1}"}', '{"c":"{\\"a\\":0}"}'),
    ([JSON, ("P.c", None, "json"), ("**.a", TILDE, "")], '{"c":"no"}', '{"c":"[REDACTED]"}'),
    ([JSON, ("P.c", None, "json"), ("**.a", TILDE, "")], '{"c":[0,7,"{}"]}', '{"c":[0,0,"{}"]}'),
]


@pytest.mark.parametrize(("rules", "before", "after"), RIGHT)
def test_nothing_is_found_where_masking_is_right(rules: list[RuleText], before: Any, after: Any) -> None:
    """The right column is what masking does, too."""
    (outcome,) = batch(bound(*rules), {"_id": 1, "P": before}, whole=True).outcomes
    done = bson.decode(outcome.bson)["P"] if isinstance(outcome, Masked) else before
    assert (done, type(done)) == (after, type(after))
    assert found(told(*rules), before, after) == set()


WRONG: list[tuple[list[RuleText], Any, Any, set[tuple[str, str, str | None]]]] = [
    ([JSON, A], '{"a":"x"}', '{"a":"x"}', {("no_original", ORIGINAL, "P.a")}),
    ([JSON, A], '{"a":["x~","y"]}', '{"a":["x~~","y"]}', {("no_original", ORIGINAL, "P.a")}),
    ([JSON, A], '{"a":"x","a":"y"}', '{"a":"x~","a":"y"}', {("no_original", ORIGINAL, "P.a")}),
    ([JSON, ("P.a", Stub({}), "")], '{"a":{"b":1}}', '{"a":{"b":1}}', {("no_original", ORIGINAL, "P.a")}),
    ([JSON, ("P.a", Capped({}), "")], '{"a":"abcd"}', '{"a":"abcd"}', {("no_original", ORIGINAL, "P.a")}),
    ([("P", TILDE, "base64")], b64("x"), b64("x"), {("no_original", ORIGINAL, "P")}),
    ([("P", None, "base64 json"), A], b64('{"a":"x"}'), b64('{"a":"x"}'), {("no_original", ORIGINAL, "P.a")}),
    (
        [JSON, ("P.c", None, "json"), ("**.a", TILDE, "")],
        '{"c":"{\\"a\\":\\"x\\"}"}',
        '{"c":"{\\"a\\":\\"x\\"}"}',
        {("no_original", ORIGINAL, "P.c.a")},
    ),
    (
        [("**.P", None, "json"), ("**.a", TILDE, "")],
        '{"P":"{\\"a\\":\\"x\\"}"}',
        '{"P":"{\\"a\\":\\"x\\"}"}',
        {("no_original", ORIGINAL, "P.P.a")},
    ),
    ([JSON, A], '{"a":"x","b":1.0}', '{"a":"x~","b":1}', {("untouched", BYTES, "P.b")}),
    ([JSON, A], '{"a":"x","b":"\\u0062"}', '{"a":"x~","b":"b"}', {("untouched", BYTES, "P.b")}),
    ([JSON, A], '{"a": "x"}', '{"a":"x~"}', {("untouched", BYTES, "P")}),
    ([JSON, A], '{"b":{"c":[1]}}', '{"b":{"c":[2]}}', {("untouched", BYTES, "P.b")}),
    ([("P", Keep({}), "base64")], b64("x"), b64("y"), {("untouched", BYTES, "P")}),
    ([JSON, A], "", "{}", {("untouched", BYTES, "P")}),
    ([JSON, A], '{"a":"x","b":1}', '{"a":"x~"}', {(name, "a field is lost", "P") for name in BOTH}),
    ([JSON, A], '{"a":"x"}', '{"a":"x~","b":1}', {(name, "a field was added", "P") for name in BOTH}),
    ([JSON, A], '{"a":["x","y"]}', '{"a":["x~"]}', {("structure", "the length of an array changed", "P.a")}),
    ([JSON, A], '{"a":["x"]}', '{"a":"x~"}', {("structure", "the type of a value in a decoded field changed", "P.a")}),
    ([JSON, A], '{"a":"x"}', '{"a":7}', {("structure", "the type of a value in a decoded field changed", "P.a")}),
    ([JSON, A], '{"a":"x"}', 7, {("structure", "the type of a value in a decoded field changed", "P")}),
    ([JSON, A], '{"a":"x"}', "broken", {("structure", "the field no longer holds what its rule says", "P")}),
    ([JSON, A], "no", "no", {("no_original", "a field that does not hold what its rule says was not redacted", "P")}),
    ([JSON, A], 17, 17, {("no_original", "a field that does not hold what its rule says was not redacted", "P")}),
    (
        [JSON, ("P.c", None, "json"), ("**.a", TILDE, "")],
        '{"c":"no"}',
        '{"c":"no"}',
        {("no_original", "a field that does not hold what its rule says was not redacted", "P.c")},
    ),
    (
        [JSON, ("P.c", None, "json"), ("**.a", TILDE, "")],
        '{"c":7}',
        '{"c":7}',
        {("no_original", "a field that does not hold what its rule says was not redacted", "P.c")},
    ),
    ([JSON, ("P.a", Remove({}), "")], '{"a":"x"}', '{"a":"x"}', {("no_original", ORIGINAL, "P.a")}),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "before", "after", "expected"), WRONG)
def test_a_planted_bug_is_found(rules: list[RuleText], before: Any, after: Any, expected: Any) -> None:
    assert found(told(*rules), before, after) == expected


def test_a_field_nested_beyond_recursion_is_redacted_and_so_no_finding() -> None:
    assert found(told(JSON, A), '{"a":' * 50_000 + "1" + "}" * 50_000, "[REDACTED]") == set()


_TEXTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just('{"a": "in"}'),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=12,
)
_RULES: list[RuleText] = [
    ("P", TILDE, "json"), ("P.a", AsText({}), ""), ("**.b", Keep({}), ""), ("P.c", Remove({}), ""),
    ("P.a.c", Nullify({}), ""), ("P.b.a", Stub({}), ""), ("**.c", NextDay({}), ""), ("P.a", None, "json"),
]  # fmt: skip


@stable
@given(_TEXTS, st.lists(st.sampled_from(_RULES), max_size=4))
def test_what_masking_does_is_never_a_finding(value: Any, more: list[RuleText]) -> None:
    rules = [JSON, *more]
    before = json.dumps(value)
    (outcome,) = batch(bound(*rules), {"_id": 1, "P": before}, whole=True).outcomes
    after = bson.decode(outcome.bson)["P"] if isinstance(outcome, Masked) else before
    assert found(told(*rules), before, after) == set()
