"""A document's own originals, in all the forms that its texts repeat them in, and what stands for each."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from phimask import MaskedField
from phimask_plugins.detectors.dictionary import Dictionary, places_of
from phimask_plugins.detectors.form import form_of, is_readable
from phimask_plugins.detectors.words import is_common
from phimask_plugins.maskers.date_text import rewrite
from phimask_plugins.maskers.faking.drawing import in_style_of
from phimask_plugins.maskers.notes.prose_dates import DateMoves

GONE: Final = "[REDACTED]"
"""For an original whose mask is no text: it was removed, or became null."""

_MANY: Final = 200
"""Entries from which on looking for each by itself takes longer."""
_LONGEST: Final = 1000
"""Characters; a longer original is a text itself, and is not looked for in others."""
_FEWEST_DIGITS: Final = 4
_TELLING_DIGITS: Final = 5
_TELLING_LETTERS: Final = 3
_PHONE_DIGITS: Final = 7
_DIGIT: Final = re.compile(r"\d")
_PUNCTUATED: Final = re.compile(r"[\d ()+./x-]+")
_GROUP: Final = re.compile(r"(?<![A-Za-z])\d+(?![A-Za-z])")
_GAP: Final = re.compile(r"[ ().+-]{0,3}")
_NO_DIGITS: Final = bytes(code for code in range(128) if not chr(code).isdecimal())
_MOST_DIGITS: Final = 20
_EDGES: Final = re.compile(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z'.-]*(?:,? [A-Za-z][A-Za-z'.-]*){0,5}")
_NAME_KEY: Final = re.compile(
    r"name|given|family|surname|first|last|middle|maiden|alias|patient|provider|physician|doctor|contact|author|text|display",
    re.IGNORECASE,
)
_TITLES: Final = frozenset(
    {
        "dr",
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "prof",
        "sir",
        "rev",
        "jr",
        "sr",
        "md",
        "rn",
        "phd",
        "do",
        "np",
        "pa",
    }
)
_INITIAL_BEFORE: Final = re.compile(r"(?<![A-Za-z0-9])([A-Za-z])(?:\. {0,2}| )\Z")
_INITIAL_AFTER: Final = re.compile(r",? ([A-Z])(?![A-Za-z0-9'])")
_NEIGHBOUR: Final = 4
"""Characters between a short name and the other name that makes it one."""


class Hit(NamedTuple):
    """A stretch of a text, in its own characters, and what is to stand there."""

    start: int
    end: int
    text: str


class _Entry(NamedTuple):
    masked: str
    exact: str | None = None
    """The spelling it must have, or have in capitals; None: any case."""
    name: bool = False
    short: bool = False
    """Needs another name beside it."""


class _Found(NamedTuple):
    start: int
    end: int
    text: str
    entry: _Entry


class Originals:
    """Made once for a document, asked for each of its texts."""

    def __init__(self, fields: Sequence[MaskedField]) -> None:
        self._entries: dict[str, _Entry] = {}
        self._numbers: dict[str, str] = {}
        self._initials: dict[str, str] = {}
        self._foreign: dict[str, str] = {}
        dates: list[tuple[datetime.date, datetime.date]] = []
        for field in fields:
            if type(field.original) is type(field.masked) and field.original == field.masked:
                continue
            pair = _dates(field)
            if pair is not None:
                dates.append(pair)
            elif isinstance(field.original, str):
                self._add_text(field)
            elif isinstance(field.original, int) and not isinstance(field.original, bool):
                if len(str(abs(field.original))) >= _TELLING_DIGITS:
                    self._add(str(field.original), _text(field.masked))
            elif type(field.original).__name__ in ("ObjectId", "UUID"):
                self._add(str(field.original), _text(field.masked))
        self.dates = DateMoves(dates)
        self._streams = [number.removeprefix("1").encode() for number in self._numbers]
        self._dictionary = Dictionary(self._entries) if len(self._entries) > _MANY else None

    def find(self, text: str) -> list[Hit]:
        """Where the text repeats them, in order, none overlapping another."""
        if not self._entries and not self._foreign:
            return []
        form = form_of(text)
        lower = form.text.lower().replace("\n", " ").replace("\t", " ")
        found: list[_Found] = []
        for start, end in self._places(lower):
            entry = self._entries[lower[start:end]]
            written = form.text[start:end]
            if entry.exact is None or written in (entry.exact, entry.exact.upper()):
                found.append(_Found(start, end, in_style_of(written, entry.masked), entry))
        found = _without_lone_short(found)
        hits = [Hit(*one[:3]) for one in found]
        hits.extend(self._initials_by(form.text, found))
        hits.extend(self._by_digits(form.text))
        hits = [Hit(*form.span(start, end), masked) for start, end, masked in hits]
        return _apart([*hits, *self._in_other_scripts(text)])

    def _in_other_scripts(self, text: str) -> Iterator[Hit]:
        """Originals that ASCII has no form for, as they are written or in another case."""
        if text.isascii():
            return
        for original, masked in self._foreign.items():
            # Scripts without capitals mostly do without spaces as well.
            spaced = all(unicodedata.category(one) != "Lo" for one in original)
            pattern = rf"(?<!\w){re.escape(original)}(?!\w)" if spaced else re.escape(original)
            for match in re.finditer(pattern, text, re.IGNORECASE):
                yield Hit(match.start(), match.end(), masked)

    def _places(self, lower: str) -> list[tuple[int, int]]:
        return places_of(self._entries, lower) if self._dictionary is None else self._dictionary.find(lower)

    def _add_text(self, field: MaskedField) -> None:
        if len(field.original) > _LONGEST:
            return
        masked = _text(field.masked)
        if not is_readable(field.original):
            if len(field.original.strip()) > 1:
                self._foreign.setdefault(field.original.strip(), masked)
            return
        original = " ".join(form_of(field.original).text.split())
        if not original:
            return
        is_name = _NAME_KEY.search(field.path.rpartition(".")[2]) is not None and (
            _NAME.fullmatch(original) is not None
        )
        self._add(original, masked, name=is_name)
        if is_name:
            for part, part_masked in _name_parts(original, masked):
                self._add(part, part_masked, name=True)
                if part_masked[:1].isalpha():
                    self._initials.setdefault(part[0].upper(), part_masked[0].upper())
        if original.isalpha():
            return
        digits = "".join(_DIGIT.findall(original))
        if len(digits) < _TELLING_DIGITS:
            return
        masked_digits = "".join(_DIGIT.findall(masked))
        if len(digits) >= _PHONE_DIGITS and _PUNCTUATED.fullmatch(original):
            self._numbers.setdefault(digits, masked_digits or masked)
        elif original.endswith(digits) and original != digits:
            self._add(digits, masked_digits if len(masked_digits) == len(digits) else masked)

    def _add(self, original: str, masked: str, *, name: bool = False) -> None:
        bare = original if original[0].isalnum() and original[-1].isalnum() else _EDGES.sub("", original)
        if not bare or (len(bare) < _FEWEST_DIGITS and bare.isdecimal()):
            return
        short = len(bare) < 2 * _TELLING_LETTERS and sum(map(str.isalnum, bare)) < _TELLING_LETTERS
        if short and not name:
            return
        exact = None
        if " " not in bare and (short or is_common(bare)):
            # A word of the language is only meant where it is written as the original is.
            if bare.islower():
                return
            exact = bare
        self._entries.setdefault(
            bare.lower(), _Entry(_like_edges(original, bare, masked), exact, name, short)
        )

    def _initials_by(self, text: str, found: Sequence[_Found]) -> Iterator[Hit]:
        """Initials that stand with a name: `A. Lovelace`, `Lovelace, A.`."""
        if not self._initials:
            return
        for start, end, _, entry in found:
            if not entry.name:
                continue
            before = _INITIAL_BEFORE.search(text, max(0, start - _NEIGHBOUR), start)
            if before is not None and (letter := self._initials.get(before[1].upper())):
                yield Hit(before.start(1), before.end(1), letter)
            after = _INITIAL_AFTER.match(text, end)
            if after is not None and (letter := self._initials.get(after[1])):
                yield Hit(after.start(1), after.end(1), letter)

    def _by_digits(self, text: str) -> Iterator[Hit]:
        """Telephone numbers and the like, however they are punctuated."""
        stream = text.encode("ascii").translate(None, _NO_DIGITS)
        if not any(number in stream for number in self._streams):
            return
        groups = list(_GROUP.finditer(text))
        first = 0
        while first < len(groups):
            digits = ""
            for last in range(first, len(groups)):
                if last > first and not _GAP.fullmatch(text, groups[last - 1].end(), groups[last].start()):
                    break
                digits += groups[last][0]
                if len(digits) > _MOST_DIGITS:
                    break
                masked = self._numbers.get(digits) or self._numbers.get(
                    digits[1:] if digits[0] == "1" else "1" + digits
                )
                if masked is not None:
                    start, end = groups[first].start(), groups[last].end()
                    yield Hit(start, end, _refilled(text[start:end], digits, masked))
                    first = last
                    break
            first += 1


def _text(masked: Any) -> str:
    if isinstance(masked, str):
        return masked
    if isinstance(masked, int | float) and not isinstance(masked, bool):
        return str(masked)
    if isinstance(masked, datetime.datetime):
        return masked.date().isoformat()
    return str(masked) if type(masked).__name__ in ("ObjectId", "UUID", "Decimal128") else GONE


def _dates(field: MaskedField) -> tuple[datetime.date, datetime.date] | None:
    before, after = _date(field.original), _date(field.masked)
    return None if before is None or after is None else (before, after)


def _date(value: Any) -> datetime.date | None:
    if isinstance(value, datetime.datetime):
        return value.date()
    if not isinstance(value, str) or not value[:1].isdecimal():
        return None
    seen: list[datetime.date] = []

    def note(day: datetime.date) -> datetime.date:
        seen.append(day)
        return day

    rewrite(value, note)
    return seen[0] if seen else None


def _name_parts(original: str, masked: str) -> Iterator[tuple[str, str]]:
    """The words of a name, each with what it has become: given names by position, the last name by its place."""
    before, after = _ordered(original), _ordered(masked)
    if not before:
        return
    if not after:
        after = [masked]
    for number, word in enumerate(before):
        last = number == len(before) - 1
        yield word, after[-1] if last or number >= len(after) - 1 else after[number]


def _ordered(name: str) -> list[str]:
    """Given names first, without titles and suffixes."""
    family, comma, given = name.partition(",")
    words = f"{given} {family}".split() if comma else name.split()
    return [word for word in words if word.strip(".,").lower() not in _TITLES]


def _like_edges(original: str, bare: str, masked: str) -> str:
    """The mask without the punctuation that its original lost at the ends."""
    return masked if original == bare else _EDGES.sub("", masked) or masked


def _refilled(written: str, digits: str, masked: str) -> str:
    """The mask's digits in the punctuation of what is written, where there are as many."""
    if len(digits) == len(masked) + 1 and digits[0] == "1":
        masked = "1" + masked
    if len(digits) != len(masked) or not masked.isdecimal():
        return masked
    following = iter(masked)
    return _DIGIT.sub(lambda _: next(following), written)


def _without_lone_short(found: list[_Found]) -> list[_Found]:
    """Without the short ones that no name stands beside; they are in order."""

    def is_beside(number: int, other: int) -> bool:
        if not 0 <= other < len(found) or not found[other].entry.name:
            return False
        left, right = (found[other], found[number]) if other < number else (found[number], found[other])
        return right.start - left.end < _NEIGHBOUR

    return [
        one
        for number, one in enumerate(found)
        if not one.entry.short or is_beside(number, number - 1) or is_beside(number, number + 1)
    ]


def _apart(found: Sequence[Hit]) -> list[Hit]:
    """Of two that overlap, the one that begins first, the longer of those that begin together."""
    hits: list[Hit] = []
    for hit in sorted(found, key=lambda one: (one.start, -one.end)):
        if not hits or hit.start >= hits[-1].end:
            hits.append(hit)
        elif hit.end > hits[-1].end:
            # What is left over of it must not stay.
            hits.append(Hit(hits[-1].end, hit.end, ""))
    return hits
