"""hash: a keyed digest in place of an identifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX

_ATTEMPTS: Final = 8
_DOUBLE_EXACT: Final = 2**53
"""Up to here a double holds every whole number."""
_DECIMAL_EXACT: Final = 10**34
"""The digits of a Decimal128 (IEEE 754-2008)."""
_PROBABLE_DIGITS: Final = 16


class Hash(Masker):
    """Puts HMAC-SHA-256 (RFC 2104) of a value in its place; equal values of one type get equal digests.

    string: the digest's first `length` hex digits, over the UTF-8 bytes; int, long, double, decimal: a whole
    number of the same type, not negative (31, 63, 53 bits; 34 digits); objectId: twelve bytes of the digest,
    so that its time is gone as well. An empty string stays empty. Two values hardly ever meet, but for ints
    and short digests: of 65,000 ints, one pair on average.
    """

    name = "hash"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "length": {
                "type": "integer",
                "minimum": 8,
                "maximum": 64,
                "default": 32,
                "description": "Hex digits of a hashed string; fewer than 16 will meet.",
            },
        },
    }
    types = frozenset({"string", "int", "long", "double", "decimal", "objectId"})
    uniqueness: Literal["probable", "lossy"] = "probable"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """`length`, as the schema says."""
        super().__init__(options, key)
        self._length: int = options.get("length", 32)
        if self._length < _PROBABLE_DIGITS:
            self.uniqueness = "lossy"
        self._digest = KeyedHash(self.key).digest

    def mask(self, column: Column) -> list[Any]:
        """Digests."""
        return [self._text(value) if type(value) is str else self._scalar(value) for value in column.values]

    def _text(self, value: str) -> Any:
        if not value:
            return value
        message = value.encode("utf-8", "surrogatepass")
        result = self._digest(message).hex()[: self._length]
        return result if result != value else self._other(str, message, value)

    def _scalar(self, value: Any) -> Any:
        kind = type(value)
        if kind is float:
            message = b"\0double\0" + repr(value).encode()
        elif kind is ObjectId:
            message = b"\0objectId\0" + value.binary
        elif kind is int or kind is Int64 or kind is Decimal128:
            message = f"\0{kind.__name__}\0{value}".encode()
        else:
            return FAILED
        return self._other(kind, message, value)

    def _other(self, kind: type, message: bytes, value: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            result = self._shaped(kind, self._digest(message + b"\0" * attempt))
            if result != value:
                return result
        return FAILED

    def _shaped(self, kind: type, digest: bytes) -> Any:
        if kind is str:
            return digest.hex()[: self._length]
        if kind is ObjectId:
            return ObjectId(digest[:12])
        number = int.from_bytes(digest, "big")
        if kind is int:
            return number & INT32_MAX
        if kind is Int64:
            return Int64(number & INT64_MAX)
        if kind is float:
            return float(number % _DOUBLE_EXACT)
        return Decimal128(str(number % _DECIMAL_EXACT))
