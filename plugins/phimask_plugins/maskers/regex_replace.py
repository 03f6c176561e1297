"""regex_replace: rewrites what a pattern matches, in linear time."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

import re2

from phimask import FAILED, Column, Masker
from phimask_plugins.maskers.scalars import is_text

_REFERENCE: Final = re.compile(
    r"\\(?:([1-9][0-9]?)|g<([A-Za-z_][A-Za-z_0-9]*|[0-9]{1,2})>|(\\)|.?)", re.DOTALL
)

_Part = str | int


class RegexReplace(Masker):
    """Puts `replacement` in place of what `pattern` matches in a string; the rest of the string stays.

    The pattern is RE2's, which takes time in proportion to the text whatever the text is, so that no value can
    hold up a run; it has no look-around and no back-references. A string without a match fails, since nothing
    in it was masked; `unmatched: keep` is for texts where the pattern is rare.

    Source: RE2 syntax, https://github.com/google/re2/wiki/Syntax; its time bound: R. Cox, "Regular Expression
    Matching in the Wild" (2010).
    """

    name = "regex_replace"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["pattern"],
        "properties": {
            "pattern": {
                "type": "string",
                "minLength": 1,
                "description": "What is replaced, in RE2 syntax; `(?i)` at its beginning ignores case.",
            },
            "replacement": {
                "type": "string",
                "default": "",
                "description": r"What takes its place; `\1` or `\g<name>` is a group of the pattern, `\\` a backslash.",
            },
            "count": {
                "type": "integer",
                "minimum": 0,
                "default": 0,
                "description": "How many matches of a string are replaced at most, from its beginning; 0: all.",
            },
            "unmatched": {
                "enum": ["fail", "keep"],
                "default": "fail",
                "description": "What becomes of a string that the pattern does not match.",
            },
        },
    }
    types = frozenset({"string"})
    changes = "maybe"

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError for a pattern that is not RE2's and a replacement that names no group of it."""
        super().__init__(options, key)
        self._pattern = _compiled(options["pattern"])
        self._parts = _parts(options.get("replacement", ""), self._pattern.groups, self._pattern.groupindex)
        self._count: int = options.get("count", 0)
        self._keep: bool = options.get("unmatched", "fail") == "keep"

    def mask(self, column: Column) -> list[Any]:
        """Rewritten strings."""
        return [self._rewritten(value) for value in column.values]

    def _rewritten(self, value: Any) -> Any:
        if type(value) is not str or not is_text(value):
            return FAILED
        if not value:
            return value
        written = io.StringIO()  # a list of pieces would take many times what a long text does
        end, matched = 0, False
        found: Iterator[Any] = self._pattern.finditer(value)
        for match in itertools.islice(found, self._count) if self._count else found:
            written.write(value[end : match.start()])
            for part in self._parts:
                written.write(part if type(part) is str else match.group(part) or "")
            end = match.end()
            matched = True
        written.write(value[end:])
        return written.getvalue() if matched or self._keep else FAILED


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # it would write to stderr what a configuration error says anyway
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        told = error.args[0] if isinstance(error, re2.error) else "it holds a lone surrogate"
        reason = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        raise ValueError(f"`pattern` is none that RE2 knows: {reason}") from None


def _parts(replacement: str, groups: int, names: Mapping[str, int]) -> list[_Part]:
    """The replacement as texts and numbers of groups."""
    if not is_text(replacement):
        raise ValueError("`replacement` holds a lone surrogate, which is no character")
    parts: list[_Part] = []
    end = 0
    for found in _REFERENCE.finditer(replacement):
        number, name, backslash = found.groups()
        parts.append(replacement[end : found.start()])
        end = found.end()
        if backslash:
            parts.append("\\")
            continue
        group = int(number) if number else _number(name, names.get)
        if group is None or group > groups:
            raise ValueError(
                f"`replacement` has {found[0]}, which is no group of the pattern; it has {groups} of them, "
                r"and a backslash itself is written `\\`"
            )
        parts.append(group)
    parts.append(replacement[end:])
    return [part for part in parts if part != ""]


def _number(name: str | None, number_of: Callable[[str], int | None]) -> int | None:
    if name is None:
        return None
    return int(name) if name.isdigit() else number_of(name)
