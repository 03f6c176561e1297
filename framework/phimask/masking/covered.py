"""What stands now at the paths that rules cover, whoever put it there: how a batch that was cut short is recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from phimask.masking.bson_types import PYTHON_ALIASES
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import Column


def covered_values(rules: Sequence[BoundRule]) -> MaskingCore:
    """A core that changes nothing: what its batches call `covered` is, byte for byte, what the rules' own core calls
    `covered` of a document that it has masked."""
    looking = [replace(rule, masker=_Look(rule.masker)) for rule in rules]
    return MaskingCore(looking, None, "redact", covered=True)


class _Look(Masker):
    """Gives each value back; walks into what the masker walks into, and takes its turn when the masker does."""

    name = "look"
    types = frozenset(PYTHON_ALIASES.values())

    def __init__(self, masker: Masker) -> None:
        super().__init__({})
        self.changes = "never" if masker.changes == "never" else "maybe"
        self.containers = masker.containers
        self.removes = masker.removes
        self.needs_siblings = masker.needs_siblings

    def mask(self, column: Column) -> Sequence[Any]:
        return column.values
