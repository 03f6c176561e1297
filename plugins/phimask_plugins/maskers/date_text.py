"""Dates that are kept as strings: taken apart and written back in the very same form.

Forms: ISO 8601 calendar dates `YYYY-MM-DD` and `YYYYMMDD`, the first also with a time of day and an offset
(RFC 3339, with `T` or a space), and `MM/DD/YYYY` with or without leading zeros.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Final

_TIME: Final = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?)?"
_OFFSET: Final = r"Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]"
_ISO: Final = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:({_TIME})((?:{_OFFSET})?))?")
_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_AMERICAN: Final = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_DIGIT: Final = re.compile(r"[0-9]")
_LONGEST: Final = 40

Change = Callable[[datetime.date], datetime.date]


def rewrite(text: str, change: Change, *, midnight: bool = False) -> str | None:
    """`text` with its date changed and, if `midnight`, its time of day set to zeros; the offset stays.

    None for what is no date in any of the forms. `change` may raise OverflowError, which is passed on.
    """
    if len(text) > _LONGEST:
        return None
    try:
        if (match := _ISO.fullmatch(text)) is not None:
            day = change(datetime.date.fromisoformat(text[:10])).isoformat()
            if midnight and match[1] is not None:
                return f"{day}{_DIGIT.sub('0', match[1])}{match[2]}"
            return day + text[10:]
        if (match := _COMPACT.fullmatch(text)) is not None:
            day = change(datetime.date(int(match[1]), int(match[2]), int(match[3]))).isoformat()
            return day.replace("-", "")
        if (match := _AMERICAN.fullmatch(text)) is not None:
            changed = change(datetime.date(int(match[3]), int(match[1]), int(match[2])))
            width = 1 if len(match[1]) == 1 or len(match[2]) == 1 else 2
            return f"{changed.month:0{width}}/{changed.day:0{width}}/{changed.year:04}"
    except ValueError:
        return None
    return None
