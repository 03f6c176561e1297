"""What the built-in maskers let MongoDB compute, held to what they make themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pymongo.database import Database

from phimask import Masker
from phimask.testing import check_server_expression
from phimask_plugins.maskers.age_cap import AgeCap
from phimask_plugins.maskers.date_truncate import DateTruncate
from phimask_plugins.maskers.generalize import Generalize
from phimask_plugins.maskers.hash import Hash
from phimask_plugins.maskers.nullify import Nullify
from phimask_plugins.maskers.redact import Redact
from phimask_plugins.maskers.replace import Replace

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("cls", "options", "types"),
    [
        (Redact, {}, Redact.types - {"binData", "javascript"}),
        (Redact, {"text": "$$ROOT"}, Redact.types - {"binData", "javascript"}),
        (Redact, {"keep_length": True}, Redact.types - {"binData", "javascript", "string"}),
        (Replace, {"value": 5}, Replace.types),
        (Replace, {"value": 2**40}, Replace.types),
        (Replace, {"value": 0.0}, Replace.types),
        (Replace, {"value": "$a.b"}, Replace.types),
        (Replace, {"value": False}, Replace.types),
        (Replace, {"value": None}, Replace.types),
        (Nullify, {}, Nullify.types),
        (Generalize, {"prefix": 3}, {"string"}),
        (Generalize, {"width": 10}, NONE),
        (AgeCap, {}, {"int", "long"}),
        (AgeCap, {"over": 40, "cap": 50}, {"int", "long"}),
        (AgeCap, {"as_of": "2020-01-01"}, NONE),
        (DateTruncate, {"to": "year"}, {"date"}),
        (DateTruncate, {"to": "quarter"}, {"date"}),
        (DateTruncate, {"to": "month"}, {"date"}),
        (DateTruncate, {"to": "day"}, {"date"}),
        (DateTruncate, {"to": "decade"}, NONE),
        (Hash, {}, NONE),
    ],
)
def test_the_server_makes_the_same(
    cls: type[Masker], options: dict[str, Any], types: set[str], database: Database[dict[str, Any]]
) -> None:
    assert check_server_expression(cls, database, options) == types


class Wrong(Masker):
    """Doubles numbers here, and lets the server add 1."""

    name = "wrong"
    types = frozenset({"int"})
    idempotent = True
    expression: ClassVar[Mapping[str, Any]] = {"$add": ["$$value", 1]}

    def mask(self, column: Any) -> list[int]:
        return [2 * value if abs(value) < 2**30 else 0 for value in column.values]

    def server_expression(self, bson_type: str) -> Any:
        return self.expression


class OfAnotherType(Wrong):
    """The right number as a double."""

    expression: ClassVar[Mapping[str, Any]] = {"$multiply": ["$$value", 2.0]}


class Failing(Wrong):
    """Never comes to a result."""

    expression: ClassVar[Mapping[str, Any]] = {"$substrCP": ["$$value", -1, "$$value"]}


@pytest.mark.parametrize("cls", [Wrong, OfAnotherType, Failing])
def test_an_expression_that_does_otherwise_is_found(
    cls: type[Masker], database: Database[dict[str, Any]]
) -> None:
    with pytest.raises(AssertionError, match=cls.__name__):
        check_server_expression(cls, database)
