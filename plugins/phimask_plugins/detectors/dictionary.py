"""Where words of a large set stand in a text: Aho-Corasick by a native library, or word by word without it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

_START: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]+")
_EDGE: Final = b" "
_EDGES: Final = bytes(code if code < 128 and chr(code).isalnum() else _EDGE[0] for code in range(256))
"""What is neither letter nor digit is an edge of a word."""


def _native(entries: tuple[str, ...]) -> Any:
    try:
        import ahocorasick_rs  # noqa: PLC0415  (optional)
    except ImportError:
        return None
    # With their edges, for else each word would be looked at that a short entry is a part of.
    return ahocorasick_rs.BytesAhoCorasick([_edged(entry) for entry in entries])


def _edged(text: str) -> bytes:
    return _EDGE + text.encode("ascii").translate(_EDGES) + _EDGE


class Dictionary:
    """A set of words and phrases in ASCII, each beginning and ending with a letter or digit (or a full stop).

    Found are those that stand alone, in their very spelling: the longest of those that begin at a place, none
    within another. `native`: use the library where there is one.
    """

    def __init__(self, entries: Iterable[str], *, native: bool = True) -> None:
        self._entries = frozenset(entries)
        ordered = tuple(sorted(self._entries))
        self._automaton = _native(ordered) if native and ordered else None
        self._by_word: defaultdict[str, list[str]] = defaultdict(list)
        if self._automaton is None:
            for entry in ordered:
                if (word := _START.match(entry)) is not None:
                    self._by_word[word[0]].append(entry)

    @property
    def is_native(self) -> bool:
        """Whether the library does the work."""
        return self._automaton is not None

    def find(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each entry in `text`, which is ASCII, in order."""
        automaton = self._automaton
        places = self._by_words(text) if automaton is None else self._by_automaton(automaton, text)
        return _longest(places)

    def _by_automaton(self, automaton: Any, text: str) -> list[tuple[int, int]]:
        # An edge stands before the text, and one belongs to either side of a match.
        return [
            (start, 2 - end)
            for _, start, end in automaton.find_matches_as_indexes(_edged(text), overlapping=True)
            if text[start : end - 2] in self._entries
        ]

    def _by_words(self, text: str) -> list[tuple[int, int]]:
        size = len(text)
        return [
            (start, -end)
            for word in _START.finditer(text)
            for entry in self._by_word.get(word[0], ())
            if text.startswith(entry, start := word.start())
            and ((end := start + len(entry)) == size or not text[end].isalnum())
        ]


def places_of(entries: Iterable[str], text: str) -> list[tuple[int, int]]:
    """As `Dictionary(entries).find(text)`, for so few entries that looking for each by itself takes less time."""
    places: list[tuple[int, int]] = []
    size = len(text)
    for entry in entries:
        start = text.find(entry)
        while start >= 0:
            end = start + len(entry)
            if (start == 0 or not text[start - 1].isalnum()) and (end == size or not text[end].isalnum()):
                places.append((start, -end))
            start = text.find(entry, start + 1)
    return _longest(places)


def _longest(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of starts and negative ends, the longest that begins at a place, none within another."""
    found: list[tuple[int, int]] = []
    at = 0
    for start, negative in sorted(places):
        if start >= at:
            at = -negative
            found.append((start, at))
    return found
