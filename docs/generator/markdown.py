"""What all pages of the reference are made of: pages, tables, and JSON Schemas as rows of tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

NOTE: Final = "<!-- Written by docs/generate.py from the code. Change the code, then run it again. -->"
_AS_IT_IS: Final = "<!-- fmt: off -->"


def page(title: str, lead: str, *parts: str) -> str:
    """A whole page; empty parts are left out."""
    return (
        "\n\n".join([f"# {title}", NOTE, _AS_IT_IS, lead, *(part for part in parts if part)]).rstrip() + "\n"
    )


def cell(text: object) -> str:
    """A text for a table's cell: one line, nothing but code marked up."""
    pieces = " ".join(str(text).split()).split("`")
    for index in range(0, len(pieces), 2):
        for sign in "*<[":
            pieces[index] = pieces[index].replace(sign, f"\\{sign}")
    return "`".join(pieces).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; its cells are texts."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(one) for one in row)} |" for row in rows]
    return "\n".join(lines)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return dict(schema)
    target: Any = root
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    found: dict[str, Any] = _resolved(target, root)
    return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}


def _type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    schema = _resolved(schema, root)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one, root) for one in schema["anyOf"]))
    if "format" in schema and schema["format"] in ("size", "duration"):
        types = schema.get("type", ())
        return f"{schema['format']} or null" if "null" in types else str(schema["format"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema['items'], root)}"
    kinds = [kind] if isinstance(kind, str) else list(kind)
    words = {"object": "mapping", "boolean": "true or false"}
    if "items" in schema:
        words["array"] = f"list of {_type(schema['items'], root)}"
    if "then" in schema:
        words["string"] = _type(schema["then"], root)
    return " or ".join(words.get(one, one) for one in kinds)


def _limits(schema: Mapping[str, Any]) -> str:
    told = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("minLength", "at least, in characters:"),
            ("maxLength", "at most, in characters:"),
        )
        if key in schema and not (key == "minLength" and schema[key] == 1)
    ]
    return f" ({', '.join(told)})" if told else ""


def shown(value: Any) -> str:
    """An option's value as one would write it."""
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`{', '.join(map(str, value)) or '[]'}`"
    if isinstance(value, Mapping):
        return "`{" + ", ".join(f"{key}: {shown(one).strip('`')}" for key, one in value.items()) + "}`"
    return f"`{value}`"


def schema_rows(
    schema: Mapping[str, Any], root: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, ...]]:
    """Key, type, default and description of everything below a mapping, depth first."""
    schema = _resolved(schema, root)
    required = schema.get("required", ())
    for key, child in schema.get("properties", {}).items():
        one = _resolved(child, root)
        path = f"{prefix}{key}"
        default = shown(one["default"]) if "default" in one else "required" if key in required else ""
        yield f"`{path}`", _type(one, root) + _limits(one), default, one.get("description", "")
        if "properties" in one:
            yield from schema_rows(one, root, f"{path}.")
        named = one.get("additionalProperties")
        if isinstance(named, Mapping) and "properties" in named:
            yield from schema_rows(named, root, f"{path}.NAME.")
        items = _resolved(one["items"], root) if "items" in one else {}
        if "properties" in items:
            yield from schema_rows(items, root, f"{path}[].")
