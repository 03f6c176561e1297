"""round: fewer digits of a number."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.rounding import EXACT, NUMBERS, exact, stored

_DOUBLE_DIGITS: Final = 2**53
"""A double of so many steps tells no finer ones apart."""


class Round(Masker):
    """Rounds a number to `digits` behind the decimal point, or to the nearest multiple of `multiple`: 98.63 becomes
    98.6, or with a multiple of 5, 100.

    Half-way cases go to the even neighbour. A number keeps its BSON type, and its very form where it is round
    already; what is not finite, or does not fit its type once rounded, fails.

    Source: IEEE 754-2019, 4.3.1 (roundTiesToEven), applied to the decimal that a number is written as.
    """

    name = "round"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "digits": {
                "type": "integer",
                "minimum": -18,
                "maximum": 15,
                "description": "How many digits stay behind the decimal point; below 0, how many before it become 0. "
                "0, if neither option is given.",
            },
            "multiple": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "What the result is a multiple of, in place of `digits`.",
            },
        },
    }
    types = NUMBERS
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError if both options are given, and for a multiple that is not finite."""
        super().__init__(options, key)
        if "digits" in options and "multiple" in options:
            raise ValueError("`digits` and `multiple` are two ways to round; leave one of them out")
        step = exact(options["multiple"]) if "multiple" in options else decimal.Decimal(1)
        if step is None:
            raise ValueError("`multiple` is no finite number")
        self._step = step if "multiple" in options else step.scaleb(-options.get("digits", 0))

    def mask(self, column: Column) -> list[Any]:
        """Rounded numbers."""
        return [self._rounded(value) for value in column.values]

    def _rounded(self, value: Any) -> Any:
        number = exact(value)
        if number is None:
            return FAILED
        # Beyond that, not every multiple has a double of its own.
        if type(value) is float and abs(number) >= min(self._step, decimal.Decimal(1)) * _DOUBLE_DIGITS:
            return value
        # A remainder by the nearest multiple, ties to the even one, is what IEEE 754 calls remainder.
        rest = EXACT.remainder_near(number, self._step)
        return value if not rest else stored(value, EXACT.subtract(number, rest))
