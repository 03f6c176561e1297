"""keep: says of a path that it is meant to stay as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from phimask import Column, Masker
from phimask_plugins.maskers.scalars import SCALARS


class Keep(Masker):
    """Leaves values as they are: for paths that an earlier, wider rule would mask."""

    name = "keep"
    types = SCALARS | {"object"}
    uniqueness = "injective"
    changes = "never"
    idempotent = True
    containers = True

    def mask(self, column: Column) -> Sequence[Any]:
        """The same values."""
        return list(column.values)
