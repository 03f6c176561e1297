"""age_cap: one class for all ages above a bound."""

from __future__ import annotations

import calendar
import datetime
import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.date_text import rewrite

_DIGITS: Final = re.compile(r"[0-9]+")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PARTIAL: Final = re.compile(r"([0-9]{4})(-(?:0[1-9]|1[0-2]))?")
_LONGEST_AGE: Final = 4


class AgeCap(Masker):
    """Puts `cap` in place of every age above `over`, of the same BSON type; all others stay.

    Takes numbers and strings of digits; a string of anything else fails, as does what is no finite number.
    With `as_of` it takes dates of birth instead, as dates or as the strings that date_truncate takes: that of
    everyone who is older than `over` on that day becomes 1 January of the year `cap` years before; a birth known by
    year or month alone counts as at its beginning. date_truncate, behind it in a chain, then coarsens the others.

    Source: 45 CFR 164.514(b)(2)(i)(C): ages over 89 "may be aggregated into a single category of age 90 or
    older".
    """

    name = "age_cap"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "over": {
                "type": "integer",
                "minimum": 0,
                "maximum": 200,
                "default": 89,
                "description": "The highest age that stays, in years.",
            },
            "cap": {
                "type": "integer",
                "minimum": 0,
                "maximum": 200,
                "default": 90,
                "description": "What stands for all higher ones, in years.",
            },
            "as_of": {
                "type": "string",
                "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                "description": "The day, YYYY-MM-DD, on which ages are reckoned; values are dates of birth.",
            },
        },
    }
    types = frozenset({"string", "int", "long", "double", "decimal"})
    changes = "maybe"
    idempotent = True

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError if `cap` is below `over`, since high ages would hide among others, and for an `as_of` that
        is no day or less than `over` and `cap` years after the year 1."""
        super().__init__(options, key)
        self._over: int = options.get("over", 89)
        self._cap: int = options.get("cap", 90)
        if self._cap < self._over:
            raise ValueError("cap is below over; ages above `over` would pass for younger ones")
        self._caps: Mapping[type, Any] = {
            int: self._cap,
            Int64: Int64(self._cap),
            float: float(self._cap),
            Decimal128: Decimal128(str(self._cap)),
            str: str(self._cap),
        }
        self._births: _Births | None = None
        if "as_of" in options:
            self._births = _Births(options["as_of"], self._over, self._cap)
            self.types = frozenset({"date", "string"})

    def mask(self, column: Column) -> list[Any]:
        """Capped ages, or the births of such."""
        capped = self._capped if self._births is None else self._births.capped
        return [capped(value) for value in column.values]

    def server_expression(self, bson_type: str) -> Any:
        """Of whole numbers."""
        if self._births is not None or bson_type not in ("int", "long"):
            return None
        cap = self._caps[int if bson_type == "int" else Int64]
        return {"$cond": [{"$gt": ["$$value", self._over]}, {"$literal": cap}, "$$value"]}

    def _capped(self, value: Any) -> Any:
        kind = type(value)
        if kind not in self._caps:
            return FAILED
        if kind is str:
            if not value:
                return value
            if not _DIGITS.fullmatch(value):
                return FAILED
            digits = value.lstrip("0")
            above = len(digits) > _LONGEST_AGE or int(digits or "0") > self._over
        elif kind is Decimal128:
            number = value.to_decimal()
            if not number.is_finite():
                return FAILED
            above = number > self._over
        elif kind is float and not math.isfinite(value):
            return FAILED
        else:
            above = value > self._over
        return self._caps[kind] if above else value


class _Births:
    """Dates of birth of people older than `over` on a day, as that of one who is `cap`."""

    def __init__(self, as_of: str, over: int, cap: int) -> None:
        try:
            day = datetime.date.fromisoformat(as_of if _DAY.fullmatch(as_of) else "")
            self._capped = datetime.date(day.year - cap, 1, 1)
            # Who turns over + 1 on the day itself is that old; of a 29 February, on 1 March of a common year.
            year = day.year - over - 1
            leap_day_moved = (day.month, day.day) == (2, 29) and not calendar.isleap(year)
            self._latest = datetime.date(year, 2, 28) if leap_day_moved else day.replace(year=year)
        except ValueError:
            raise ValueError(
                "`as_of` is no day in whose past there are such ages; write YYYY-MM-DD"
            ) from None

    def capped(self, value: Any) -> Any:
        """The date, the same or capped, or FAILED."""
        kind = type(value)
        if kind is datetime.datetime:
            return self._instant if value.date() <= self._latest else value
        if kind is DatetimeMS:
            # Outside of datetime's years: long ago, or yet to be.
            return self._instant if int(value) < 0 else value
        if kind is not str:
            return FAILED
        return self._text(value) if value else value

    @property
    def _instant(self) -> datetime.datetime:
        return datetime.datetime(self._capped.year, 1, 1)  # noqa: DTZ001  (BSON's dates are naive UTC)

    def _text(self, text: str) -> Any:
        partial = _PARTIAL.fullmatch(text)
        if partial is not None and partial[1] != "0000":
            first = datetime.date(int(partial[1]), int((partial[2] or "-1")[1:]), 1)
            return self._capped.isoformat()[: len(text)] if first <= self._latest else text
        capped = False

        def change(day: datetime.date) -> datetime.date:
            nonlocal capped
            capped = day <= self._latest
            return self._capped if capped else day

        result = rewrite(text, change)
        if result is None:
            return FAILED
        return rewrite(text, change, midnight=True) if capped else text
