"""Values to try a masker with: the usual, the odd, the many, and those that must not show up in a message.

All are made up, and the same in every run.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import bson
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp


def _date(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0
) -> datetime.datetime:
    # BSON dates decode to naive datetimes, UTC.
    return datetime.datetime(year, month, day, hour, minute, second, microsecond)  # noqa: DTZ001


USUAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "string": (
        "Wilhelmina Oakes", "OAKES, WILHELMINA", "Bartholomew", "van der Brenk", "O'Malley-Singh", "Zoë Núñez",
        "王小明", "900-12-3456", "900123457", "(212) 555-0134", "+1 212 555 0178", "212.555.0191", "02139",
        "90210-1234", "03601", "1931-04-17", "1987-11-30T08:15:30Z", "2003-02-28T23:59:59.250+05:30",
        "04/17/1931", "19870102", "w.oakes@example.org", "https://example.com/p/4711", "192.0.2.77", "MRN0047113",
        "A-77-1290", "4111-1111", "7", "42", "89", "90", "104", "1234567893", "17 Elm Street", "Springfield", "MA",
        "Massachusetts", "yes", "female", "x", "Patient was seen on 3/4/2019 by Dr. Okafor.\nCall 212-555-0134.",
    ),
    "int": (1, 2, 7, 42, 89, 90, 104, 2139, 90210, 900123456, 19310417, 2147483646, -1, -90210),
    "long": tuple(Int64(number) for number in (3, 44, 91, 2140, 90211, 2125550134, 900123458, -77, 10**15 + 7)),
    "double": (0.5, 1.0, 3.25, 42.0, 98.6, 104.0, -12.75, 1e-9, 6.02e23),
    "decimal": tuple(map(Decimal128, ("0.5", "1", "3.250", "42.00", "98.6", "-12.75", "1E+3", "104"))),
    "date": (
        _date(1931, 4, 17), _date(1969, 12, 31, 23, 59, 59, 999000), _date(1970, 1, 2), _date(1987, 11, 30, 8, 15),
        _date(2000, 2, 29), _date(2003, 2, 28, 23, 59, 59, 250000), _date(2024, 12, 31), _date(1899, 6, 1),
    ),
    "bool": (True, False),
    "objectId": (ObjectId("64b7f3a1c2d3e4f5a6b7c8d9"), ObjectId("507f1f77bcf86cd799439011")),
    "binData": (b"scan of a card", Binary(bytes(range(16)), 4), Binary(b"custom", 0x80)),
    "timestamp": (Timestamp(1700000000, 1), Timestamp(1, 0)),
    "regex": (Regex("^oakes", "i"), Regex("[0-9]{3}", "")),
    "javascript": (Code("return 1"), Code("return who", {"who": "Oakes"})),
    "object": (
        {"first": "Wilhelmina", "last": "Oakes"}, {"street": {"name": "Elm", "number": 17}, "lines": ["a", {"b": 2}]},
    ),
    "array": (["Wilhelmina", 7], [{"n": 1}, [2, [3]]]),
}  # fmt: skip
"""By BSON type. The texts have the shapes that masks look for: names, numbers, dates, codes, prose."""

ODD: Final[Mapping[str, tuple[Any, ...]]] = {
    "string": (
        "", " ", "\t\n", "\x00", "a\x00b", "🩺",
        "👩‍👩‍👧‍👦 Oakes", "מרים כהן", "\u202eoakes\u202c", "e\u0301e\u0301", "İstanbul",
        "ß", "٠١٢٣٤٥٦٧٨٩", "²³", "\ufeff", "\U0010ffff", "\ud800 alone", "null", "NaN", "-", "--", ".", "@", "/", "//",
        "%s {0} \\1", "\\",
        "9999-12-31", "0000-00-00", "0001-01-01T00:00:00Z", "2023-02-29", "99999", "9" * 40, "-1", "1e999",
        "Oakes " * 1700,
    ),
    "int": (0, -(2**31), 2**31 - 1),
    "long": (Int64(0), Int64(-(2**63)), Int64(2**63 - 1), Int64(2**31)),
    "double": (0.0, -0.0, float("nan"), float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308),
    "decimal": tuple(
        map(Decimal128, ("NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "0", "-0", "0E-6176", "9.9E+6144"))
    ),
    "date": (
        _date(1970, 1, 1), _date(1, 1, 1), _date(9999, 12, 31, 23, 59, 59, 999000), DatetimeMS(253402300800000),
        DatetimeMS(-62135596800001), DatetimeMS(2**63 - 1), DatetimeMS(-(2**63)),
    ),
    "objectId": (ObjectId(b"\0" * 12), ObjectId(b"\xff" * 12)),
    "binData": (b"", b"\0", Binary(b"", 5), Binary(b"old", 2)),
    "timestamp": (Timestamp(0, 0), Timestamp(2**32 - 1, 2**32 - 1)),
    "regex": (Regex("", ""), Regex("(", "")),
    "javascript": (Code(""),),
    "object": ({}, {"": ""}, {"a.b": {"$c": None}}),
    "array": ([], [[]], [None]),
    "minKey": (MinKey(),),
    "maxKey": (MaxKey(),),
}  # fmt: skip
"""By BSON type: empty, extreme, malformed, far out. A masker may fail on these, but not let them through."""


class Canary(NamedTuple):
    """A value, and what an exception's message would hold if it told of it."""

    value: Any
    traces: tuple[str, ...]


def _text_canary(text: str) -> Canary:
    # A masker may cut a value before it fails on it, so any five characters in a row are a trace.
    cuts = (text[start : start + 5] for start in range(len(text) - 4))
    return Canary(text, tuple(cut for cut in cuts if cut not in "https://"))


