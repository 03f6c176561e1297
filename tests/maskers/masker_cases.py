"""What the maskers' tests share: how a column is masked, and the odd values that each must stand."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import strategies as st

from phimask import Column, MaskedField, Masker

KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))

TYPES: dict[type, str] = {
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
    type(None): "null",
}

SIBLINGS = (MaskedField("Some.LastName", "Some.LastName", "Lovelace", "Byron"),)
"""What another rule has masked in each value's document."""

ODD_VALUES: tuple[Any, ...] = (
    "",
    " ",
    "\0",
    "-",
    "---",
    "a",
    "7",
    "0",
    "*",
    "\\1",
    "Ada Lovelace",
    "🩺",
    "👩‍⚕️ Zoë",
    "عبد الله بن محمد",
    "\u202eada\u202c",
    "e\u0301",
    "\ud800",
    "Ada \udfff",
    "٣٤٥٦٧",
    "\uff12\uff10\uff12\uff10-\uff10\uff11-\uff10\uff11",
    "ⅷ",
    "²³",
    "1999-12-31",
    "9999-12-31",
    "0001-01-01",
    "0000-00-00",
    "2020-01-01\n",
    "1e400",
    "nan",
    "9" * 30,
    "9" * 5000,
    "x" * 10_000,
    0,
    1,
    -1,
    2**31 - 1,
    -(2**31),
    Int64(0),
    Int64(2**31),
    Int64(2**63 - 1),
    Int64(-(2**63)),
    0.0,
    -0.0,
    1.5,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    float("-inf"),
    Decimal128("0"),
    Decimal128("NaN"),
    Decimal128("sNaN"),
    Decimal128("Infinity"),
    Decimal128("-Infinity"),
    Decimal128("9.999999999999999999999999999999999E+6144"),
    Decimal128("1E-6176"),
    datetime.datetime(1, 1, 1),
    datetime.datetime(1850, 6, 1, 12),
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999000),
    datetime.datetime(9999, 12, 31, 23, 59, 59, 999000),
    DatetimeMS(253_402_300_800_000),
    DatetimeMS(-62_135_596_800_001),
    DatetimeMS(2**63 - 1),
    DatetimeMS(-(2**63)),
    True,
    False,
    ObjectId("0123456789abcdef01234567"),
    ObjectId(b"\0" * 12),
    b"",
    b"\0\xff",
    Binary(b"\x01" * 16, 4),
    Binary(b"abc", 128),
    Timestamp(0, 0),
    Timestamp(2**32 - 1, 2**32 - 1),
    Regex("^Ada"),
    Code("return 'Ada'"),
    Code("return n", {"n": "Ada"}),
)


def mask(masker: Masker, *values: Any, subjects: Sequence[bytes] | None = None) -> list[Any]:
    """The masked column; every value is of another document of one person unless subjects are given."""
    column = Column("Some.Path", list(values), [b"subject"] * len(values) if subjects is None else subjects)
    if masker.needs_siblings:
        column.siblings = [SIBLINGS] * len(values)
        column.places = ["Some.Path"] * len(values)
    return list(masker.mask(column))


def taken(masker: Masker, values: Sequence[Any] = ODD_VALUES) -> list[Any]:
    """Those of the values whose BSON type the masker takes."""
    return [value for value in values if TYPES[type(value)] in masker.types]


def same(one: Any, other: Any) -> bool:
    """Equal, of one class, and NaN is NaN."""
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


texts = st.text(st.characters(exclude_categories=[]), max_size=30)
scalars = st.one_of(
    texts,
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    st.decimals(allow_nan=True, places=3, min_value=-(10**20), max_value=10**20).map(Decimal128),
    st.datetimes().map(lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)),
    st.integers(-(2**63), 2**63 - 1).map(DatetimeMS),
    st.booleans(),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.binary(max_size=20),
    st.sampled_from(ODD_VALUES),
)
