"""Paths that no rule names: seen, counted, and left as they are (`unmapped: report` and `halt`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.masking.columns import type_alias
from phimask.path_counts import ANY, PathCounts
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import Column

_FIELD_NAME: Final = re.compile(r"(?!.*\d{4})(?:[^\W\d]|\$)[\w$-]{0,63}")
"""What a field's name looks like, in any script."""


class Unmapped(Masker):
    """The lowest rule of all, `**`: masks nothing, and remembers paths and BSON types with how many values."""

    name: ClassVar[str] = "unmapped"
    types = frozenset(PYTHON_ALIASES.values())
    changes = "maybe"
    idempotent = True
    needs_siblings = True
    leaves_unreadable: ClassVar[bool] = True
    """What cannot be decoded stays as it is, too."""

    def __init__(self) -> None:
        super().__init__({})
        self.seen = PathCounts()

    def mask(self, column: Column) -> Sequence[Any]:
        """The values themselves."""
        for value, place in zip(column.values, column.places, strict=True):
            self.seen.count(_shown(key for key in place.split(".") if not key.isdecimal()), type_alias(value))
        return column.values


def shown_path(keys: Iterable[str]) -> str:
    """The path as it may be told, without indices: `*` for keys that may be data."""
    return ".".join(_shown(keys))


def _shown(keys: Iterable[str]) -> list[str]:
    return [key if names_field(key) else ANY for key in keys]


def names_field(key: str) -> bool:
    """Whether it looks like a field's name. A key of any other form may be data, and so may be PHI."""
    return _FIELD_NAME.fullmatch(key) is not None