CANARIES: Final[Mapping[str, tuple[Canary, ...]]] = {
    "string": tuple(
        map(
            _text_canary,
            (
                "Zxqulon Vyrkenbjush", "ZXQULONVYRKEN", "7419302658", "74193", "74193-0265", "741-93-0265",
                "(741) 930-2658", "7419-93-65", "7419-93-65T74:93:02Z", "74/93/7419", "74193.02658", "7419.3026.5871",
                "zxqulon@vyrkenbjush.org", "https://zxqulon.org/?vyrken=74193", "{zxqulon}vyrken%74193",
                "[zxqulon(vyrken", "zxqulon\x00vyrken", "zxqulon\ud800vyrken",
            ),
        )
    ),
    "int": (Canary(74193026, ("74193026",)), Canary(-74193026, ("74193026",))),
    "long": (Canary(Int64(7419302658741), ("7419302658741",)), Canary(Int64(2**63 - 1), (str(2**63 - 1),))),
    "double": (Canary(74193.02658, ("74193.02",)), Canary(7.419302658e300, ("7.4193",))),
    "decimal": (Canary(Decimal128("74193.02658"), ("74193.02",)), Canary(Decimal128("7.4193E+6000"), ("7.4193",))),
    "date": (
        Canary(_date(1931, 7, 19, 3, 2, 6, 587000), ("1931-07-19", "1931, 7, 19", "19310719", "07/19/1931")),
        Canary(DatetimeMS(7419302658741931), ("7419302658741931",)),
    ),
    "objectId": (Canary(ObjectId("7419302658deadbeef741930"), ("7419302658deadbeef741930",)),),
    "binData": (Canary(b"Zxqulon Vyrken", ("Zxqulon",)), Canary(Binary(b"Zxqulon\xff", 4), ("Zxqulon",))),
    "timestamp": (Canary(Timestamp(741930265, 8), ("741930265",)),),
    "regex": (Canary(Regex("(zxqulon", ""), ("zxqulon",)),),
    "javascript": (Canary(Code("zxqulon"), ("zxqulon",)),),
    "object": (Canary({"Name": "Zxqulon"}, ("Zxqulon",)), Canary({"zxqulon": {"Vyrken": 1}}, ("zxqulon", "Vyrken"))),
    "array": (Canary(["Zxqulon", 74193026], ("Zxqulon", "74193026")),),
}  # fmt: skip
"""By BSON type: values that many maskers cannot take, in the shapes of those they can."""

SUBJECT_CANARY: Final = b"zxqulon, a person"
"""Its traces are among those of the texts."""

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

_MANY: Final[Mapping[str, Callable[[random.Random], Any]]] = {
    "string": lambda chance: (
        "".join(chance.choices("0123456789", k=chance.randint(9, 12)))
        if chance.random() < 0.5
        else "".join(chance.choices(_ALPHABET, k=chance.randint(10, 16)))
    ),
    "int": lambda chance: chance.randint(10**8, 2**31 - 1),
    "long": lambda chance: Int64(chance.randint(10**12, 2**63 - 1)),
    "double": lambda chance: chance.uniform(1e6, 1e12),
    "decimal": lambda chance: Decimal128(f"{chance.randint(10**12, 10**18)}E-6"),
    "date": lambda chance: _date(1900, 1, 1) + datetime.timedelta(milliseconds=chance.randrange(4 * 10**12)),
    "objectId": lambda chance: ObjectId(chance.randbytes(12)),
    "binData": lambda chance: chance.randbytes(chance.randint(8, 24)),
    "timestamp": lambda chance: Timestamp(chance.randrange(2**32), chance.randrange(2**32)),
    "object": lambda chance: {"number": chance.randrange(2**31)},
}

LOOKALIKES: Final[Mapping[str, tuple[Any, ...]]] = {
    "string": (
        "oakes", "Oakes", "OAKES", "oakes ", " oakes", "oakes\t", "oakes\x00", "é", "e\u0301", "1", "01", "1.0",
        "\uff11", "00", "000",
    ),
    "double": (1.0, 1.0000000000000002, -1.0, 0.0, -0.0),
    "decimal": tuple(map(Decimal128, ("1", "1.0", "1.00", "10E-1", "-1"))),
    "date": (_date(2000, 1, 1), _date(2000, 1, 1, 0, 0, 0, 1000), _date(2000, 1, 2)),
    "binData": (b"a", b"a\0", Binary(b"a", 5), Binary(b"a", 0x80)),
}  # fmt: skip
"""By BSON type: values that are easily taken for one another, and are not the same."""


def many(bson_type: str, number: int) -> list[Any]:
    """Up to `number` distinct values of a type, large enough to differ in many places; none of a type that
    has but a few values."""
    if bson_type not in _MANY:
        return []
    chance = random.Random(f"phimask/{bson_type}")  # noqa: S311  (samples, the same in every run)
    values = {fingerprint(value): value for value in (_MANY[bson_type](chance) for _ in range(number))}
    return list(values.values())


def fingerprint(value: Any) -> bytes:
    """Equal for values that are one and the same in BSON: type, width, sign of zero, order of keys."""
    try:
        return bson.encode({"": value})
    except Exception:  # noqa: BLE001  (whatever BSON cannot hold: a lone surrogate, a marker)
        return f"{type(value).__name__}:{value!r}".encode("utf-8", "backslashreplace")


def encodable(value: Any) -> bool:
    """Whether BSON can hold the value."""
    try:
        bson.encode({"": value})
    except Exception:  # noqa: BLE001  (as above)
        return False
    return True
