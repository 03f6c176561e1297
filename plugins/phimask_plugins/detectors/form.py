"""The one form in which texts are matched: ASCII, so that neither look-alikes nor invisible characters hide anything.

Full-width and other scripts' digits become ASCII digits, accents go, letters that look like Latin ones (Cyrillic,
Greek, mathematical) become those, all kinds of hyphens, spaces and quotation marks become the plain ones, characters
without width are left out. Any other letter becomes `x` or `X`, so that words stay words.
"""

# ruff: noqa: RUF001  (a table of look-alikes has look-alikes in it)

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import Final, NamedTuple

_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]+")

_LOOKALIKES: Final = {
    **dict(zip("АВЕЅІЈКМНОРСТУХԚԜҮ", "ABESIJKMHOPCTYXQWY", strict=True)),
    **dict(zip("авеѕіјкмнорстухԛԝӏһԁԍү", "abesijkmhopctyxqwlhdgy", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict(zip("αβεικνορτυχγ", "abeikvoptuxy", strict=True)),
    **dict(zip("ıȷøØłŁđĐħĦŧŦɑɡɩ", "ijoOlLdDhHtTagi", strict=True)),
    **dict(zip("‘’‚‛′´`“”„‟″«»", '\'\'\'\'\'\'`"""""""', strict=True)),
    "\u2212": "-",
    "\u00ad": "",
    "\u2024": ".",
    "\u2044": "/",
    "\u2215": "/",
    "\u2236": ":",
    "\u2028": "\n",
    "\u2029": "\n",
    "\u0085": "\n",
    "\u00df": "s",
    "\u00ba": ".",
    "\u00aa": ".",
    "\u3002": ".",
}
_BY_CATEGORY: Final = {
    "Cf": "",
    "Mn": "",
    "Me": "",
    "Pd": "-",
    "Zs": " ",
    "Pi": '"',
    "Pf": '"',
    "Pc": "_",
    "Lu": "X",
    "Lt": "X",
    "Ll": "x",
    "Lo": "x",
    "Lm": "x",
    "Mc": "x",
}
"""By general category, what an otherwise unknown character becomes; any other one becomes `?`."""


def _ascii(character: str) -> str:
    """One ASCII character, or none for what has no width."""
    if character in _LOOKALIKES:
        return _LOOKALIKES[character]
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    for one in unicodedata.normalize("NFKD", character):
        if one.isascii():
            # A compatibility form of several characters (1/2, fi) counts as its first.
            return " " if one.isspace() else one
        if one in _LOOKALIKES:
            return _LOOKALIKES[one]
        break
    return _BY_CATEGORY.get(unicodedata.category(character), "?")


class _Table(dict[str, str]):
    def __missing__(self, character: str) -> str:
        result = self[character] = _ascii(character)
        return result


_TABLE: Final = _Table()


class Form(NamedTuple):
    """A text in ASCII, and where characters of the original were left out."""

    text: str
    cuts: tuple[int, ...]
    """For each left-out character, the position in `text` of what follows it."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) of `text`, which is not empty, as a stretch of the original."""
        if not self.cuts:
            return start, end
        return start + bisect_right(self.cuts, start), end + bisect_right(self.cuts, end - 1)


def form_of(text: str) -> Form:
    """The form of any text, lone surrogates included."""
    if text.isascii():
        return Form(text, ())
    parts: list[str] = []
    cuts: list[int] = []
    at = size = 0
    for run in _NON_ASCII.finditer(text):
        parts.append(text[at : run.start()])
        size += run.start() - at
        for character in run[0]:
            result = _TABLE[character]
            parts.append(result)
            if result:
                size += 1
            else:
                cuts.append(size)
        at = run.end()
    parts.append(text[at:])
    return Form("".join(parts), tuple(cuts))


def is_readable(text: str) -> bool:
    """Whether its form tells it from other texts: no letter of it is written as `x` for want of a Latin one."""
    return text.isascii() or all(one.isascii() or _TABLE[one] not in ("x", "X", "?") for one in text)
