"""What a JSON Schema does to a tree before it is judged: defaults filled in, units converted, secrets found.

Understands the keywords by which a schema reaches parts of a value: properties, additionalProperties, items,
allOf, anyOf, oneOf and local `$ref`s. Two formats are phimask's own: `size` (a text such as 2GB, or bytes) and
`duration` (8s, or seconds).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from phimask.config.nodes import Node, planted
from phimask.config.units import (
    RIGHT_DURATION,
    RIGHT_SIZE,
    UnitError,
    in_64_bits,
    parse_duration,
    parse_size,
)
from phimask.config.wording import fault_at, quoted
from phimask.errors import Fault

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]

NUMBER_OF_FORMAT: Final = {"size": "integer", "duration": "number"}
RIGHT_OF_FORMAT: Final = {"size": RIGHT_SIZE, "duration": RIGHT_DURATION}


def prepared(node: Node, schema: Schema, faults: list[Fault]) -> Node:
    """The tree with defaults filled in and sizes and durations as numbers, ready for `numeric(schema)`.

    A text that is no size or duration is a fault, and its node is marked broken.
    """
    return _prepared(node, [(schema, True)], schema, secret=False, faults=faults)


def secret_paths(node: Node, schema: Schema) -> set[Path]:
    """The paths of all values that a subschema with `secret: true` applies to."""
    return set(_secrets(node, [schema], schema, ())) if _marks_secrets(schema) else set()


def _marks_secrets(schema: Any) -> bool:
    """Whether any part of the schema does; most do not, and are asked for each rule of a pack."""
    if isinstance(schema, Mapping):
        return "secret" in schema or any(map(_marks_secrets, schema.values()))
    return isinstance(schema, list | tuple) and any(map(_marks_secrets, schema))


def properties_at(schema: Schema, path: Iterable[str | int]) -> dict[str, Schema]:
    """The keys that the schema knows for the mapping at `path`, each with its subschema."""
    schemas: list[tuple[Any, bool]] = [(schema, True)]
    for step in path:
        schemas = _below(step, _expanded(schemas, schema))
    return {
        key: resolved(part, schema)
        for found, _ in _expanded(schemas, schema)
        for key, part in found.get("properties", {}).items()
    }


def resolved(schema: Any, root: Schema) -> Schema:
    """The schema with what its local `$ref` leads to; an unknown reference leads to nothing, as does a circle."""
    merged: dict[str, Any] = {}
    for _ in range(20):
        if not isinstance(schema, Mapping):
            break
        merged = {**schema, **merged}
        if "$ref" not in schema:
            break
        schema = _target(schema["$ref"], root)
    return merged


def _target(reference: Any, root: Schema) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    target: Any = root
    for step in filter(None, reference[1:].split("/")):
        target = target.get(step, {}) if isinstance(target, Mapping) else {}
    return target


def numeric(schema: Any) -> Any:
    """The schema as it applies to a prepared tree: sizes are integers, durations numbers."""
    return _with_types(schema, lambda number: [number])


def written_types(schema: Any) -> Any:
    """The schema as it applies to a file: sizes and durations may be numbers or texts."""
    return _with_types(schema, lambda number: [number, "string"])


def _with_types(schema: Any, types: Any) -> Any:
    if isinstance(schema, list):
        return [_with_types(item, types) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    changed = {
        # a default, an example or an enum is a value that happens to look like a schema
        key: value if key in {"default", "examples", "enum", "const"} else _with_types(value, types)
        for key, value in schema.items()
    }
    number = NUMBER_OF_FORMAT.get(schema["format"]) if isinstance(schema.get("format"), str) else None
    if number is not None:
        declared = schema.get("type", [])
        nullable = "null" in ([declared] if isinstance(declared, str) else declared)
        changed["type"] = types(number) + (["null"] if nullable else [])
    return changed


def _expanded(schemas: Iterable[tuple[Any, bool]], root: Schema) -> Iterator[tuple[Schema, bool]]:
    """All subschemas that apply to the same value, and whether each does for certain (not in an anyOf)."""
    stack = [(schema, certain, 0) for schema, certain in schemas]
    while stack:
        schema, certain, depth = stack.pop(0)
        if not isinstance(schema, Mapping):
            continue
        yield schema, certain
        if depth < 20:
            if "$ref" in schema:
                stack.append((_target(schema["$ref"], root), certain, depth + 1))
            stack += [(part, certain, depth + 1) for part in schema.get("allOf", ())]
            stack += [(part, False, depth + 1) for key in ("anyOf", "oneOf") for part in schema.get(key, ())]


def _below(step: str | int, schemas: Iterable[tuple[Schema, bool]]) -> list[tuple[Any, bool]]:
    """The subschemas for a key or an element."""
    children: list[tuple[Any, bool]] = []
    for schema, certain in schemas:
        if isinstance(step, int):
            children.append((schema.get("items", {}), certain))
        elif step in schema.get("properties", {}):
            children.append((schema["properties"][step], certain))
        else:
            children.append((schema.get("additionalProperties", {}), certain))
    return children


def _prepared(
    node: Node, schemas: list[tuple[Any, bool]], root: Schema, *, secret: bool, faults: list[Fault]
) -> Node:
    applying = list(_expanded(schemas, root))
    secret = secret or any(schema.get("secret") is True for schema, _ in applying)
    if node.broken:
        return node
    if isinstance(node.value, dict):
        children = dict(node.value)
        for schema, certain in applying:
            for key, part in schema.get("properties", {}).items() if certain else ():
                found = resolved(part, root)
                if key not in children and "default" in found:
                    children[key] = planted(found["default"], node.origin)
        return replace(
            node,
            value={
                key: _prepared(child, _below(key, applying), root, secret=secret, faults=faults)
                for key, child in children.items()
            },
        )
    if isinstance(node.value, list):
        items = [
            _prepared(child, _below(index, applying), root, secret=secret, faults=faults)
            for index, child in enumerate(node.value)
        ]
        return replace(node, value=items)
    return _converted(node, applying, secret=secret, faults=faults)


def _converted(node: Node, applying: list[tuple[Schema, bool]], *, secret: bool, faults: list[Fault]) -> Node:
    for schema, certain in applying:
        form = schema.get("format")
        if isinstance(node.value, str) and form in NUMBER_OF_FORMAT:
            try:
                return replace(
                    node, value=parse_size(node.value) if form == "size" else parse_duration(node.value)
                )
            except UnitError as error:
                if certain:
                    wrong = error.wrong
                    hidden = secret or node.written != node.value
                    if hidden:  # the unit's own wording shows the value; what a variable holds is not shown
                        what = {"size": "size", "duration": "time"}[form]
                        wrong = f"{'the value' if secret else quoted(node.written)} is no {what}"
                    faults.append(
                        fault_at(node.origin, wrong, RIGHT_OF_FORMAT[form] if hidden else error.right)
                    )
                    return replace(node, broken=True)
        declared = schema.get("type")
        whole = isinstance(node.value, float) and node.value.is_integer()
        if whole and "integer" in (declared, NUMBER_OF_FORMAT.get(form or "")):
            try:
                return replace(node, value=in_64_bits(int(node.value)))  # type: ignore[arg-type]
            except ValueError:
                shown = "the value" if secret else quoted(node.written)
                faults.append(fault_at(node.origin, f"{shown} is out of range", "set a smaller number"))
                return replace(node, broken=True)
        if type(node.value) is int and form == "duration":
            return replace(node, value=float(node.value))
    return node


def _secrets(node: Node, schemas: list[Any], root: Schema, path: Path) -> Iterator[Path]:
    applying = list(_expanded([(schema, True) for schema in schemas], root))
    if any(schema.get("secret") is True for schema, _ in applying):
        yield path
    children: Iterable[tuple[str | int, Node]] = ()
    if isinstance(node.value, dict):
        children = node.value.items()
    elif isinstance(node.value, list):
        children = enumerate(node.value)
    for step, child in children:
        yield from _secrets(child, [schema for schema, _ in _below(step, applying)], root, (*path, step))
