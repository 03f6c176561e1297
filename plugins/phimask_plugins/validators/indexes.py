"""Validator `indexes`: the collection has the indexes that it had, and the server uses each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phimask import CollectionFacts, Finding, RuleFacts, Validator

_NOT_THE_INDEX: Final = frozenset({"v", "ns", "background"})
"""What the server writes beside an index's definition: the format of its files, and names that change with the
collection's."""


class Indexes(Validator):
    """No index is lost, none is added, none is defined otherwise, and the server takes each when it is told to.

    Of a copy in a target nobody knows which indexes it is to have: only that those it has can be used. Text,
    geospatial, wildcard and hidden indexes answer certain queries alone: of those it is enough that they are there and
    built.
    """

    name = "indexes"
    phases = frozenset({"after"})

    def __init__(self, options: Mapping[str, Any], rules: Sequence[RuleFacts] = ()) -> None:
        super().__init__(options, rules)
        self._blind = False

    def collection(self, before: CollectionFacts | None, after: CollectionFacts) -> Iterator[Finding]:
        """A finding for each difference, with how many indexes; names may say much, and are left out."""
        yield from _some("an index cannot be used, or is not built", len(after.unusable))
        if before is None:
            self._blind = True
            return
        old, new = _definitions(before), _definitions(after)
        yield from _some("an index is lost", len(old.keys() - new.keys()))
        yield from _some("an index is there that was not there before", len(new.keys() - old.keys()))
        changed = sum(old[name] != new[name] for name in old.keys() & new.keys())
        yield from _some("an index is not what it was", changed)

    def unjudged(self) -> Iterator[Finding]:
        """Whether any is missing, where nobody knows which there were."""
        if self._blind:
            yield Finding("whether an index is missing: nobody knows which there are to be")


def _some(what: str, count: int) -> Iterator[Finding]:
    if count:
        yield Finding(what, None, count)


def _definitions(facts: CollectionFacts) -> dict[str, dict[str, Any]]:
    """By name; the order of an index's keys counts."""
    return {
        one["name"]: {
            **{key: _plain(value) for key, value in one.items() if key not in _NOT_THE_INDEX},
            "key": list(one["key"].items()),
        }
        for one in facts.indexes
    }


def _plain(value: Any) -> Any:
    """Equal where the server means the same: it answers with numbers of other widths than it was given."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
