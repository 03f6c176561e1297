"""date_truncate: keeps a date's year, month or day and nothing finer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from phimask import Column, Masker
from phimask_plugins.maskers.periods import PERIODS, beginning


class DateTruncate(Masker):
    """Sets what is finer than `to` to its beginning: with `year`, 1987-05-17T14:03 becomes 1987-01-01T00:00.

    Takes dates (in UTC), years outside of 1 to 9999 included, and the strings that date_shift takes, besides
    the reduced forms `YYYY` and `YYYY-MM`; strings keep their form and offset, any other string fails. A year of
    birth may tell of an age over 89: put age_cap with `as_of` before it in a chain.

    Source: 45 CFR 164.514(b)(2)(i)(C): of dates directly related to an individual, Safe Harbor lets the year
    stay and nothing else, and of ages over 89 not even the year of birth.
    """

    name = "date_truncate"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "to": {
                "enum": list(PERIODS),
                "default": "year",
                "description": "The finest part that stays. Safe Harbor allows the year, and what is coarser.",
            },
        },
    }
    types = frozenset({"date", "string"})
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`to`, as the schema says."""
        super().__init__(options, key)
        self._to: str = options.get("to", "year")

    def mask(self, column: Column) -> list[Any]:
        """Truncated dates."""
        return [beginning(value, self._to) for value in column.values]

    def server_expression(self, bson_type: str) -> Any:
        """Of dates, but for decades, which MongoDB does not know."""
        if bson_type != "date" or self._to == "decade":
            return None
        return {"$dateTrunc": {"date": "$$value", "unit": self._to}}
