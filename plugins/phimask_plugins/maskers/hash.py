"""hash: a keyed digest in place of an identifier."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from operator import eq
from typing import Any, ClassVar, Final, Literal

from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.cache import MEGABYTE, Repeats
from phimask_plugins.maskers.keyed import KeyedHash
from phimask_plugins.maskers.scalars import INT32_MAX, INT64_MAX

_ATTEMPTS: Final = 8
_DOUBLE_EXACT: Final = 2**53
"""Up to here a double holds every whole number."""
_DECIMAL_BYTES: Final = 14
"""The most whose bits are all within a Decimal128's 34 digits."""
_DECIMAL_EXPONENT_ZERO: Final = (6176 << 1).to_bytes(2, "little")
_WORDS: Final = struct.Struct(">4Q")
_PROBABLE_BITS: Final = 64
_SYMBOLS: Final[Mapping[str, int]] = {"hex": 16, "base32": 32, "integer": 10}
_LONGEST_BASE32: Final = 51
"""The digits of base 32 that 256 bits fill."""


class Hash(Masker):
    """Puts HMAC-SHA-256 (RFC 2104) of a value in its place; equal values of one type get equal digests.

    string: `length` digits of the digest, over the UTF-8 bytes, as `encoding` says; int, long, double, decimal: a whole
    number of the same type, not negative (31, 63, 53, 112 bits); objectId: twelve bytes of the digest,
    so that its time is gone as well. An empty string stays empty. Two values hardly ever meet, but for ints
    and short digests: of 65,000 ints, one pair on average.

    Source: RFC 2104 and FIPS 198-1 (HMAC), FIPS 180-4 (SHA-256), RFC 4648 (base 32); pseudonymization as in ISO
    25237:2017.
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
                "description": "Digits of a hashed string; fewer than 16 hex, 13 base32 or 20 integer ones will meet.",
            },
            "encoding": {
                "enum": list(_SYMBOLS),
                "default": "hex",
                "description": "How a hashed string is spelt: in hex digits, in base 32 (RFC 4648, A to Z and 2 to 7; "
                "51 digits at most) or in decimal digits.",
            },
            "cache": {
                "type": ["string", "integer"],
                "format": "size",
                "default": "1MB",
                "description": "The most that the digests of strings seen lately may take of memory, where enough of "
                "them come again.",
            },
        },
    }
    types = frozenset({"string", "int", "long", "double", "decimal", "objectId"})
    uniqueness: Literal["probable", "lossy"] = "probable"
    needs_key = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for more digits of base 32 than a digest has."""
        super().__init__(options, key)
        self._length: int = options.get("length", 32)
        encoding: str = options.get("encoding", "hex")
        if encoding == "base32" and self._length > _LONGEST_BASE32:
            raise ValueError(f"a digest has {_LONGEST_BASE32} digits of base 32; take a `length` up to that")
        self._digits = {"hex": self._hex, "base32": self._base32, "integer": self._decimal}[encoding]
        if self._length * math.log2(_SYMBOLS[encoding]) < _PROBABLE_BITS:
            self.uniqueness = "lossy"
        keyed = KeyedHash(self.key)
        self._digest = keyed.digest
        self._digests = keyed.digests
        self._repeats = Repeats(self._texts, options.get("cache", MEGABYTE))

    def cached_bytes(self) -> int:
        """See Masker."""
        return self._repeats.weight

    def drop_cache(self) -> None:
        """See Masker."""
        self._repeats.drop()

    def mask(self, column: Column) -> list[Any]:
        """Digests."""
        values = column.values
        kinds = set(map(type, values))
        if len(kinds) == 1 and (shape := _SHAPES.get(*kinds)) is not None:
            to_message, from_digest = shape
            results = [*map(from_digest, self._digests(map(to_message, values)))]
            if True not in map(eq, results, values):
                return results
        elif kinds == {str}:
            return self._repeats.of(values)
        return [self._text(value) if type(value) is str else self._scalar(value) for value in values]

    def _texts(self, values: Sequence[str]) -> list[Any]:
        digits = self._digits
        messages = [value.encode("utf-8", "surrogatepass") for value in values]
        results = [digits(digest) for digest in self._digests(messages)]
        if "" in values or True in map(eq, results, values):
            return [self._text(value) for value in values]
        return results

    def _text(self, value: str) -> Any:
        if not value:
            return value
        message = value.encode("utf-8", "surrogatepass")
        result = self._digits(self._digest(message))
        return result if result != value else self._other(message, value, self._digits)

    def _hex(self, digest: bytes) -> str:
        return digest.hex()[: self._length]

    def _base32(self, digest: bytes) -> str:
        return base64.b32encode(digest).decode()[: self._length]

    def _decimal(self, digest: bytes) -> str:
        return str(int.from_bytes(digest, "big") % 10**self._length).zfill(self._length)

    def _scalar(self, value: Any) -> Any:
        shape = _SHAPES.get(type(value))
        if shape is None:
            return FAILED
        to_message, from_digest = shape
        message = to_message(value)
        result = from_digest(self._digest(message))
        return result if result != value else self._other(message, value, from_digest)

    def _other(self, message: bytes, value: Any, from_digest: Callable[[bytes], Any]) -> Any:
        """The digest happens to be the value itself: another one, in the same way each time."""
        for attempt in range(1, _ATTEMPTS):
            result = from_digest(self._digest(message + b"\0" * attempt))
            if result != value:
                return result
        return FAILED


def _decimal(digest: bytes) -> Decimal128:
    """By its bytes (binary integer decimal, IEEE 754-2008): from text it takes ten times as long."""
    return Decimal128.from_bid(digest[:_DECIMAL_BYTES] + _DECIMAL_EXPONENT_ZERO)


_SHAPES: Final[Mapping[type, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]]] = {
    int: (lambda value: b"\0int\0%d" % value, lambda digest: _WORDS.unpack(digest)[3] & INT32_MAX),
    Int64: (
        lambda value: b"\0long\0%d" % value,
        lambda digest: Int64(_WORDS.unpack(digest)[3] & INT64_MAX),
    ),
    float: (
        lambda value: b"\0double\0" + repr(value).encode(),
        lambda digest: float(_WORDS.unpack(digest)[3] % _DOUBLE_EXACT),
    ),
    Decimal128: (lambda value: b"\0decimal\0" + value.bid, _decimal),
    ObjectId: (lambda value: b"\0objectId\0" + value.binary, lambda digest: ObjectId(digest[:12])),
}
"""By class, what is digested of a value and what is made of its digest."""
