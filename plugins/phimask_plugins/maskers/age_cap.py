"""age_cap: one class for all ages above a bound."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from phimask import FAILED, Column, Masker

_DIGITS: Final = re.compile(r"[0-9]+")
_LONGEST_AGE: Final = 4


class AgeCap(Masker):
    """Puts `cap` in place of every age above `over`, of the same BSON type; all others stay.

    Takes numbers and strings of digits; a string of anything else fails, as does what is no finite number.

    Source: 45 CFR 164.514(b)(2)(i)(C): ages over 89 "may be aggregated into a single category of age 90 or
    older".
    """

    name = "age_cap"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "over": {
                "type": "integer",
                "minimum": 0,
                "maximum": 200,
                "default": 89,
                "description": "The highest age that stays, in years.",
            },
            "cap": {
                "type": "integer",
                "minimum": 0,
                "maximum": 200,
                "default": 90,
                "description": "What stands for all higher ones, in years.",
            },
        },
    }
    types = frozenset({"string", "int", "long", "double", "decimal"})
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError if `cap` is below `over`: high ages would hide among others."""
        super().__init__(options, key)
        self._over: int = options.get("over", 89)
        self._cap: int = options.get("cap", 90)
        if self._cap < self._over:
            raise ValueError("cap is below over; ages above `over` would pass for younger ones")
        self._caps: Mapping[type, Any] = {
            int: self._cap,
            Int64: Int64(self._cap),
            float: float(self._cap),
            Decimal128: Decimal128(str(self._cap)),
            str: str(self._cap),
        }

    def mask(self, column: Column) -> list[Any]:
        """Capped ages."""
        return [self._capped(value) for value in column.values]

    def _capped(self, value: Any) -> Any:
        kind = type(value)
        if kind not in self._caps:
            return FAILED
        if kind is str:
            if not value:
                return value
            if not _DIGITS.fullmatch(value):
                return FAILED
            digits = value.lstrip("0")
            above = len(digits) > _LONGEST_AGE or int(digits or "0") > self._over
        elif kind is Decimal128:
            number = value.to_decimal()
            if not number.is_finite():
                return FAILED
            above = number > self._over
        elif kind is float and not math.isfinite(value):
            return FAILED
        else:
            above = value > self._over
        return self._caps[kind] if above else value
