"""What an idempotent masker would still change is told by bytes, as a document holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bson
import pytest

from phimask import REMOVE, Column, Masker
from phimask.engine.share import Again
from phimask.masking.columns import BoundRule


class Foreign(Masker):
    """Gives each value anew, as somebody else's masker may, or what `becomes` has for it."""

    name = "foreign"
    types = frozenset({"double", "int", "string", "object", "array"})
    produces = frozenset({"double", "int", "string", "object", "array", "null"})
    idempotent = True
    removes = True
    containers = True

    def __init__(self, becomes: Sequence[tuple[Any, Any]] = ()) -> None:
        super().__init__({})
        self.becomes = becomes

    def mask(self, column: Column) -> Sequence[Any]:
        return [self._one(value) for value in column.values]

    def _one(self, value: Any) -> Any:
        for was, result in self.becomes:
            if repr(value) == repr(was):
                return result
        return bson.decode(bson.encode({"": value}))[""]


def suspects(value: Any, *becomes: tuple[Any, Any]) -> int:
    again = Again([BoundRule(0, "Field", ("Field",), Foreign(becomes))], None)
    again.look([bson.encode({"_id": 1, "Field": value})], [frozenset()])
    checked = again.result()
    assert checked.checked == 1
    return sum(one.count for one in checked.findings)


@pytest.mark.parametrize(
    "value", [math.nan, -math.nan, -0.0, math.inf, 7, "kept", {"a": math.nan, "b": [1, "x"]}], ids=repr
)
def test_what_is_kept_is_no_change(value: Any) -> None:
    assert suspects(value) == 0


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (math.nan, 0.0),
        (math.nan, None),
        ("kept", "other"),
        ("kept", REMOVE),
        ("kept", "\ud800"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
    ids=repr,
)
def test_what_would_have_other_bytes_is_one(value: Any, result: Any) -> None:
    assert suspects(value, (value, result)) == 1
