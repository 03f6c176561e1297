"""generalize: coarser classes in place of exact values."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.periods import PERIODS, beginning
from phimask_plugins.maskers.rounding import EXACT, NUMBERS, exact, stored
from phimask_plugins.maskers.scalars import is_text, stored_as

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_DOUBLE_STEPS: Final = 2**53
_METHODS: Final = ("width", "edges", "map", "prefix", "period")


class Generalize(Masker):
    """Puts a class in place of a value: a bucket of numbers, a wider word, a code's beginning, a stretch of time.

    `width` or `edges` sort numbers, and strings that hold one, into buckets; the result is the bucket's lower
    bound, of the same type (a number below the first edge has none and fails), or its range or label as a string.
    `bottom` and `top`, with or without buckets, make one class of all below the one and of all from the other on.
    `map` takes strings and whole numbers; what it does not name becomes `default`, or fails. `prefix` is for
    strings, `period` for dates and the strings of date_truncate. What is coarse enough already stays.

    Source: generalization and top and bottom coding as in Hundepool et al., "Statistical Disclosure Control" (2012),
    3.2 (global recoding, top and bottom coding).
    """

    name = "generalize"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "width": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "How wide each bucket of numbers is; one begins at 0.",
            },
            "edges": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "number"},
                "description": "Where a bucket of numbers ends and the next begins, ascending; an edge belongs "
                "to the bucket it begins.",
            },
            "bottom": {"type": "number", "description": "All numbers below it are one class."},
            "top": {"type": "number", "description": "All numbers from it on are one class."},
            "show": {
                "enum": ["lower", "range"],
                "default": "lower",
                "description": "Of a bucket of numbers, its lower bound, or its range, `[40, 50)` say, as a string.",
            },
            "labels": {
                "type": "array",
                "minItems": 2,
                "items": {"type": "string"},
                "description": "What the buckets between `edges` are called, from the lowest up: one more than edges.",
            },
            "map": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"type": ["string", "number", "boolean"]},
                "description": "From a value, as text, to what it becomes.",
            },
            "default": {
                "type": ["string", "number", "boolean"],
                "description": "What values become that `map` does not name.",
            },
            "prefix": {
                "type": "integer",
                "minimum": 1,
                "description": "How many characters at a string's beginning stay; the others go.",
            },
            "period": {
                "enum": list(PERIODS),
                "description": "Dates become the beginning of theirs.",
            },
        },
    }
    types = NUMBERS | {"string", "date"}
    changes = "maybe"

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for options that do not go together."""
        super().__init__(options, key)
        chosen = [method for method in _METHODS if method in options]
        bounded = "bottom" in options or "top" in options
        if len(chosen) > 1 or not (chosen or bounded):
            raise ValueError(f"there is to be one of {', '.join(_METHODS)}, or `bottom` or `top`")
        method = chosen[0] if chosen else "bounds"
        numeric = method in ("width", "edges", "bounds")
        if bounded and not numeric:
            raise ValueError(f"`bottom` and `top` are for numbers, and do not go with `{method}`")
        if options.get("show", "lower") == "range" and method not in ("width", "edges"):
            raise ValueError("`show: range` is for the buckets of `width` and `edges`")
        if "labels" in options and (method != "edges" or len(options["labels"]) != len(options["edges"]) + 1):
            raise ValueError("`labels` belong to `edges`, and there is one more of them")
        if "default" in options and method != "map":
            raise ValueError("`default` belongs to `map`")
        self._coarse: Callable[[Any], Any]
        if numeric:
            self._take_buckets(options)
        elif method == "map":
            self._map: Mapping[str, Any] = dict(options["map"])
            self._default = options.get("default", FAILED)
            self._coarse = self._mapped
            self.types = frozenset({"string", "int", "long"})
            self.produces = stored_as(
                one for one in (*self._map.values(), self._default) if one is not FAILED
            ) | {"string"}
        elif method == "prefix":
            self._prefix: int = options["prefix"]
            self._coarse = self._cut
            self.types = frozenset({"string"})
            self.idempotent = True
        else:
            period: str = options["period"]
            self._coarse = lambda value: beginning(value, period)
            self.types = frozenset({"date", "string"})
            self.idempotent = True

    def _take_buckets(self, options: Mapping[str, Any]) -> None:
        self._buckets = _Buckets(options)
        self._coarse = self._bucketed
        self.types = NUMBERS | {"string"}
        self._labels = tuple(options.get("labels", ()))
        stored_as(self._labels)
        self._as_range = options.get("show", "lower") == "range"
        if self._labels or self._as_range:
            self.produces = frozenset({"string"})
        else:
            self.idempotent = True

    def mask(self, column: Column) -> list[Any]:
        """Classes."""
        coarse = self._coarse
        return [value if type(value) is str and not value else coarse(value) for value in column.values]

    def server_expression(self, bson_type: str) -> Any:
        """Of strings their beginning."""
        if self._coarse == self._cut and bson_type == "string":
            return {"$substrCP": ["$$value", 0, self._prefix]}
        return None

    def _mapped(self, value: Any) -> Any:
        return self._map.get(value if type(value) is str else str(value), self._default)

    def _cut(self, value: Any) -> Any:
        if type(value) is not str:
            return FAILED
        result = value[: self._prefix]
        return result if is_text(result) else FAILED

    def _bucketed(self, value: Any) -> Any:
        number = _number(value) if type(value) is str else exact(value)
        if number is None:
            return FAILED
        if self._labels:
            return self._labels[self._buckets.index(number)]
        lower, upper = self._buckets.around(number)
        if self._as_range:
            return _range(lower, upper)
        bound = self._buckets.bottom if lower is None else lower
        if bound is None or (type(value) is float and self._buckets.too_fine_for(number)):
            return FAILED
        if bound == number:
            return value
        return _plain(bound) if type(value) is str else stored(value, bound)


