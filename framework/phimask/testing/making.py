"""From a class and options as a profile writes them to a component, as a run would make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import jsonschema

from phimask.config.model import Origin
from phimask.config.nodes import plain as plain_nodes
from phimask.config.nodes import planted
from phimask.config.schema_check import checked
from phimask.errors import Fault
from phimask.plugins.class_check import KINDS, faults, plain
from phimask.plugins.interfaces import Component

C = TypeVar("C", bound=Component)

_UNKNOWN_OPTION: Final = "no_such_option_of_any_component"
_ORIGIN: Final = Origin("options", None, "$")


def require(kept: bool, cls: type[Any], broken: str) -> None:
    """Raises AssertionError, which names the class, unless the promise was kept."""
    if not kept:
        raise AssertionError(f"{cls.__qualname__}: {broken}")


def check_class(kind: str, cls: type[Any]) -> None:
    """What the registry asks of a class, and what it cannot: a docstring, a schema that is closed and whose
    defaults are valid."""
    wrong = list(faults(kind, cls))
    require(not wrong, cls, "\n".join(wrong))
    require(
        bool((cls.__doc__ or "").strip()) and cls.__doc__ != KINDS[kind].interface.__doc__,
        cls,
        "it has no docstring; its first sentence is what `phimask plugins list` shows",
    )
    schema = plain(cls.options_schema)
    unknown = jsonschema.Draft202012Validator(schema).iter_errors({_UNKNOWN_OPTION: 1})
    require(
        any(not error.absolute_path and _UNKNOWN_OPTION in error.message for error in unknown),
        cls,
        "its options_schema takes any option, so that a misspelt one goes unnoticed; "
        "add 'additionalProperties': False",
    )
    for name, option in schema.get("properties", {}).items():
        if isinstance(option, dict) and "default" in option:
            of_it = {"type": "object", "properties": {name: option}}
            _complete(cls, of_it, {}, f"the default of its option {name}")


def make(cls: type[C], options: Mapping[str, Any] | None = None, **given: Any) -> C:
    """A component with its options as a run completes them: checked, defaults filled in, units converted.

    Raises AssertionError for options that the component's own schema refuses.
    """
    complete = _complete(cls, plain(cls.options_schema), plain(options or {}), "the options of this check")
    return cast("C", cast("Any", cls)(complete, **given))


def _complete(
    cls: type[Any], schema: Mapping[str, Any], options: Mapping[str, Any], called: str
) -> dict[str, Any]:
    faults: list[Fault] = []
    complete: dict[str, Any] = plain_nodes(checked(planted(options, _ORIGIN), schema, faults))
    require(not faults, cls, f"its options_schema refuses {called}: " + "; ".join(map(str, faults)))
    return complete
