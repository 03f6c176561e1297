"""keep_null: what stands for no value stays, all else goes to another masker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Literal

from bson.decimal128 import Decimal128

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.inner import CHOICE, Make, checked, chosen, part, stayed

_NO_NAMES: Final = ("-", "--", "?", "n/a", "unknown", "not known", "not applicable", "not available")
"""What is written for no value and is nobody's name: Null, Nil, Nan and Unk are some people's."""
_MAY_BE_NULL: Final = frozenset({"string", "int", "long", "double", "decimal"})


class KeepNull(Masker):
    """Leaves what stands for no value as it is, and gives all else to `masker`: `N/A` stays `N/A`, `Ada` becomes
    `Grace`.

    Null itself stays under every masker. This one is for the strings and numbers that are written in its place, which
    another masker would turn into a false person, or fail on and count as an error. Strings are compared without
    regard to case and surrounding white space, numbers by value and whatever their type. All that `masker` needs and
    promises holds here, too. To hide whether there is a value, take `nullify`.

    Source: the null flavors of HL7 Version 3 (code system NullFlavor) for what such words mean.
    """

    name = "keep_null"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["masker"],
        "properties": {
            "masker": {
                **CHOICE,
                "description": "What masks the other values: a name or `{name, options}`, as in a rule.",
            },
            "nulls": {
                "type": "array",
                "minItems": 1,
                "items": {"type": ["string", "number"]},
                "default": list(_NO_NAMES),
                "description": "What stands for no value, such as `UNK` or -9. List nothing that may be somebody's: it "
                "is not masked.",
            },
        },
    }
    types = frozenset({"string"})
    uniqueness: Literal["probable", "lossy"] = "lossy"
    changes: Literal["maybe", "never"] = "maybe"
    needs_make = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None, *, make: Make) -> None:
        """Raises ValueError as the inner masker does, and for one that takes fields out."""
        super().__init__(options, key)
        self._masker = masker = chosen(options["masker"], make)
        if masker.removes:
            raise ValueError(f"{masker.name} takes fields out whatever they hold; use it alone")
        nulls: Iterable[str | float] = options.get("nulls", _NO_NAMES)
        self._words = frozenset(_folded(one) for one in nulls if isinstance(one, str))
        self._numbers = frozenset(one for one in nulls if not isinstance(one, str))
        self.types = masker.types
        self.produces = None if masker.produces is None else masker.produces | (masker.types & _MAY_BE_NULL)
        # A mask may happen to be one of the nulls.
        self.uniqueness = "lossy" if masker.uniqueness == "lossy" else "probable"
        self.idempotent = masker.idempotent
        self.needs_subject = masker.needs_subject
        self.per_document = masker.per_document
        self.needs_siblings = masker.needs_siblings
        self.writes = masker.writes
        self.long_columns = masker.long_columns
        self.containers = masker.containers
        if masker.changes == "never":
            self.changes = "never"

    def before(self) -> Iterable[str]:
        """What stands in the other masker's way."""
        return self._masker.before()

    def cached_bytes(self) -> int:
        """The other masker's."""
        return self._masker.cached_bytes()

    def drop_cache(self) -> None:
        """The other masker's."""
        self._masker.drop_cache()

    def mask(self, column: Column) -> list[Any]:
        """What stood for no value, and the other masker's results."""
        results = list(column.values)
        going = [place for place, value in enumerate(results) if not self._is_null(value)]
        if going:
            masked = self._masker.mask(part(column, results, going, self._masker))
            for place, mask in zip(going, masked, strict=True):
                result = checked(self._masker, results[place], mask)
                let_through = self._masker.changes == "always" and stayed(results[place], result)
                results[place] = FAILED if let_through else result
        return results

    def _is_null(self, value: Any) -> bool:
        if isinstance(value, str):
            return _folded(value) in self._words
        if isinstance(value, Decimal128):
            number = value.to_decimal()
            return number.is_finite() and number in self._numbers
        return isinstance(value, int | float) and not isinstance(value, bool) and value in self._numbers


def _folded(text: str) -> str:
    return text.strip().casefold()
