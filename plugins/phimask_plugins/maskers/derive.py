"""derive: a field made of other fields of its document, once those are masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from bson.int64 import Int64

from phimask import FAILED, Column, MaskedField, Masker
from phimask_plugins.maskers.scalars import ALIASES, SCALARS, is_text, widened

_NAMED: Final = re.compile(r"\{([^{}]+)\}|\{\{|\}\}|[{}]")
_WORD: Final = re.compile(r"[^\W\d_][^\s\-]*")

_STYLES: Final[Mapping[str, Callable[[str], str]]] = {
    "copy": lambda text: text,
    "lower": str.lower,
    "upper": str.upper,
    "initials": lambda text: "".join(word[0].upper() for word in _WORD.findall(text)),
}

_Part = str | tuple[str]
"""A text of the template, or a path within a tuple."""


class Derive(Masker):
    """Builds a value from what other rules made of its neighbours: a full name from the masked first and last name,
    a lower-case copy, initials. What stood there itself has no part in it.

    A path names fields whose whole path, without array indices, is it or ends with it; of several, the one is taken
    that shares most of this value's own place, as one in the same array element does, and of those the first. A
    value whose neighbour is missing, was removed or became null fails, as does one whose neighbour no rule masks:
    name a rule for it, `keep` if need be. A copy of one field keeps that field's type, which must be this one's;
    texts and whole numbers go into anything else, and the result is a string. An empty string stays empty.
    """

    name = "derive"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "from": {
                "type": ["string", "array"],
                "minLength": 1,
                "minItems": 1,
                "items": {"type": "string", "minLength": 1},
                "description": "The path of a field that another rule masks, or several, joined by a space.",
            },
            "template": {
                "type": "string",
                "minLength": 1,
                "description": "In place of `from`: a text with such paths in braces, `{FirstName} {LastName}` say; "
                "`{{` and `}}` are braces.",
            },
            "as": {
                "enum": list(_STYLES),
                "default": "copy",
                "description": "What is made of it in the end: nothing, lower or upper case, or the initials.",
            },
        },
    }
    types = SCALARS
    changes = "maybe"
    needs_siblings = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError unless there is one of `from` and `template`, and for a template that names no field."""
        super().__init__(options, key)
        if ("from" in options) == ("template" in options):
            raise ValueError("there is to be one of `from` and `template`, to derive from")
        if "template" in options:
            self._parts = _parts(options["template"])
        else:
            named = [options["from"]] if isinstance(options["from"], str) else list(options["from"])
            self._parts = _joined(named)
        self._style = _STYLES[options.get("as", "copy")]
        copies = "from" in options and len(self._parts) == 1 and options.get("as", "copy") == "copy"
        self._copied = self._parts[0][0] if copies else None
        if self._copied is None:
            self.types = frozenset({"string"})

    def mask(self, column: Column) -> list[Any]:
        """What the neighbours give."""
        rows = zip(column.values, column.places, column.siblings, strict=True)
        return [self._derived(value, place, siblings) for value, place, siblings in rows]

    def _derived(self, value: Any, place: str, siblings: Sequence[MaskedField]) -> Any:
        if type(value) is str and not value:
            return value
        if self._copied is not None:
            masked = widened(value, _nearest(self._copied, place, siblings))
            return masked if ALIASES.get(type(masked)) == ALIASES.get(type(value)) else FAILED
        if type(value) is not str:
            return FAILED
        pieces: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            masked = _nearest(part[0], place, siblings)
            if type(masked) is not str and type(masked) is not int and type(masked) is not Int64:
                return FAILED
            pieces.append(str(masked))
        result = self._style("".join(pieces))
        # Initials of what has no letters would be an empty text in place of one that was not.
        return result if result and is_text(result) else FAILED


def _nearest(path: str, place: str, siblings: Sequence[MaskedField]) -> Any:
    """The mask of the field nearest to a place, or FAILED."""
    here = place.split(".")
    tail = f".{path}"
    found: Any = FAILED
    most = -1
    for sibling in siblings:
        if sibling.path == path or sibling.path.endswith(tail):
            shared = 0
            for mine, its in zip(here, sibling.place.split("."), strict=False):
                if mine != its:
                    break
                shared += 1
            if shared > most:
                most, found = shared, sibling.masked
    return found


def _joined(paths: Sequence[str]) -> tuple[_Part, ...]:
    parts: list[_Part] = [(paths[0],)]
    for path in paths[1:]:
        parts += [" ", (path,)]
    return tuple(parts)


def _parts(template: str) -> tuple[_Part, ...]:
    if not is_text(template):
        raise ValueError("`template` holds a lone surrogate, which is no character")
    parts: list[_Part] = []
    end = 0
    for found in _NAMED.finditer(template):
        parts.append(template[end : found.start()])
        end = found.end()
        if found[1]:
            parts.append((found[1],))
        elif found[0] in ("{{", "}}"):
            parts.append(found[0][0])
        else:
            raise ValueError(
                "`template` has a brace without its counterpart; one that is meant is written twice"
            )
    parts.append(template[end:])
    if not any(isinstance(part, tuple) for part in parts):
        raise ValueError(
            "`template` names no field, so that every value would be the same; the masker for that is replace"
        )
    return tuple(part for part in parts if part)
