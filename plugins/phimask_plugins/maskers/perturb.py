"""perturb: numbers with a little noise on them."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.rounding import EXACT, NUMBERS, exact, stored

_DOUBLE_DIGITS: Final = 15
_DECIMAL_DIGITS: Final = 33
"""A digit less than a Decimal128 has, since noise may carry over."""


class Perturb(Masker):
    """Adds noise to a number, evenly drawn from up to `absolute` or `percent` of it, below or above: under one key
    always the same for the same value of the same person.

    A number keeps its BSON type and its count of digits behind the decimal point; noise is a multiple of its last
    digit's unit, and may be 0. Where the bound is less than that unit, it counts as one unit, so that no column
    passes as it is. A result outside of `min` and `max` is not drawn; a number outside of them becomes the nearer
    one first. What is not finite fails.

    Noise on single values does not hide sums or averages, nor whom a record is about: it is for expert
    determination, 45 CFR 164.514(b)(1), not for Safe Harbor.

    Source: additive noise as in Hundepool et al.,
    "Statistical Disclosure Control" (2012), 3.3.
    """

    name = "perturb"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "absolute": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "The most that a number is moved by.",
            },
            "percent": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1000,
                "description": "The same, in percent of the number. 5, if neither option is given.",
            },
            "min": {"type": "number", "description": "No result is below it."},
            "max": {"type": "number", "description": "No result is above it."},
        },
    }
    types = NUMBERS
    changes = "maybe"
    needs_key = True
    needs_subject = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for both bounds of noise at once, for those that are not finite, and for a `min` that is
        not below `max`."""
        super().__init__(options, key)
        if "absolute" in options and "percent" in options:
            raise ValueError("`absolute` and `percent` are two bounds for the noise; leave one of them out")
        limits = {
            name: exact(options[name]) if name in options else None
            for name in ("absolute", "percent", "min", "max")
        }
        if wrong := [name for name in limits if name in options and limits[name] is None]:
            raise ValueError(f"`{wrong[0]}` is no finite number")
        self._absolute, self._percent = limits["absolute"], limits["percent"] or Decimal(5)
        self._least, self._most = limits["min"], limits["max"]
        if self._least is not None and self._most is not None and self._least >= self._most:
            raise ValueError("`min` is not below `max`, so that no result could be drawn")
        self._keyed = KeyedHash(self.key)

    def mask(self, column: Column) -> list[Any]:
        """Numbers with noise."""
        pairs = zip(column.values, column.subjects, strict=True)
        return [self._noisy(value, subject) for value, subject in pairs]

    def _noisy(self, value: Any, subject: bytes) -> Any:
        number = exact(value)
        if number is None:
            return FAILED
        whole = isinstance(value, int)
        if self._least is not None and number < self._least:
            number = self._least.to_integral_value(decimal.ROUND_CEILING) if whole else self._least
        if self._most is not None and number > self._most:
            number = self._most.to_integral_value(decimal.ROUND_FLOOR) if whole else self._most
        bound = self._absolute
        if bound is None:
            bound = EXACT.divide(EXACT.multiply(abs(number), self._percent), Decimal(100))
        unit = _unit(value, number, bound)
        steps = max(int(EXACT.divide_int(bound, unit)), 1)
        lowest, highest = -steps, steps
        if self._least is not None:
            lowest = max(lowest, _whole(EXACT.subtract(self._least, number), unit, decimal.ROUND_CEILING))
        if self._most is not None:
            highest = min(highest, _whole(EXACT.subtract(self._most, number), unit, decimal.ROUND_FLOOR))
        if lowest > highest:
            return FAILED
        drawn = lowest + self._keyed.draws(subject.hex(), str(value)).below(highest - lowest + 1)
        return stored(value, EXACT.add(number, EXACT.multiply(Decimal(drawn), unit)))


def _unit(value: Any, number: Decimal, bound: Decimal) -> Decimal:
    """What the noise is a multiple of: the last written digit's unit, or a coarser one where the type has no room."""
    exponent = number.as_tuple().exponent
    place = min(exponent, 0) if isinstance(exponent, int) else 0
    if isinstance(value, int):
        place = 0
    else:
        digits = _DOUBLE_DIGITS if isinstance(value, float) else _DECIMAL_DIGITS
        widest = max(number.adjusted() if number else place, bound.adjusted())
        place = max(place, widest + 1 - digits)
    return Decimal(1).scaleb(place, context=EXACT)


def _whole(distance: Decimal, unit: Decimal, rounding: str) -> int:
    """How many units a distance is, rounded down or up."""
    return int(EXACT.divide(distance, unit).to_integral_value(rounding=rounding, context=EXACT))
