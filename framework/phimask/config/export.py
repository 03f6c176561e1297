"""One schema for editors: a shipped schema with the installed components' names and options in it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from phimask.config.components import ComponentCatalog
from phimask.config.data import FileKind, shipped_schema
from phimask.config.schema_walk import written_types

_KINDS: Final[Mapping[FileKind, tuple[str, ...]]] = {
    "profile": ("partitioner", "batch_sizer", "memory_governor", "executor", "validator", "observer"),
    "collection": ("masker",),
}


def combined_schema(kind: FileKind, components: ComponentCatalog) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a profile or collection file, with every installed component in it."""
    schema: dict[str, Any] = copy.deepcopy(dict(shipped_schema(kind)))
    for component in _KINDS[kind]:
        schema["$defs"][component] = _choices(component, components)
    return schema


def _choices(kind: str, components: ComponentCatalog) -> dict[str, Any]:
    names = list(components.names(kind))
    options = {name: dict(components.options_schema(kind, name)) for name in names}
    bare = [name for name in names if not options[name].get("required")]
    choices = [_choice(kind, name, options[name]) for name in names]
    return {"anyOf": [*([{"enum": bare}] if bare else []), *choices]}


def _choice(kind: str, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    embedded = dict(written_types(options))
    if "$defs" in embedded or "definitions" in embedded:
        # an embedded schema with references of its own needs to be their root
        embedded["$id"] = f"urn:phimask:{kind}:{name}"
    required = ["name", "options"] if options.get("required") else ["name"]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": {"name": {"const": name}, "options": embedded},
    }
