"""BSON types by number, by alias and by the Python class that PyMongo decodes them to.

Source: the BSON specification, version 1.1, and the aliases of MongoDB's `$type` operator.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

from bson.binary import ALL_UUID_SUBTYPES, BINARY_SUBTYPE, Binary
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

LOSSLESS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
"""Dates outside of datetime's years come as DatetimeMS; all others as naive datetime, UTC."""

ALIASES: Final[dict[int, str]] = {
    0x01: "double",
    0x02: "string",
    0x03: "object",
    0x04: "array",
    0x05: "binData",
    0x06: "undefined",
    0x07: "objectId",
    0x08: "bool",
    0x09: "date",
    0x0A: "null",
    0x0B: "regex",
    0x0C: "dbPointer",
    0x0D: "javascript",
    0x0E: "symbol",
    0x0F: "javascriptWithScope",
    0x10: "int",
    0x11: "timestamp",
    0x12: "long",
    0x13: "decimal",
    0x7F: "maxKey",
    0xFF: "minKey",
}

PYTHON_ALIASES: Final[dict[type, str]] = {
    float: "double",
    str: "string",
    dict: "object",
    list: "array",
    bytes: "binData",
    Binary: "binData",
    ObjectId: "objectId",
    bool: "bool",
    datetime.datetime: "date",
    DatetimeMS: "date",
    type(None): "null",
    Regex: "regex",
    Code: "javascript",
    int: "int",
    Timestamp: "timestamp",
    Int64: "long",
    Decimal128: "decimal",
    MaxKey: "maxKey",
    MinKey: "minKey",
}
"""By exact class. An int32 decodes to int, an int64 to Int64; what is not here has no lossless decoding."""

INT32_MIN: Final = -(2**31)
INT32_MAX: Final = 2**31 - 1
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

REDACTED_TEXT: Final = "[REDACTED]"
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (BSON dates decode to naive UTC)


def redaction(value: Any) -> Any:
    """What stands for a value that could not be masked: the same type's blank, or None where it has none."""
    alias = PYTHON_ALIASES.get(type(value))
    if alias == "binData":
        subtype = value.subtype if isinstance(value, Binary) else BINARY_SUBTYPE
        # Drivers refuse to decode a UUID of another length.
        return Binary(b"\0" * 16 if subtype in ALL_UUID_SUBTYPES else b"", subtype)
    return _BLANKS.get(alias) if alias else None


_BLANKS: Final[dict[str, Any]] = {
    "string": REDACTED_TEXT,
    "double": 0.0,
    "int": 0,
    "long": Int64(0),
    "decimal": Decimal128("0"),
    "date": _EPOCH,
    "bool": False,
    "objectId": ObjectId(b"\0" * 12),
}
