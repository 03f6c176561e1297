"""choice: one of the values that a list names."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Final

from bson import encode
from bson.int64 import Int64

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import ALIASES, SCALARS, stored_as

_DRAW_BITS: Final = 64
_LARGEST_FILE: Final = 64_000_000
_Scalar = str | int | float | bool


class Choice(Masker):
    """Picks one of `values` for each value, as often as its weight says; the value itself has no influence but
    that the same one under the same key always gets the same pick.

    With `by: value` each distinct value has one pick, so that a field of few values becomes as few others, and
    weights count among distinct values. With `by: subject` each person has one, whatever stood there. A pick may
    be the original, by chance. The result has the type of the pick, whatever the field's was.

    Source: HMAC-SHA-256 (RFC 2104) for the draw; ISO/IEC 20889:2018, randomization techniques.
    """

    name = "choice"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "values": {
                "type": "array",
                "minItems": 1,
                "items": {"type": ["string", "number", "boolean"]},
                "description": "What is picked from.",
            },
            "weights": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "number", "minimum": 0},
                "description": "How often each of the values is picked, beside the others; all the same, unless given.",
            },
            "file": {
                "type": "string",
                "minLength": 1,
                "description": "A UTF-8 text file in place of `values`: one string a line, with a tab and a weight "
                "behind it if wanted.",
            },
            "by": {
                "enum": ["value", "subject"],
                "default": "value",
                "description": "What decides the pick, besides the key.",
            },
        },
    }
    types = SCALARS
    changes = "maybe"
    needs_key = True
    # Not of every instance: `by: value` unsets it.
    needs_subject = False

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError unless there is one of `values` and `file`, with weights that fit and are not all 0, and
        for a file that cannot be read."""
        super().__init__(options, key)
        if ("values" in options) == ("file" in options):
            raise ValueError("there is to be one of `values` and `file`, to pick from")
        if "file" in options:
            if "weights" in options:
                raise ValueError(
                    "`weights` belong to `values`; in a file they stand behind the tab of each line"
                )
            self._values, weights = _read(options["file"])
        else:
            self._values = tuple(options["values"])
            weights = [_fraction(weight) for weight in options.get("weights", (1,) * len(self._values))]
        if len(weights) != len(self._values):
            raise ValueError(
                f"there are {len(self._values)} values and {len(weights)} weights; give each its own"
            )
        if not any(weights):
            raise ValueError("all weights are 0, so that nothing can be picked; give one of them more")
        total = sum(weights)
        steps = 1 << _DRAW_BITS
        self._bounds = [int(bound * steps / total) for bound in itertools.accumulate(weights)]
        self.produces = stored_as(self._values)
        self.needs_subject = options.get("by", "value") == "subject"
        self._digest = KeyedHash(self.key).digest

    def mask(self, column: Column) -> list[Any]:
        """Picks."""
        if self.needs_subject:
            pairs = zip(column.values, column.subjects, strict=True)
            return [self._pick(b"subject\0" + subject) for _, subject in pairs]
        return [self._pick_for(value) for value in column.values]

    def _pick_for(self, value: Any) -> Any:
        try:
            message = _bytes(value)
        except Exception:  # noqa: BLE001  (PyMongo raises several, and their messages hold the value)
            return FAILED
        return self._pick(b"value\0" + message)

    def _pick(self, message: bytes) -> _Scalar:
        number = int.from_bytes(self._digest(message)[: _DRAW_BITS // 8], "big")
        return self._values[bisect_right(self._bounds, number)]


def _bytes(value: Any) -> bytes:
    """What tells values apart. An int and a long that are equal are one."""
    kind = type(value)
    if kind is str:
        text: str = value
        return b"string\0" + text.encode("utf-8", "surrogatepass")
    if kind is int or kind is Int64:
        return b"number\0%d" % value
    encoded: bytes = encode({"": value})
    return ALIASES.get(kind, "").encode() + b"\0" + encoded


def _read(name: str) -> tuple[tuple[str, ...], list[Fraction]]:
    try:
        with Path(name).open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"the file {name} cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"the file {name} is larger than {_LARGEST_FILE // 1_000_000} MB")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"the file {name} is not UTF-8 text") from None
    values: list[str] = []
    weights: list[Fraction] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value, tab, weight = line.partition("\t")
        values.append(value)
        weights.append(_weight(weight, f"{name}:{number}") if tab else Fraction(1))
    if not values:
        raise ValueError(f"the file {name} is empty; write one value a line")
    return tuple(values), weights


def _weight(text: str, place: str) -> Fraction:
    try:
        weight = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        weight = Fraction(-1)
    if weight < 0:
        raise ValueError(f"{place}: behind the tab stands no number of 0 or more")
    return weight


def _fraction(weight: float) -> Fraction:
    if not math.isfinite(weight):
        raise ValueError("one of the weights is no finite number")
    return Fraction(weight)
