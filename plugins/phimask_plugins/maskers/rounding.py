"""Numbers of every BSON type as exact decimals and back."""

from __future__ import annotations

import decimal
from typing import Any, Final

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from phimask import FAILED
from phimask_plugins.maskers.scalars import like

NUMBERS: Final = frozenset({"int", "long", "double", "decimal"})
"""The BSON types of numbers."""

_DECIMAL128: Final = decimal.Context(
    prec=34,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-6143,
    Emax=6144,
    capitals=1,
    flags=[],
    traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow],
    clamp=1,
)
"""IEEE 754-2008 decimal128; a number that it cannot hold exactly is refused."""
EXACT: Final = decimal.Context(prec=13_000, Emin=-20_000, Emax=20_000, traps=[decimal.InvalidOperation])
"""Wide enough for a sum or a multiple of any two of them."""


def exact(value: Any) -> decimal.Decimal | None:
    """A number as it is written, or None for what is no finite number: a double as its shortest decimal."""
    kind = type(value)
    if kind is int or kind is Int64:
        return decimal.Decimal(int(value))
    if kind is Decimal128:
        number = value.to_decimal()
    elif kind is float:
        number = decimal.Decimal(repr(value))
    else:
        return None
    return number if number.is_finite() else None


def stored(original: Any, number: decimal.Decimal) -> Any:
    """`number` in the BSON type of `original`; FAILED if that type cannot hold it (a double: within its precision)."""
    kind = type(original)
    if kind is float:
        result = float(number)
        return FAILED if result in (float("inf"), float("-inf")) else result
    if kind is Decimal128:
        try:
            return Decimal128(_DECIMAL128.create_decimal(number))
        except decimal.DecimalException:
            return FAILED
    if number != number.to_integral_value(context=EXACT):
        return FAILED
    whole = like(original, int(number))
    return FAILED if whole is None else whole
