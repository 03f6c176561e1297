"""What the maskers agree on: the BSON types there are, the bounds of the integer ones, what a text is."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

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

ALIASES: Final[Mapping[type, str]] = MappingProxyType(
    {
        str: "string",
        int: "int",
        Int64: "long",
        float: "double",
        Decimal128: "decimal",
        datetime.datetime: "date",
        DatetimeMS: "date",
        bool: "bool",
        ObjectId: "objectId",
        bytes: "binData",
        Binary: "binData",
        Timestamp: "timestamp",
        Regex: "regex",
        Code: "javascript",
        dict: "object",
        list: "array",
        type(None): "null",
    }
)
"""The BSON type of a column's values, by their exact class."""

INT32_MAX: Final = 2**31 - 1
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


def like(original: int, result: int) -> int | None:
    """`result` as the BSON type of `original` (int32 or int64); None if it does not fit."""
    if type(original) is Int64:
        return Int64(result) if INT64_MIN <= result <= INT64_MAX else None
    return result if -INT32_MAX - 1 <= result <= INT32_MAX else None


def widened(original: Any, result: Any) -> Any:
    """A plain int as the engine stores it: int64 where the original was one or where int32 cannot hold it."""
    if type(result) is int and (type(original) is Int64 or not -INT32_MAX - 1 <= result <= INT32_MAX):
        return Int64(result)
    return result


def is_text(value: str) -> bool:
    """Whether BSON can hold it: a lone surrogate is no character, and has no UTF-8 form."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def stored_as(constants: Iterable[str | int | float | bool]) -> frozenset[str]:
    """The BSON types that an option's values may be stored as in place of another value.

    Raises ValueError for what has no BSON form.
    """
    aliases: set[str] = set()
    for constant in constants:
        if type(constant) is int:
            if not INT64_MIN <= constant <= INT64_MAX:
                raise ValueError("a whole number that MongoDB can keep has at most 64 bits")
            # A field that was a long stays one.
            aliases |= {"int", "long"}
        else:
            if isinstance(constant, str) and not is_text(constant):
                raise ValueError("a lone surrogate is no character; write the text without it")
            aliases.add(ALIASES[type(constant)])
    return frozenset(aliases)
