"""What the rules of a document have masked, for maskers that go by it: free text and derived fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phimask.masking.columns import BoundRule, Gathered, MaskedColumn, Unreadable
from phimask.plugins.values import MaskedField


def in_turn(rules: Sequence[BoundRule], gathered: Sequence[Gathered]) -> Iterator[tuple[BoundRule, Gathered]]:
    """The rules that have values, those last that go by what the others masked."""
    pairs = [(rule, column) for rule, column in zip(rules, gathered, strict=True) if column.values]
    yield from (pair for pair in pairs if not pair[0].masker.needs_siblings)
    yield from (pair for pair in pairs if pair[0].masker.needs_siblings)


class Siblings:
    """The masked fields of a batch by document; costs nothing where no rule asks for them."""

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        self.wanted = any(rule.masker.needs_siblings for rule in rules)
        self._fields: dict[int, list[MaskedField]] = {}

    def note(self, rule: BoundRule, column: Gathered, result: MaskedColumn) -> None:
        """Remember a column's originals and masks."""
        if not self.wanted or rule.masker.needs_siblings:
            return
        for value, masked, (_, _, number, _, name) in zip(
            column.values, result.values, column.places, strict=True
        ):
            if not isinstance(value, Unreadable):
                place = name or rule.path
                self._fields.setdefault(number, []).append(
                    MaskedField(without_indices(place), place, value, masked)
                )

    def give(self, rule: BoundRule, column: Gathered) -> None:
        """Fill in what the column's masker asks for."""
        if rule.masker.needs_siblings:
            column.siblings = [self._fields.get(place[2], []) for place in column.places]
            column.names = [place[4] or rule.path for place in column.places]


def without_indices(place: str) -> str:
    """The dotted path of a place."""
    return ".".join(key for key in place.split(".") if not key.isdecimal())
