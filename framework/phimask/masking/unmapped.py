"""Paths that no rule names: seen, counted, and left as they are (`unmapped: report` and `halt`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.masking.columns import type_alias
from phimask.path_counts import ANY, PathCounts
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import Column

_FIELD_NAME: Final = re.compile(r"(?!.*\d{4})(?:[^\W\d]|\$)[\w$-]{0,63}")
"""What a field's name looks like, in any script."""
_MOST_KNOWN: Final = 10_000
"""So many places are remembered at once: where keys are data, there is no end of them."""


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
        self._known: dict[str, Sequence[str]] = {}

    def mask(self, column: Column) -> Sequence[Any]:
        """The values themselves."""
        kinds: list[Any] = [*map(PYTHON_ALIASES.get, map(type, column.values))]
        if None in kinds:  # what cannot be decoded
            kinds = [*map(type_alias, column.values)]
        for (place, kind), values in Counter(zip(column.places, kinds, strict=True)).items():
            self.seen.count(self._shown_at(place), kind, values)
        return column.values

    def _shown_at(self, place: str) -> Sequence[str]:
        """The path of a place, as it may be told. Documents of one collection have most places in common."""
        known = self._known.get(place)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[place] = _shown(key for key in place.split(".") if not key.isdecimal())
        return known


def shown_path(keys: Iterable[str]) -> str:
    """The path as it may be told, without indices: `*` for keys that may be data."""
    return ".".join(_shown(keys))


def _shown(keys: Iterable[str]) -> list[str]:
    return [key if names_field(key) else ANY for key in keys]


def names_field(key: str) -> bool:
    """Whether it looks like a field's name. A key of any other form may be data, and so may be PHI."""
    return _FIELD_NAME.fullmatch(key) is not None
