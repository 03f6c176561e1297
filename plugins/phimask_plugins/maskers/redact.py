"""redact: one constant per BSON type."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from bson.binary import UUID_SUBTYPE, Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.scalars import ALIASES, SCALARS

_OLD_UUID_SUBTYPE: Final = 3
_FILL: Final = "X"
_EPOCH: Final = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (BSON dates decode to naive UTC)

_BLANKS: Final[Mapping[type, Any]] = {
    bool: False,
    int: 0,
    Int64: Int64(0),
    float: 0.0,
    Decimal128: Decimal128("0"),
    datetime.datetime: _EPOCH,
    DatetimeMS: _EPOCH,
    ObjectId: ObjectId(b"\0" * 12),
    bytes: b"",
    # (0, 0) at a document's top level is what a server replaces with its own clock.
    Timestamp: Timestamp(0, 1),
    Regex: Regex(""),
}


_BLANKS_BY_TYPE: Final[Mapping[str, Any]] = {
    ALIASES[kind]: blank for kind, blank in _BLANKS.items() if kind not in (bytes, DatetimeMS)
}


class Redact(Masker):
    """Puts a constant of the same BSON type in place of each value.

    string: `[REDACTED]` (an empty one stays empty); int, long, double, decimal: 0; date: 1970-01-01; bool:
    false; objectId: zeros; binData: empty, of the same subtype, a UUID all zeros; timestamp: (0, 1); regex
    and javascript: empty.

    Source: ISO/IEC 20889:2018, "Privacy enhancing data de-identification terminology and classification of
    techniques", suppression by masking.
    """

    name = "redact"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "text": {
                "type": "string",
                "default": "[REDACTED]",
                "description": "What stands for a string.",
            },
            "keep_length": {
                "type": "boolean",
                "default": False,
                "description": "Fill strings with X to their own length instead of `text`. Lengths tell something.",
            },
        },
    }
    types = SCALARS
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`text` and `keep_length`, as the schema says."""
        super().__init__(options, key)
        self._text: str = options.get("text", "[REDACTED]")
        self._keep_length: bool = options.get("keep_length", False)

    def mask(self, column: Column) -> list[Any]:
        """A constant for each value."""
        return [self._blank(value) for value in column.values]

    def server_expression(self, bson_type: str) -> Any:
        """The constant. Not for binary data, whose subtype no expression tells, and not where lengths are kept."""
        if bson_type == "string" and not self._keep_length:
            return {"$cond": [{"$eq": ["$$value", ""]}, "", {"$literal": self._text}]}
        if bson_type == "double":  # -0.0, which is equal to 0.0, stays
            return {"$cond": [{"$eq": ["$$value", 0]}, "$$value", {"$literal": 0.0}]}
        blank = _BLANKS_BY_TYPE.get(bson_type)
        return None if blank is None else {"$literal": blank}

    def _blank(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            if not value:
                return value
            return _FILL * len(value) if self._keep_length else self._text
        if kind is Binary:
            is_uuid = value.subtype in (UUID_SUBTYPE, _OLD_UUID_SUBTYPE)
            # Drivers refuse to decode a UUID that is not 16 bytes long.
            return Binary(b"\0" * 16 if is_uuid else b"", value.subtype)
        if kind is Code:
            return Code("", None if value.scope is None else {})
        return _BLANKS.get(kind, FAILED)
