"""HTML as plain text, and changes to that text put back between the tags."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from typing import Final

from phimask_plugins.maskers.notes.originals import Hit

_TAG: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<[/!?]?[A-Za-z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ATTRIBUTE: Final = re.compile(r"([^\s\"'<>/=]+)(\s*=\s*)(\"[^\"]*\"|'[^']*')")
_TAG_NAME: Final = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
_INLINE: Final = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
        "mark",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
"""Elements that do not part words."""
_STRUCTURE: Final = frozenset(
    [
        "align",
        "border",
        "cellpadding",
        "cellspacing",
        "class",
        "charset",
        "colspan",
        "dir",
        "height",
        "http-equiv",
        "lang",
        "media",
        "method",
        "rel",
        "role",
        "rowspan",
        "scope",
        "style",
        "tabindex",
        "target",
        "type",
        "valign",
        "width",
    ]
)
"""Attributes that hold no text; so do those of namespaces."""

Find = Callable[[str], Iterable[Hit]]


class _Plain:
    """The text of an HTML source: each of its characters, and where it stands there."""

    def __init__(self) -> None:
        self.characters: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, text: str, start: int) -> None:
        """Source text from `start` on, with its entities."""
        at = 0
        for entity in _ENTITY.finditer(text):
            self._plain(text[at : entity.start()], start + at)
            for one in html.unescape(entity[0]):
                self.characters.append(one)
                self.starts.append(start + entity.start())
                self.ends.append(start + entity.end())
            at = entity.end()
        self._plain(text[at:], start + at)

    def _plain(self, text: str, start: int) -> None:
        self.characters.extend(text)
        self.starts.extend(range(start, start + len(text)))
        self.ends.extend(range(start + 1, start + len(text) + 1))

    def part(self, at: int) -> None:
        """Something that parts words stands here."""
        self.characters.append("\n")
        self.starts.append(at)
        self.ends.append(at)


def masked(source: str, find: Find) -> str:
    """`source` with the hits of `find` replaced in its text and in its attributes; tags and comments' ends stay.

    A comment, which nobody reads, is masked as a text of its own. Text of a hit that goes on behind a tag is taken
    out there.
    """
    changes: list[tuple[int, int, str]] = []
    plain = _Plain()
    at = 0
    for found in _TAG.finditer(source):
        plain.add(source[at : found.start()], at)
        if found[0].startswith(("<!--", "<![")):
            changes.extend(_inside(source, found.start() + 3, found.end(), find))
        else:
            name = _TAG_NAME.match(found[0])
            if name is None or name[1].lower() not in _INLINE:
                plain.part(found.start())
            for attribute in _ATTRIBUTE.finditer(found[0]):
                key = attribute[1].lower()
                if key not in _STRUCTURE and not key.startswith("xmlns"):
                    start = found.start() + attribute.start(3) + 1
                    changes.extend(_inside(source, start, found.start() + attribute.end(3) - 1, find))
        at = found.end()
    plain.add(source[at:], at)
    changes.extend(_changes(plain, find))
    return _changed(source, changes)


def _inside(source: str, start: int, end: int, find: Find) -> list[tuple[int, int, str]]:
    plain = _Plain()
    plain.add(source[start:end], start)
    return _changes(plain, find)


def _changes(plain: _Plain, find: Find) -> list[tuple[int, int, str]]:
    changes: list[tuple[int, int, str]] = []
    for start, end, text in find("".join(plain.characters)):
        at = start
        new = html.escape(text)
        while at < end:
            first = at
            while at + 1 < end and plain.starts[at + 1] <= plain.ends[at]:
                at += 1
            if plain.starts[first] < plain.ends[at]:
                changes.append((plain.starts[first], plain.ends[at], new))
                new = ""
            at += 1
    return changes


def _changed(source: str, changes: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, text in sorted(changes):
        if start >= at:
            parts += (source[at:start], text)
            at = end
        elif end > at:  # two of one entity's characters were hit
            at = end
    return "".join([*parts, source[at:]])
