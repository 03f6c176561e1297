"""What the corpus does not reach: keywords that only a plugin's option schema uses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.model import Origin
from phimask.config.nodes import plain, planted
from phimask.config.schema_check import checked
from phimask.config.yaml_lines import parse_yaml
from phimask.errors import Fault


def judged(schema: Any, text: str) -> tuple[Any, list[str]]:
    faults: list[Fault] = []
    tree = checked(parse_yaml(text, "f"), {"type": "object", "properties": {"x": schema}}, faults)
    return plain(tree).get("x"), [str(fault).removeprefix("f:1: ") for fault in faults]


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"maximum": 3}, "x: 5", "$.x: '5' is more than 3; write 3 or less"),
        ({"exclusiveMaximum": 3}, "x: 3", "$.x: '3' is not less than 3; write less than 3"),
        ({"multipleOf": 2}, "x: 3", "$.x: '3' is not allowed here; write another value"),
        ({"maxLength": 2}, "x: abc", "$.x: the text is too long; write at most 2 characters"),
        ({"minItems": 2}, "x: [a]", "$.x: the list is too short; write at least 2 of them"),
        ({"maxItems": 1}, "x: [a, b]", "$.x: the list is too long; write at most 1 of them"),
        ({"pattern": "^a"}, "x: b", "$.x: 'b' is not allowed here; write a text that matches ^a"),
        ({"const": 5}, "x: 6", "$.x: '6' is not known here; write 5"),
        ({"const": 5}, 'x: "\\e[31m\\0"', "$.x: '\\x1b[31m\\x00' is not known here; write 5"),
        ({"not": {"type": "string"}}, "x: b", "$.x: 'b' is not allowed here; write another value"),
        ({"enum": [1, True, None, "a"]}, "x: 2", "$.x: '2' is not known here; write 1, true, null or a"),
        ({"enum": [1, 2]}, 'x: "2"', "$.x: '2' is not known here; write it without quotes"),
        (
            {"type": ["integer", "array"]},
            "x: b",
            "$.x: 'b' is not a whole number or a list; write a whole number or a list ([a, b])",
        ),
        (
            {"oneOf": [{"type": "integer"}, {"type": "string", "enum": ["auto"]}]},
            "x: autp",
            "$.x: 'autp' is not known here; did you mean 'auto'?",
        ),
        (
            {"oneOf": [{"type": "integer"}, {"enum": ["auto"]}]},
            "x: abc",
            "$.x: 'abc' does not belong here; write a whole number or auto",
        ),
        (
            {"oneOf": [{"type": "null"}, {"enum": ["auto"]}]},
            "x: [1]",
            "$.x: a list is not known here; write auto",
        ),
        (
            {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
            "x: hello",
            "$.x: 'hello' does not belong here; write a whole number or true or false",
        ),
        ({"type": "string", "x-right": "write a colour"}, "x: 5", "$.x: '5' is not a text; write a colour"),
        (
            {"additionalProperties": {"type": "integer"}},
            "x: {a: b}",
            "$.x.a: 'b' is not a whole number; write a whole number",
        ),
        ({"type": "string", "secret": True}, "x: 12345", "$.x: the value is not a text; put it in quotes"),
        ({"enum": ["alpha"], "secret": True}, "x: alphq", "$.x: the value is not known here; write alpha"),
        (
            {"secret": True, "properties": {"y": {"items": {"type": "integer"}}}},
            "x: {y: [q]}",
            "$.x.y[0]: the value is not a whole number; write a whole number",
        ),
        ({"type": ["string", "null"], "format": "size"}, "x: much",
         "$.x: 'much' is no size; write a size such as 64MB, 1.5GB or 512MiB"),
        ({"type": "string", "format": "size"}, "x: [1]",
         "$.x: a list is not a size; write a size such as 64MB, 1.5GB or 512MiB"),
    ],
)  # fmt: skip
def test_each_keyword_in_words(schema: Any, text: str, said: str) -> None:
    assert judged(schema, text)[1] == [said]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"format": "size"}, "x: 2kB", 2000),
        ({"type": "string", "format": "size"}, "x: 2kB", 2000),
        ({"type": "integer", "format": "size", "maximum": 2000}, "x: 2000.0", 2000),
        ({"type": ["string", "null"], "format": "size"}, "x: null", None),
        ({"format": "duration"}, "x: 2", 2.0),
        ({"type": "string", "format": "duration", "default": "2m"}, "y: 1", 120.0),
        ({"items": {"format": "duration"}}, "x: [1s, 2m]", [1.0, 120.0]),
        ({"additionalProperties": {"format": "size"}}, "x: {a: 1kB}", {"a": 1000}),
        ({"allOf": [{"format": "size"}, {"minimum": 5}]}, "x: 1kB", 1000),
        ({"anyOf": [{"format": "size", "type": "string"}, {"enum": ["all"]}]}, "x: 1kB", 1000),
        ({"anyOf": [{"format": "size", "type": "string"}, {"enum": ["all"]}]}, "x: all", "all"),
        ({"properties": {"a": {"default": 1}, "b": {}}}, "x: {b: 2}", {"b": 2, "a": 1}),
        ({"default": {}, "properties": {"a": {"default": "1s", "format": "duration"}}}, "y: 1", {"a": 1.0}),
        ({"type": "integer"}, "x: 4.0", 4),
        ({"format": "date"}, "x: anything", "anything"),
    ],
)
def test_units_and_defaults(schema: Any, text: str, value: Any) -> None:
    found, faults = judged(schema, text)
    assert faults == []
    assert found == value
    assert type(found) is type(value)


def test_references_are_followed_and_circles_end() -> None:
    schema = {
        "$defs": {
            "wait": {"format": "duration", "secret": True},
            "tree": {"properties": {"wait": {"$ref": "#/$defs/wait"}, "below": {"$ref": "#/$defs/tree"}}},
        },
        "$ref": "#/$defs/tree",
    }
    faults: list[Fault] = []
    tree = checked(parse_yaml("below: {below: {wait: 2m}}\nwait: hunter2\n", "f"), schema, faults)
    assert plain(tree)["below"]["below"] == {"wait": 120.0}
    assert [str(fault) for fault in faults] == [
        "f:2: $.wait: the value is no time; write a time such as 250ms, 8s, 2m or 1h"
    ]


def test_a_misspelt_required_key_is_one_mistake() -> None:
    schema = {"properties": {"token": {}}, "required": ["token"], "additionalProperties": False}
    assert judged(schema, "x: {tokn: 1}")[1] == ["$.x.tokn: unknown key 'tokn'; did you mean 'token'?"]


def test_an_unknown_key_in_a_secret_is_not_shown() -> None:
    schema = {"secret": True, "properties": {"token": {}}, "additionalProperties": False}
    assert judged(schema, "x: {hunter2: 1}")[1] == ["$.x: there is an unknown key; the keys here are token"]


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(values)
def test_a_secret_is_never_shown_whatever_it_is(value: Any) -> None:
    canary = {"hunter2": [value, "hunter2"]}
    schema = {
        "type": "object",
        "secret": True,
        "additionalProperties": False,
        "properties": {"hunter2": {"items": {"type": "integer", "format": "size"}, "maxItems": 1}},
    }
    faults: list[Fault] = []
    checked(planted({"x": canary}, Origin("f", 1, "$")), {"properties": {"x": schema}}, faults)
    checked(planted({"x": "hunter2"}, Origin("f", 1, "$")), {"properties": {"x": schema}}, faults)
    assert len(faults) >= 2
    assert not [fault for fault in faults if "hunter2" in fault.wrong + fault.right]
