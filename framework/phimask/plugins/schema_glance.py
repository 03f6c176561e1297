"""JSON Schemas that are right at a glance: those of a start's components take the metaschema a tenth of a second.

What is not known here is for the metaschema to judge; what is held to be right here is right there too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def plainly_right(schema: Any) -> bool:
    """Whether a schema (draft 2020-12), its mappings dicts and its sequences lists, is one for certain."""
    if isinstance(schema, dict):
        return all(key in _LOOKS and _LOOKS[key](value) for key, value in schema.items())
    return isinstance(schema, bool)


def _anything(value: Any) -> bool:
    del value
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    if isinstance(value, str):
        return value in _TYPES
    return _are_texts(value) and bool(value) and _TYPES.issuperset(value)


def _are_schemas(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(plainly_right, value))


def _are_named(value: Any) -> bool:
    return isinstance(value, dict) and all(map(plainly_right, value.values()))


_LOOKS: Final[Mapping[Any, Callable[[Any], bool]]] = MappingProxyType(
    {
        **dict.fromkeys(("default", "const", "secret", "x-right"), _anything),
        **dict.fromkeys(("description", "title", "format"), _is_text),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
        **dict.fromkeys(
            ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count
        ),
        **dict.fromkeys(("items", "additionalProperties", "propertyNames", "not"), plainly_right),
        **dict.fromkeys(("anyOf", "oneOf", "allOf"), _are_schemas),
        **dict.fromkeys(("enum", "examples"), _is_list),
        "type": _is_type,
        "properties": _are_named,
        "required": _are_texts,
        "uniqueItems": _is_flag,
        "pattern": _is_pattern,
    }
)
