"""A document's own originals, and whether one of them is still in a text of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from phimask_plugins.validators.parts import Masked
from phimask_plugins.validators.walk import ARRAY, INT32, INT64, OBJECT, STRING, elements
from phimask_plugins.validators.words import (
    LONGEST,
    Look,
    is_naming,
    look_at,
    parts_of_name,
    phrases,
    spelt,
    words,
)

_LONGEST: Final = 200
"""Characters; a longer original is a text itself."""
_NOT_DIGITS: Final = bytes(code for code in range(256) if not 0x30 <= code <= 0x39)
_KINDS: Final = frozenset({STRING, INT32, INT64})
_CONTAINERS: Final = frozenset({OBJECT, ARRAY})
_NEW: Final = tuple.__new__
"""Makes a named tuple in a third of the time."""
_SHORTEST: Final = 4


def is_text_in_part(one: Masked) -> bool:
    """Whether the value is a text of which its masker changes parts, so that the rest is as it was."""
    rule = one.state.rule
    return (
        one.kind == STRING
        and one.new_kind == STRING
        and rule is not None
        and rule.changes == "maybe"
        and one.new.count(b" ") > 1
    )


class Original(NamedTuple):
    """A value that a rule masked, and what it reads as."""

    masked: Masked
    look: Look


def originals(masked: Sequence[Masked]) -> list[Original]:
    """The short values among what was masked: numbers, codes, names."""
    found: list[Original] = []
    for one in masked:
        _, kind, old, _, _, _, _ = one
        if kind in _KINDS:
            if _SHORTEST <= len(old) <= _LONGEST:
                looked = look_at(kind, old)
                if looked is not None:
                    found.append(_NEW(Original, (one, looked)))
        elif kind in _CONTAINERS:
            found += [
                Original(each, looked)
                for each in _inside(one)
                if (looked := look_at(each.kind, each.old)) is not None
            ]
    return found


def _inside(one: Masked) -> list[Masked]:
    """The texts in a container that a rule took whole."""
    found: list[Masked] = []
    todo = [(0, len(one.old))]
    while todo:
        for element in elements(one.old, *todo.pop()):
            if element.kind in (OBJECT, ARRAY):
                todo.append((element.value, element.end))
            elif element.kind == STRING and element.end - element.value <= _LONGEST:
                value = one.old[element.value : element.end]
                found.append(Masked(one.state, STRING, value, None, b"", element.key, one.group))
    return found


class Own:
    """The originals of one document."""

    def __init__(self, found: Sequence[Original]) -> None:
        self._known: set[str] = set()
        self._names: set[str] = set()
        self._words: set[bytes] = set()
        self._numbers: set[bytes] = set()
        for (_, kind, old, new_kind, new, key, _), (text, joined, digits, longest) in found:
            if old == new and kind == new_kind:
                continue
            if joined is not None:
                self._known.add(joined)
                if digits is not None:
                    self._numbers.add(digits)
                elif longest is not None:
                    self._words.add(longest)
            if kind == STRING and is_naming(key):
                self._names.update(parts_of_name(text))
        self._words.update(name.lower().encode() for name in self._names)

    def may_be_in(self, runs: set[bytes], words_of: Callable[[bytes], frozenset[bytes]]) -> bool:
        """False where certainly none of them is in these stretches of text. Quick: nearly all documents end here."""
        if not all(map(self._words.isdisjoint, map(words_of, runs))):
            return True
        if not self._numbers:
            return False
        digits = b"\0".join(runs).translate(None, _NOT_DIGITS)
        return any(number in digits for number in self._numbers)

    def is_in(self, text: str, *, whole_too: bool) -> bool:
        """Whether one of them is in a text; without `whole_too`, more than being all of it."""
        written = spelt(text)
        folded = [word.casefold() for word in written]
        for start, stop, joined in phrases(folded):
            whole = start == 0 and stop >= min(len(folded), LONGEST) - 1 and len(folded) <= LONGEST
            if joined in self._known and (whole_too or not whole):
                return True
        if len(written) == 1 and not whole_too:
            return False
        return any(self._is_name(word) for word in written)

    def left_in(self, before: str, after: str) -> bool:
        """Whether one of them is in a text that was masked in part, where it was before. A made-up name may be the
        same as an original: it counts where the word before or behind it was there, too."""
        old, new = words(before), words(after)
        neighbours = set(zip(old, [*old[1:], ""], strict=True)) | {("", old[0] if old else "")}
        written = spelt(after)
        for start, stop, joined in phrases(new):
            if joined in self._known and self._stayed(new, start, stop, neighbours):
                return True
        return any(
            self._is_name(word) and self._stayed(new, number, number, neighbours)
            for number, word in enumerate(written)
        )

    def _is_name(self, word: str) -> bool:
        return word in self._names or (word.isupper() and word.capitalize() in self._names)

    @staticmethod
    def _stayed(new: Sequence[str], start: int, stop: int, neighbours: set[tuple[str, str]]) -> bool:
        ahead = new[start - 1] if start else ""
        behind = new[stop + 1] if stop + 1 < len(new) else ""
        return (ahead, new[start]) in neighbours or (new[stop], behind) in neighbours
