"""The conformance check of what a masker lets MongoDB compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import bson
from bson.int64 import Int64
from pymongo.database import Database
from pymongo.errors import OperationFailure

from phimask.masking.bson_types import LOSSLESS, PYTHON_ALIASES
from phimask.planning.served import expressions, with_value
from phimask.plugins.interfaces import Masker
from phimask.plugins.values import FAILED, REMOVE
from phimask.testing import samples
from phimask.testing.making import require
from phimask.testing.samples import encodable
from phimask.testing.trial import Trial

_COLLECTION: Final = "phimask_server_expressions"
_MANY: Final = 50


def check_server_expression(
    cls: type[Masker],
    database: Database[Any],
    options: Mapping[str, Any] | None = None,
    examples: Sequence[Any] | None = None,
) -> frozenset[str]:
    """Check on a real server that a masker's `server_expression` gives what `mask` gives, in value and type.

    Writes to a collection of its own in `database`, and drops it. `examples` are tried beside the usual and the odd
    values of each type. An expression that fails on a value is no fault: the document is then masked by `mask`.
    Answers with the BSON types that the server can compute.

    Raises AssertionError, which says what was broken and with which (made-up) value.
    """
    trial = Trial(cls, options)
    found = expressions(trial.masker)
    collection = database.get_collection(_COLLECTION, codec_options=LOSSLESS)
    try:
        for bson_type, expression in found.items():
            values = [
                value
                for value in (
                    *samples.USUAL.get(bson_type, ()),
                    *samples.ODD.get(bson_type, ()),
                    *samples.many(bson_type, _MANY),
                    *(one for one in examples or () if PYTHON_ALIASES.get(type(one)) == bson_type),
                )
                if encodable(value)
            ]
            answers = _computed(collection, with_value(expression, "$value"), values)
            for value, masked, answer in zip(values, trial.mask(values), answers, strict=True):
                if answer is not None:
                    _hold(cls, answer, value, masked)
            computed = sum(answer is not None for answer in answers)
            require(
                computed > 0 or not values, cls, f"its expression for {bson_type} fails on every value tried"
            )
    finally:
        collection.drop()
    return frozenset(found)


def _computed(collection: Any, expression: Any, values: Sequence[Any]) -> list[Any]:
    """What the server makes of each value, as a document; None where the expression fails on it.

    One such value fails the whole question, so that each half is asked about for itself.
    """
    if not values:
        return []
    collection.delete_many({})
    collection.insert_many({"_id": number, "value": value} for number, value in enumerate(values))
    try:
        return list(
            collection.aggregate([{"$sort": {"_id": 1}}, {"$project": {"_id": 0, "value": expression}}])
        )
    except OperationFailure:
        if len(values) == 1:
            return [None]
    half = len(values) // 2
    return [
        *_computed(collection, expression, values[:half]),
        *_computed(collection, expression, values[half:]),
    ]


def _hold(cls: type[Masker], document: Any, value: Any, masked: Any) -> None:
    """What the server made of a value, held to what `mask` made of it."""
    text = repr(value)[:60]
    if masked is REMOVE:
        return
    require(masked is not FAILED, cls, f"the server masks {text}, on which `mask` fails")
    if type(masked) is int and (type(value) is Int64 or not -(2**31) <= masked < 2**31):
        masked = Int64(masked)
    # What is equal in value and type counts as unchanged, as 0.0 and -0.0 do.
    expected = value if type(masked) is type(value) and masked == value else masked
    same = bson.encode(document, codec_options=LOSSLESS) == bson.encode(
        {"value": expected}, codec_options=LOSSLESS
    )
    require(same, cls, f"the server does not make of {text} what `mask` makes of it")
