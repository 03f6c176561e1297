"""Rule paths: `Patient.Name`, `*`, `**`, `Patient."first.name"`, to segments and back.

A path is keys joined by dots, as in a MongoDB query. `*` is any one key and `**` any number of keys, none too. A key
that is empty or holds a dot, star, quote, backslash, space at an end, or digits only is written in double quotes, in
which a backslash stands before a quote or a backslash. Arrays are walked through, so that no index is ever part of a
path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from phimask.plugins.values import Wildcard

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_BARE = re.compile(r"[^.]+")
_NEEDS_QUOTES = re.compile(r'[.*"\\]|^\s|\s$|^[0-9]+$|^$')
_EXAMPLE: Final = "write keys joined by dots, such as Visits.Provider.Name"


class PathSyntaxError(ValueError):
    """A path that is none. `position` counts characters from 1."""

    def __init__(self, position: int, wrong: str, right: str) -> None:
        self.position = position
        self.wrong = f"{wrong} (character {position} of the path)"
        self.right = right
        super().__init__(f"{self.wrong}; {right}")


def parse_path(text: str) -> tuple[str | Wildcard, ...]:
    """The path's segments. Raises PathSyntaxError."""
    if not text:
        raise PathSyntaxError(1, "the path is empty", _EXAMPLE)
    segments: list[str | Wildcard] = []
    position = 0
    while True:
        segment, end = _segment(text, position)
        if segment is Wildcard.ANY_DEPTH and segments and segments[-1] is Wildcard.ANY_DEPTH:
            raise PathSyntaxError(position + 1, "`**` follows `**`", "write it once: it is any depth already")
        segments.append(segment)
        if end == len(text):
            return tuple(segments)
        position = end + 1
        if position == len(text):
            raise PathSyntaxError(
                end + 1, "the path ends with a dot", "remove the dot, or name the key after it"
            )


def format_path(segments: Iterable[str | Wildcard]) -> str:
    """The path as text, with quotes where a key needs them: what `parse_path` takes back."""
    return ".".join(
        segment.value if isinstance(segment, Wildcard) else _formatted_key(segment) for segment in segments
    )


def _formatted_key(key: str) -> str:
    if _NEEDS_QUOTES.search(key) is None:
        return key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _segment(text: str, start: int) -> tuple[str | Wildcard, int]:
    """The segment that begins at `start`, and where it ends (a dot or the text's end)."""
    if text[start] == ".":
        where = "the path begins with a dot" if start == 0 else "a key is missing between two dots"
        raise PathSyntaxError(start + 1, where, 'name the key, or write "" for a key without a name')
    if text[start] == '"':
        return _quoted_key(text, start)
    match = _BARE.match(text, start)
    assert match is not None  # noqa: S101  (the character at `start` is no dot)
    return _bare_key(match[0], start), match.end()


def _quoted_key(text: str, start: int) -> tuple[str, int]:
    match = _QUOTED.match(text, start)
    if match is None:
        escape = re.search(r'\\(?!["\\])', text[start:])
        if escape is not None:
            place = start + escape.start() + 1
            raise PathSyntaxError(
                place, "a backslash escapes nothing here", 'write \\\\ for one, \\" for a quote'
            )
        raise PathSyntaxError(
            start + 1, "a quote is opened and not closed", 'close it, as in Patient."first.name"'
        )
    if match.end() < len(text) and text[match.end()] != ".":
        raise PathSyntaxError(
            match.end() + 1, "something follows a closing quote", "put a dot between two keys"
        )
    key = re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)
    return _without_null(key, start), match.end()


def _bare_key(key: str, start: int) -> str | Wildcard:
    if key in {"*", "**"}:
        return Wildcard(key)
    for sign, meaning in (
        ("*", "a star stands for a whole key, not for a part of one"),
        ('"', "a quote stands inside a key"),
        ("\\", "a backslash stands inside a key"),
    ):
        if sign in key:
            right = 'put a key that holds one, or a dot, in quotes, as in Patient."first.name"'
            raise PathSyntaxError(start + key.index(sign) + 1, meaning, right)
    if key.isascii() and key.isdigit():
        right = f'leave it out; a key that is a number is written in quotes: "{key}"'
        raise PathSyntaxError(
            start + 1, f"{key} looks like an array index, and arrays are walked through", right
        )
    if key != key.strip():
        wrong = "a space stands before or after a key"
        raise PathSyntaxError(start + 1, wrong, f"remove it, or put the key in quotes: {_formatted_key(key)}")
    return _without_null(key, start)


def _without_null(key: str, start: int) -> str:
    if "\0" in key:
        raise PathSyntaxError(start + 1, "a key holds a null character", "remove it: BSON keys hold none")
    return key
