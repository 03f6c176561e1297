"""What the maskers agree on: the BSON types there are, and the bounds of the integer ones."""

from __future__ import annotations

from typing import Final

from bson.int64 import Int64

SCALARS: Final = frozenset(
    {
        "string",
        "int",
        "long",
        "double",
        "decimal",
        "date",
        "bool",
        "objectId",
        "binData",
        "timestamp",
        "regex",
        "javascript",
    }
)
"""Every BSON type a column may hold besides sub-documents, by its `$type` alias."""

INT32_MAX: Final = 2**31 - 1
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


def like(original: int, result: int) -> int | None:
    """`result` as the BSON type of `original` (int32 or int64); None if it does not fit."""
    if type(original) is Int64:
        return Int64(result) if INT64_MIN <= result <= INT64_MAX else None
    return result if -INT32_MAX - 1 <= result <= INT32_MAX else None
