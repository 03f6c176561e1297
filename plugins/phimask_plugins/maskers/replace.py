"""replace: a constant of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bson.int64 import Int64

from phimask import Column, Masker
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX, INT64_MIN, SCALARS


class Replace(Masker):
    """Puts the option `value` in place of each value, whatever its type was.

    A whole number becomes an int where it fits one, or a long; a field that was a long stays a long.
    Raises ValueError for a number that fits neither.

    Source: ISO/IEC 20889:2018, "Privacy enhancing data de-identification terminology and classification of
    techniques", suppression by masking.
    """

    name = "replace"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value"],
        "properties": {
            "value": {
                "type": ["string", "number", "boolean", "null"],
                "description": "What every value becomes.",
            },
        },
    }
    types = SCALARS
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`value`, as the schema says."""
        super().__init__(options, key)
        value = options["value"]
        self._value = self._for_long = value
        if isinstance(value, bool):
            self.produces = frozenset({"bool"})
        elif isinstance(value, int):
            if not INT64_MIN <= value <= INT64_MAX:
                raise ValueError("a whole number that MongoDB can keep has at most 64 bits")
            self._for_long = Int64(value)
            small = -INT32_MAX - 1 <= value <= INT32_MAX
            self._value = int(value) if small else self._for_long
            self.produces = frozenset({"int", "long"} if small else {"long"})
        elif isinstance(value, float):
            self.produces = frozenset({"double"})
        else:
            self.produces = frozenset({"null" if value is None else "string"})

    def mask(self, column: Column) -> list[Any]:
        """The constant, as often as there are values."""
        value, for_long = self._value, self._for_long
        return [for_long if type(original) is Int64 else value for original in column.values]

    def server_expression(self, bson_type: str) -> Any:
        """The constant."""
        constant = {"$literal": self._for_long if bson_type == "long" else self._value}
        if bson_type == "double" and isinstance(self._value, float) and not self._value:
            return {
                "$cond": [{"$eq": ["$$value", 0]}, "$$value", constant]
            }  # -0.0 is equal to 0.0, and stays
        return constant
