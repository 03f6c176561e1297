"""A masker within a masker: how a rule names it, what it is given of a column, which of its results can stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from phimask import FAILED, REMOVE, Column, Masker
from phimask_plugins.maskers.scalars import ALIASES, widened

Make = Callable[[str, Mapping[str, Any]], Masker]
"""Makes a masker of a name and its options, as a run would; raises ValueError where that cannot be."""

CHOICE: Final[Mapping[str, Any]] = {
    "type": ["string", "object"],
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string"}, "options": {"type": "object"}},
}
"""The schema of a name, or of a name with options."""


def chosen(choice: str | Mapping[str, Any], make: Make) -> Masker:
    """The masker that a choice names. Raises ValueError as `make` does."""
    return make(choice, {}) if isinstance(choice, str) else make(choice["name"], choice.get("options", {}))


def part(column: Column, values: Sequence[Any], places: Sequence[int], masker: Masker) -> Column:
    """Those of the values that are at `places` of the column, with what the masker asks for."""
    subjects = [column.subjects[place] for place in places] if masker.needs_subject else []
    some = Column(column.path, [values[place] for place in places], subjects)
    if masker.needs_siblings:
        some.siblings = [column.siblings[place] for place in places]
        some.places = [column.places[place] for place in places]
    return some


def checked(masker: Masker, value: Any, result: Any) -> Any:
    """A result of the types that its masker promised, as the engine would store it; else FAILED."""
    if result is FAILED or result is REMOVE:
        return result if result is FAILED or masker.removes else FAILED
    result = widened(value, result)
    alias = ALIASES.get(type(result))
    promised = masker.produces if masker.produces is not None else {ALIASES.get(type(value))}
    return result if alias in promised else FAILED


def stayed(value: Any, result: Any) -> bool:
    """Whether a value came out as it went in, although there was something to mask."""
    return type(result) is type(value) and bool(result == value) and value not in ("", b"")
