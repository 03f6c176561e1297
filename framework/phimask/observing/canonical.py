"""JSON in one form only, so that what is signed today can be signed alike by anybody at any time.

The form is that of RFC 8785 (JSON Canonicalization Scheme): keys sorted, no white space, UTF-8, numbers as ECMAScript
writes them, so that 5 and 5.0 are one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

_LARGEST: Final = 2**53
"""Beyond, not every whole number is one of its own to all who read JSON."""


def canonical(value: Any) -> bytes:
    """The value's one form. Raises ValueError for what has none: NaN, whole numbers beyond 2**53, broken characters."""
    return _written(value).encode("utf-8")


def digest(value: Any) -> str:
    """SHA-256 over the canonical form, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parsed(text: str) -> Any:
    """JSON that means one thing only: a key that is there twice, NaN and what is nested too deep are a ValueError."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _written(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        # By UTF-16 code units, as the RFC has it.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_written(key)}:{_written(value[key])}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    raise ValueError(f"a {type(value).__name__} is no JSON")


def _number(value: float) -> str:
    """As ECMAScript's Number::toString: the shortest digits that lead back, an exponent from 1e21 and below 1e-6 on."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("a whole number beyond 2**53")
    if not math.isfinite(value):
        raise ValueError("a number that is none")
    if value == 0:
        return "0"
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + part) - len((whole + part).lstrip("0")))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if 0 < point <= 21:
        if len(digits) <= point:
            return sign + digits.ljust(point, "0")
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key is there twice")
    return made


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
