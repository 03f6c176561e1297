"""The search of `leak` within a document: which of its own originals are still in a text of it.

Nearly all documents are done with once all words of all their originals were held against the words of what is not
masked, and the same of digits. Where one coincides, it is looked at which originals those are, and where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from phimask import DocumentPair, Finding
from phimask.compiled import originals as compiled
from phimask_plugins.validators.compare import Comparer
from phimask_plugins.validators.matcher import ENCODED, VALUE
from phimask_plugins.validators.parts import Masked, Parts, scalars, stretches
from phimask_plugins.validators.walk import ARRAY, INT32, INT64, OBJECT, STRING, elements
from phimask_plugins.validators.words import (
    LEAST_DIGITS,
    LEAST_NUMBER,
    LONGEST,
    is_naming,
    known_by,
    parts_of_name,
    phrases,
    spelt,
    text_of,
    words,
    words_in,
)

OWN: Final = "an original of the document is still in it, outside of the field that was masked"

LONGEST_ORIGINAL: Final = 200
"""Bytes of a value; a longer original is a text itself."""
KINDS: Final = frozenset({STRING, INT32, INT64})
"""Types of values that read as texts."""
CONTAINERS: Final = frozenset({OBJECT, ARRAY})

INTEGERS: Final = frozenset({INT32, INT64})
_NEITHER: Final = bytes(code for code in range(256) if not 0x30 <= code <= 0x39)
_NOT_DIGITS: Final = _NEITHER[1:]
"""But NUL."""
_MOST_WORDS: Final = 50_000
_NEW: Final = tuple.__new__
"""Makes a named tuple in a third of the time."""
_SHORTEST: Final = 4


class Original(NamedTuple):
    """A value that a rule masked, what it reads as, and what it is known by, if it tells anything."""

    masked: Masked
    text: str
    joined: str | None


def originals(masked: Iterable[Masked]) -> Iterator[Original]:
    """The short values among what was masked: numbers, codes, names."""
    for one in masked:
        if one.kind in KINDS:
            if _SHORTEST <= len(one.old) <= LONGEST_ORIGINAL:
                text = text_of(one.kind, one.old)
                if text is not None:
                    yield _NEW(Original, (one, text, known_by(text)))
        elif one.kind in CONTAINERS:
            yield from originals(_inside(one))


def _inside(one: Masked) -> list[Masked]:
    """The texts in a container that a rule took whole."""
    found: list[Masked] = []
    todo = [(0, len(one.old))]
    while todo:
        for element in elements(one.old, *todo.pop()):
            if element.kind in (OBJECT, ARRAY):
                todo.append((element.value, element.end))
            elif element.kind == STRING and element.end - element.value <= LONGEST_ORIGINAL:
                value = one.old[element.value : element.end]
                found.append(Masked(one.state, STRING, value, None, b"", element.key, one.group))
    return found


class OwnSearch:
    """Looks in one document after the other. A stretch of text that many of them have is taken apart once."""

    def __init__(self, comparer: Comparer) -> None:
        self._comparer = comparer
        self._words_of = _WordsOf().__getitem__

    def findings(self, pair: DocumentPair, parts: Parts) -> Iterator[Finding]:
        """By path."""
        if pair.after is None:
            return
        runs = parts.runs
        in_part = parts.in_part
        if in_part:
            runs = runs.union(*(stretches(one.new) for one in in_part))
        if not self._may_be_in(runs, parts.masked):
            return
        own = Own(originals(parts.masked))
        if not own.may_be_in(runs):
            return
        texts = {one.new: one for one in in_part}
        found: Counter[str | None] = Counter()
        for one in scalars(pair.after, self._comparer.top(pair)):
            text = text_of(one.kind, one.value)
            if text is None or one.treatment == ENCODED:
                continue
            if one.treatment == VALUE:
                masked = texts.get(one.value)
                there = masked is not None and own.left_in(text_of(masked.kind, masked.old) or "", text)
            else:
                kept = one.state.winner >= 0
                there = own.is_in(text, whole_too=not kept)
            if there:
                found[self._comparer.shown(one.path)] += 1
        for path, count in found.items():
            yield Finding(OWN, path, count)

    def _may_be_in(self, runs: set[bytes], masked: list[Masked]) -> bool:
        """False where no word and no number of what was masked is in these stretches of text."""
        taken = None if compiled is None else compiled.coinciding(runs, masked, words_in, self._words_of)
        if taken is None:
            if any(one[1] in CONTAINERS for one in masked):
                masked = [one.masked for one in originals(masked)]
            taken = self._coinciding(runs, masked)
        near, some, numbers = taken
        if near and Own(originals(some)).may_be_in(near):
            return True
        return numbers and _numbers_in(runs, masked)

    def _coinciding(
        self, runs: set[bytes], masked: Sequence[Masked]
    ) -> tuple[list[bytes], list[Masked], bool]:
        """Which of these have a word of a text that was masked; which texts those are; that numbers may be there."""
        own = set(words_in(b"\0".join(map(_text_in, filter(_is_short, masked)))))
        if all(map(own.isdisjoint, map(self._words_of, runs))):
            return [], [], True
        near = [run for run in runs if not own.isdisjoint(self._words_of(run))]
        common = frozenset().union(*map(self._words_of, near)) & own
        some = [one for one in masked if _is_short(one) and not common.isdisjoint(words_in(_text_in(one)))]
        return near, some, True


def _numbers_in(runs: set[bytes], masked: Sequence[Masked]) -> bool:
    """Whether a number of what was masked is in these stretches, as far as digits tell."""
    digits = b"\0".join(runs).translate(None, _NEITHER)
    if len(digits) < LEAST_DIGITS:
        return False
    texts = [_text_in(one) for one in masked if _is_short(one)]
    numbers = b"\0".join(texts).translate(None, _NOT_DIGITS).split(b"\0")
    if len(numbers) > len(texts) > 0:
        return True  # a text has a NUL
    numbers += [(text_of(one[1], one[2]) or "").lstrip("-").encode() for one in masked if one[1] in INTEGERS]
    return any(number[:LEAST_NUMBER] in digits for number in numbers if len(number) >= LEAST_DIGITS)


def _is_short(one: Masked) -> bool:
    return one[1] == STRING and len(one[2]) <= LONGEST_ORIGINAL


def _text_in(one: Masked) -> bytes:
    return one[2][4:-1]


class _WordsOf(dict[bytes, frozenset[bytes]]):
    """The words of stretches of text, in small letters; most are met again and again. One letter is no word."""

    def __missing__(self, run: bytes) -> frozenset[bytes]:
        if len(self) >= _MOST_WORDS:
            self.clear()
        known = self[run] = frozenset(word for word in words_in(run) if len(word) > 1)
        return known


class Own:
    """The originals of one document."""

    def __init__(self, found: Iterable[Original]) -> None:
        self._known: set[str] = set()
        self._names: set[str] = set()
        self._longest: set[str] = set()
        for (_, kind, old, new_kind, new, key, _), text, joined in found:
            if old == new and kind == new_kind:
                continue
            if joined is not None:
                self._known.add(joined)
                self._longest.add(max(words(text), key=len))
            if kind == STRING and is_naming(key):
                self._names.update(parts_of_name(text))

    def may_be_in(self, runs: Iterable[bytes]) -> bool:
        """False where certainly none of them is in these stretches of text."""
        texts = [run.decode("utf-8", "replace") for run in runs]
        written = spelt("\0".join(texts))
        if any(map(self._is_name, written)):
            return True
        if not self._longest.isdisjoint([word.casefold() for word in written]):
            return True
        squeezed = "\0".join(["".join(words(text)) for text in texts])
        return any(joined in squeezed for joined in self._known)

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
