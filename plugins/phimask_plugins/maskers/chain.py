"""chain: several maskers, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal

from phimask import FAILED, REMOVE, Column, Masker
from phimask_plugins.maskers.inner import CHOICE, Make, checked, chosen, part, stayed
from phimask_plugins.maskers.scalars import ALIASES

_STRENGTH: Final = ("lossy", "probable", "injective")


class Chain(Masker):
    """Gives each value to the first of `maskers`, what that makes of it to the second, and so on.

    It takes what the first takes. A value that one of them fails on, or makes something of that the next does not
    take, fails; null ends the chain, as does the removal of the field, which only the first may do. Values may meet
    if they may under any of them. Where one of them changes every value, so does the chain: what comes out as it
    went in fails, except for an empty string.
    """

    name = "chain"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["maskers"],
        "properties": {
            "maskers": {
                "type": "array",
                "minItems": 1,
                "items": CHOICE,
                "description": "The maskers in order, each a name or `{name, options}`, as in a rule.",
            },
        },
    }
    types = frozenset({"string"})
    changes: Literal["always", "maybe", "never"] = "maybe"
    needs_make = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None, *, make: Make) -> None:
        """Raises ValueError as the inner maskers do, and where one cannot take what comes from the one before it."""
        super().__init__(options, key)
        self._maskers = tuple(chosen(one, make) for one in options["maskers"])
        first = self._maskers[0]
        self.types = first.types
        self.produces = self._flow()
        self.uniqueness = min((one.uniqueness for one in self._maskers), key=_STRENGTH.index)
        changes = {one.changes for one in self._maskers}
        self.changes = "always" if "always" in changes else "maybe" if "maybe" in changes else "never"
        self.consistent = all(one.consistent for one in self._maskers)
        self.idempotent = len(self._maskers) == 1 and first.idempotent
        self.needs_subject = any(one.needs_subject for one in self._maskers)
        by_document = {one.per_document for one in self._maskers if one.needs_subject}
        if len(by_document) > 1:
            raise ValueError("in the chain, one masks per document and another per subject; let them agree")
        self.per_document = True in by_document
        self.writes = any(one.writes for one in self._maskers)
        self.long_columns = any(one.long_columns for one in self._maskers)
        self.needs_siblings = any(one.needs_siblings for one in self._maskers)
        self.containers = first.containers
        self.removes = first.removes

    def before(self) -> Iterable[str]:
        """What stands in the way of any of them."""
        for masker in self._maskers:
            yield from masker.before()

    def cached_bytes(self) -> int:
        """Of all of them."""
        return sum(masker.cached_bytes() for masker in self._maskers)

    def drop_cache(self) -> None:
        """In all of them."""
        for masker in self._maskers:
            masker.drop_cache()

    def _flow(self) -> frozenset[str] | None:
        """The types that come out at the end; None: each value keeps its own."""
        flowing, keeps = frozenset(self.types), True
        for place, masker in enumerate(self._maskers):
            taken = flowing & masker.types
            if not taken:
                before = self._maskers[place - 1].name
                raise ValueError(
                    f"in the chain, {masker.name} takes no {' or '.join(sorted(flowing))}, which is what "
                    f"{before} gives; put them in another order, or leave one out"
                )
            if masker.removes and place:
                raise ValueError(f"in the chain, {masker.name} undoes what stands before it; use it alone")
            keeps = keeps and masker.produces is None
            flowing = taken if masker.produces is None else frozenset(masker.produces)
        return None if keeps else flowing

    def mask(self, column: Column) -> list[Any]:
        """What the last masker makes of it."""
        results = list(column.values)
        going = [place for place, value in enumerate(results) if value is not None]
        for masker in self._maskers:
            for place in going:
                if ALIASES.get(type(results[place])) not in masker.types:
                    results[place] = FAILED
            going = [place for place in going if results[place] is not FAILED]
            if not going:
                break
            masked = masker.mask(part(column, results, going, masker))
            for place, result in zip(going, masked, strict=True):
                results[place] = checked(masker, results[place], result)
            going = [place for place in going if not _ended(results[place])]
        if self.changes == "always":
            for place, value in enumerate(column.values):
                if value is not None and stayed(value, results[place]):
                    results[place] = FAILED
        return results


def _ended(result: Any) -> bool:
    return result is FAILED or result is REMOVE or result is None