class _Buckets:
    """Half-open ranges of numbers; None is no bound."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._width = _finite(options.get("width"), "width")
        self._edges = [
            edge for edge in (_finite(one, "edges") for one in options.get("edges", ())) if edge is not None
        ]
        if any(later <= earlier for earlier, later in itertools.pairwise(self._edges)):
            raise ValueError("`edges` are not in ascending order")
        self.bottom = _finite(options.get("bottom"), "bottom")
        self._top = _finite(options.get("top"), "top")
        if self.bottom is not None and self._top is not None and self.bottom >= self._top:
            raise ValueError("`bottom` is not below `top`, so that all numbers would be one class")

    def too_fine_for(self, number: Decimal) -> bool:
        """Whether a double of this size cannot tell buckets apart."""
        return self._width is not None and abs(number) >= self._width * _DOUBLE_STEPS

    def index(self, number: Decimal) -> int:
        """How many edges lie at or below the number."""
        if self.bottom is not None and number < self.bottom:
            number = self.bottom
        if self._top is not None and number > self._top:
            number = self._top
        return bisect_right(self._edges, number)

    def around(self, number: Decimal) -> tuple[Decimal | None, Decimal | None]:
        """The bounds of a number's bucket: the lower belongs to it, the upper does not."""
        if self.bottom is not None and number < self.bottom:
            return None, self.bottom
        if self._top is not None and number >= self._top:
            return self._top, None
        if self._width is not None:
            whole = EXACT.divide_int(number, self._width)
            if number < 0 and EXACT.multiply(whole, self._width) != number:
                whole = EXACT.subtract(whole, Decimal(1))
            lower = EXACT.multiply(whole, self._width)
            return self._within(lower, EXACT.add(lower, self._width))
        if self._edges:
            position = bisect_right(self._edges, number)
            below = self._edges[position - 1] if position else None
            above = self._edges[position] if position < len(self._edges) else None
            return self._within(below, above)
        return number, None

    def _within(self, lower: Decimal | None, upper: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
        if self.bottom is not None:
            lower = self.bottom if lower is None else max(lower, self.bottom)
        if self._top is not None:
            upper = self._top if upper is None else min(upper, self._top)
        return lower, upper


def _finite(option: float | None, called: str) -> Decimal | None:
    if option is None:
        return None
    number = exact(option)
    if number is None:
        raise ValueError(f"`{called}` holds what is no finite number")
    return number


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _plain(number: Decimal) -> str:
    """Without an exponent, and without zeros behind the point that say nothing."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _range(lower: Decimal | None, upper: Decimal | None) -> str:
    if lower is None:
        return "all" if upper is None else f"< {_plain(upper)}"
    return f">= {_plain(lower)}" if upper is None else f"[{_plain(lower)}, {_plain(upper)})"
