"""What `leak` learns of originals while they are masked: keyed fingerprints, and how common the originals are.

A record has 12 bytes: 10 of the fingerprint, and in how many documents the original was. One that many hold is told
again from time to time, so the numbers of all its records add up to a little less than there were.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from bson.int64 import Int64

from phimask import OriginalValues
from phimask_plugins.validators.words import LEAST, Names, known_by, pairs

KEPT_BYTES: Final = 10
"""Of a fingerprint."""
_RECORD: Final = KEPT_BYTES + 2
_MOST_AT_ONCE: Final = 0xFFFF
_OFTEN: Final = 16
_PART_BYTES: Final = (8 << 20) // _RECORD * _RECORD
_MOST_SEEN: Final = 100_000
_LONGEST: Final = 195
"""Characters; a longer original is a text itself."""
_NOTHING: Final = -1
"""What tells nothing by itself."""
_ALL_TEXTS: Final = {str}

_Names: TypeAlias = "Names[tuple[int, Hashable]]"
"""By document and sub-document."""


class Learnt:
    """What one process learnt and has not given away yet. `left_out`: paths of rules that are not looked at."""

    def __init__(self, fingerprint: Callable[[bytes], bytes], left_out: Container[str]) -> None:
        self._fingerprint = fingerprint
        self._left_out = left_out
        # How often each was seen since it was told, in this process: what is told already need not be each time.
        self._seen: dict[str | tuple[str, ...], int] = {}
        self._pending: deque[bytes] = deque()

    def note(self, originals: Sequence[OriginalValues]) -> None:
        """Values of some documents."""
        texts: set[str] = set()
        several: dict[str, int] = {}
        names: _Names = Names()
        for column in originals:
            if column.path in self._left_out:
                continue
            values: Sequence[Any] = column.values
            if set(map(type, values)) != _ALL_TEXTS:
                values = _as_texts(column, texts, names)
            distinct = set(values)
            texts |= distinct
            if len(distinct) < len(values):
                found = Counter(text for _, text in set(zip(column.documents(), values, strict=True)))
                for text, number in found.items():
                    several[text] = max(number, several.get(text, 1))
            if any(map(str.isalpha, distinct)):
                _take_names(column, values, names)
        together = {(document, some) for (document, _), some in names.together()}
        people = Counter(some for _, some in together)
        learnt = [*self._of_texts(texts, several), *self._of_names(people)]
        if learnt:
            self._pending.append(b"".join(learnt))
        if len(self._seen) > _MOST_SEEN:
            self._seen.clear()

    def _of_texts(self, texts: Iterable[str], several: dict[str, int]) -> Iterator[bytes]:
        seen = self._seen
        for text in texts:
            before = seen.get(text)
            if before == _NOTHING:
                continue
            number = several.get(text, 1)
            if before is None:
                joined = known_by(text) if LEAST <= len(text) <= _LONGEST else None
                if joined is None:
                    seen[text] = _NOTHING
                    continue
            else:
                number += before
                if number < _OFTEN:
                    seen[text] = number
                    continue
                joined = known_by(text)
            seen[text] = 0
            yield self._record(joined or "", number)

    def _of_names(self, people: Counter[tuple[str, ...]]) -> Iterator[bytes]:
        seen = self._seen
        for some, number in people.items():
            before = seen.get(some)
            if before is not None and before + number < _OFTEN:
                seen[some] = before + number
                continue
            seen[some] = 0
            for joined in pairs(some):
                yield self._record(joined, number + (before or 0))

    def _record(self, joined: str, number: int) -> bytes:
        kept = self._fingerprint(joined.encode("utf-8", "surrogatepass"))[:KEPT_BYTES]
        return kept + min(number, _MOST_AT_ONCE).to_bytes(2, "little")

    def taken(self) -> Iterator[bytes]:
        """All of it, in parts."""
        found: list[bytes] = []
        while self._pending:  # another thread may add to it meanwhile
            found.append(self._pending.popleft())
        learnt = b"".join(found)
        for start in range(0, len(learnt), _PART_BYTES):
            yield learnt[start : start + _PART_BYTES]


def records(learnt: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Fingerprints and numbers."""
    for part in learnt:
        for at in range(0, len(part), _RECORD):
            split = at + KEPT_BYTES
            yield part[at:split], int.from_bytes(part[split : at + _RECORD], "little")


def spread(fingerprint: bytes) -> bytes:
    """What is kept of a fingerprint, as long as a whole one: for filters."""
    kept = fingerprint[:KEPT_BYTES]
    return kept + kept + kept[:4]


def _as_texts(column: OriginalValues, texts: set[str], names: _Names) -> list[str]:
    """What the values read as; "" for what is no text. What is in a container that is masked whole goes to the others
    at once."""
    read: list[str] = []
    for value, document in zip(column.values, column.documents(), strict=True):
        kind = type(value)
        if kind is str:
            read.append(value)
            continue
        read.append(str(int(value)) if kind in (int, Int64) else "")
        if kind in (dict, list):
            _take_inside(value, document, texts, names)
    return read


def _take_inside(value: Any, document: int, texts: set[str], names: _Names) -> None:
    items = value.items() if type(value) is dict else (("", one) for one in value)
    for key, one in items:
        if type(one) is str:
            texts.add(one)
            names.take((document, id(value)), key.encode("utf-8", "surrogatepass"), one)
        elif type(one) in (dict, list):
            _take_inside(one, document, texts, names)


def _take_names(column: OriginalValues, texts: Sequence[str], names: _Names) -> None:
    rule = column.path.rpartition(".")[2]
    for text, document, (around, field) in zip(texts, column.documents(), column.fields(), strict=True):
        if text.isalpha():
            names.take((document, around), (field or rule).encode("utf-8", "surrogatepass"), text)
