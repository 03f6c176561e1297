"""What is right at a glance is right by the metaschema, and of the built-in components nothing else is asked."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, SchemaError

from phimask.plugins.class_check import KINDS, plain
from phimask.plugins.loading import load_registry
from phimask.plugins.schema_glance import plainly_right

ODD = st.sampled_from(
    [None, True, -1, 0, 1.5, 2.0, "", "text", "string", "[", "(?P<", [], [1], ["a", "a"], ["string", "null"], {},
     {"type": "strng"}, {"a": 1}, {"minimum": "1"}, [{"type": "integer"}], [True]]
)  # fmt: skip
KEYWORDS = [
    "type", "properties", "required", "enum", "items", "additionalProperties", "anyOf", "not", "pattern", "format",
    "default", "description", "minimum", "exclusiveMinimum", "minLength", "maxItems", "uniqueItems", "examples",
    "secret", "$ref", "$id", "multipleOf", "patternProperties", "x-other",
]  # fmt: skip


@cache
def built_in() -> list[dict[str, Any]]:
    """All built-in components' schemas."""
    registry = load_registry()
    return [plain(registry.options_schema(kind, name)) for kind in KINDS for name in registry.names(kind)]


def holders(value: Any) -> Iterator[Any]:
    """Everything in it that holds something."""
    if isinstance(value, dict | list):
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from holders(child)


def is_schema(schema: Any) -> bool:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return False
    return True


def test_those_of_the_built_in_components_are() -> None:
    assert len(built_in()) > 80
    assert [schema for schema in built_in() if not plainly_right(schema)] == []


@given(st.data())
def test_nothing_is_let_through_that_the_metaschema_refuses(data: st.DataObject) -> None:
    schema = copy.deepcopy(data.draw(st.sampled_from([one for one in built_in() if one.get("properties")])))
    holder = data.draw(st.sampled_from(list(holders(schema))))
    value = data.draw(ODD)
    if isinstance(holder, dict):
        holder[data.draw(st.sampled_from([*KEYWORDS, *holder]))] = value
    else:
        holder.append(value)
    assert is_schema(schema) or not plainly_right(schema)


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_each_keyword_is_held_to_what_it_takes(keyword: str) -> None:
    values: list[Any] = [None, True, -1, 1.5, "[", "strng", ["a", "a"], [1], [], {"a": 1}, {"type": 3}]
    for value in values:
        schema = {"type": "object", keyword: value}
        assert is_schema(schema) or not plainly_right(schema), value
