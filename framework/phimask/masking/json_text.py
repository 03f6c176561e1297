"""JSON as it stands in a text: values read one by one with where they begin and end, and values written.

What the grammar of RFC 8259 does not allow is an error, but for NaN, Infinity and -Infinity, which Python's and other
writers put where a number has no JSON form.
"""

from __future__ import annotations

import json
import math
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Final

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from phimask.masking.bson_types import INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN
from phimask.masking.columns import Unreadable

_SPACE: Final = " \t\n\r"
_HEAD: Final = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
_COLON: Final = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_SIGN: Final = re.compile(r"[ \t\n\r]*([,}\]])[ \t\n\r]*")
_SPACES: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: Final[tuple[tuple[str, Any], ...]] = (
    ("null", None),
    ("true", True),
    ("false", False),
    ("NaN", math.nan),
    ("Infinity", math.inf),
    ("-Infinity", -math.inf),
)
_INT64_LENGTH: Final = 20
_DECIMAL_DIGITS: Final = 34
"""Significant digits of a decimal128 (IEEE 754-2008)."""


class InvalidJsonError(ValueError):
    """This text is no JSON. Says nothing of what it is."""


def after_spaces(text: str, at: int) -> int:
    """Where the next character is that is no white space."""
    if text[at : at + 1] not in _SPACE:
        return at
    match = _SPACES.match(text, at)
    return at if match is None else match.end()


def member_at(text: str, at: int) -> tuple[str, int]:
    """The key of the member that begins at `at`, and where its value begins."""
    head = _HEAD.match(text, at)
    if head is not None:
        return head[1], head.end()
    key, end = key_at(text, at)
    colon = _COLON.match(text, end)
    if colon is None:
        raise InvalidJsonError
    return key, colon.end()


def sign_after(text: str, at: int, closing: str) -> tuple[int, bool]:
    """Behind a value: where the next one begins, or where the container ends that `closing` closes, and whether it
    does."""
    sign = _SIGN.match(text, at)
    if sign is None:
        raise InvalidJsonError
    if sign[1] == ",":
        return sign.end(), False
    if sign[1] != closing:
        raise InvalidJsonError
    return sign.end(1), True


def string_at(text: str, at: int) -> tuple[Any, int]:
    """The string that begins at `at`, and where it ends. One that UTF-8 cannot spell is Unreadable."""
    value, end = key_at(text, at)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return Unreadable("string"), end
    return value, end


def key_at(text: str, at: int) -> tuple[str, int]:
    """As `string_at`, but whatever it holds."""
    if text[at : at + 1] != '"':
        raise InvalidJsonError
    try:
        found: tuple[str, int] = scanstring(text, at + 1, True)
    except ValueError:
        raise InvalidJsonError from None
    return found


def scalar_at(text: str, at: int) -> tuple[Any, int]:
    """The number, true, false or null that begins at `at`, as BSON would hold it, and where it ends.

    A whole number beyond 64 bits is a Decimal128; what has no exact BSON type is Unreadable.
    """
    match = _NUMBER.match(text, at)
    if match is not None:
        written = match[0]
        return (_whole(written) if match[1] is match[2] is None else _fraction(written)), match.end()
    for word, value in _WORDS:
        if text.startswith(word, at):
            return value, at + len(word)
    raise InvalidJsonError


def _whole(written: str) -> Any:
    if len(written) <= _INT64_LENGTH:
        number = int(written)
        if INT32_MIN <= number <= INT32_MAX:
            return number
        if INT64_MIN <= number <= INT64_MAX:
            return Int64(number)
    if len(written.lstrip("-")) <= _DECIMAL_DIGITS:
        return Decimal128(written)
    return Unreadable("decimal")


def _fraction(written: str) -> Any:
    number = float(written)
    return number if math.isfinite(number) else Unreadable("double")


_PASS: Final[Any] = vars(json.JSONDecoder(parse_float=len, parse_int=len, parse_constant=len))["scan_once"]
"""No number is made of the digits of values that are passed over."""
_TAKE: Final[Any] = vars(json.JSONDecoder(parse_float=_fraction, parse_int=_whole))["scan_once"]


def passed_over(text: str, at: int) -> int:
    """Where the value ends that begins at `at`, whatever it is."""
    return _scanned(_PASS, text, at)[1]


def container_at(text: str, at: int) -> tuple[Any, int]:
    """The object or array that begins at `at`, as a dict or list, and where it ends."""
    return _scanned(_TAKE, text, at)


def _scanned(scan: Any, text: str, at: int) -> tuple[Any, int]:
    try:
        found: tuple[Any, int] = scan(text, at)
    except (ValueError, StopIteration):
        raise InvalidJsonError from None
    return found


def can_write(value: Any) -> bool:
    """Whether JSON has a form for a masked value."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None or kind is Int64:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is Decimal128:
        return bool(value.to_decimal().is_finite())
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(can_write, value.values()))
    return kind is list and all(map(can_write, value))


def written(value: Any, *, ascii_only: bool) -> str:
    """The JSON of a value that `can_write` allows; with `ascii_only`, other characters are escaped."""
    if type(value) is str:
        return str((encode_basestring_ascii if ascii_only else encode_basestring)(value))
    if type(value) is dict:
        members = (
            f"{written(key, ascii_only=ascii_only)}: {written(one, ascii_only=ascii_only)}"
            for key, one in value.items()
        )
        return "{" + ", ".join(members) + "}"
    if type(value) is list:
        return "[" + ", ".join(written(one, ascii_only=ascii_only) for one in value) + "]"
    return str(value) if type(value) in (Int64, Decimal128) else json.dumps(value)
