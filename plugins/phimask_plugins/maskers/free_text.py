"""free_text: masks what identifies people inside of texts, and leaves the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Final, TypeGuard

from phimask import FAILED, Column, Detection, Detector, MaskedField, Masker
from phimask_plugins.detectors.together import detect_each
from phimask_plugins.maskers.inner import CHOICE
from phimask_plugins.maskers.notes import markup
from phimask_plugins.maskers.notes.originals import Hit, Originals
from phimask_plugins.maskers.notes.stand_ins import Fakes, Make, tag
from phimask_plugins.maskers.scalars import is_text

_PIECE: Final = 65_536
_OVERLAP: Final = 1024
"""Characters. Longer texts are looked at piece by piece; what begins in a piece is found whole in the overlap."""
_TITLES: Final = frozenset(
    {"dr", "mr", "mrs", "ms", "miss", "mx", "prof", "doctor", "professor", "and", "md", "rn"}
)
_DATE: Final = "DATE"
_NAME: Final = "NAME"
_WHOLE: Final = frozenset({"EMAIL", "URL"})
"""A name within an address is no name by itself."""


class FreeText(Masker):
    """Masks, inside of a text, every original that other rules have masked in the same document, and then whatever the
    detectors find.

    An original is found in any case, behind invisible characters and look-alikes, its words in any order (`Last,
    First`), with initials (`A. Lovelace`), numbers in any punctuation, dates in other forms; in its place comes what
    its field became. A single word of the language counts only where it is written with the original's capitals, one
    or two letters only beside another name, numbers from four digits on. Other dates move as far as the document's
    date fields did, if those moved alike, and become `[DATE]` otherwise. What only detectors find becomes a fake,
    names the same as in a field of the masker `fake`, or a tag such as `[PHONE]`. The document's other texts do not
    count as originals.

    What no detector knows stays: names out of any list without a title or a word before them, nicknames, rare
    places. Where that is not acceptable, redact the text.

    Source: 45 CFR 164.514(b)(2)(i)(A) to (R); hiding in plain sight, Carrell et al., JAMIA 20(2):342-348, 2013.
    """

    name = "free_text"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "style": {
                "enum": ["fake", "tag"],
                "default": "fake",
                "description": "What comes in place of what only detectors find: made-up values where there are "
                "such, or tags such as [NAME].",
            },
            "min_confidence": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.5,
                "description": "How sure a detector must be. Below 0.5 lone numbers of nine or ten digits are masked "
                "as well.",
            },
            "detectors": {
                "type": "array",
                "items": CHOICE,
                "description": "Detectors that look besides the usual ones, each a name or `{name, options}`: such as "
                "presidio, which comes with an extra.",
            },
            "html": {
                "type": "boolean",
                "default": False,
                "description": "The texts are HTML, as narratives in FHIR are: tags stay, text and attributes are "
                "masked.",
            },
        },
    }
    types = frozenset({"string"})
    changes = "maybe"
    needs_siblings = True
    needs_detectors = True
    needs_make = True
    long_columns = True

    def __init__(
        self,
        options: Mapping[str, Any],
        key: bytes | None = None,
        *,
        detectors: Sequence[Detector] = (),
        make: Make | None = None,
    ) -> None:
        """`style`, `min_confidence` and `html`, as the schema says. Raises ValueError for fakes that nobody makes."""
        super().__init__(options, key)
        self._detectors = tuple(detectors)
        self._least: float = options.get("min_confidence", 0.5)
        self._html: bool = options.get("html", False)
        self._fakes: Fakes | None = None
        if options.get("style", "fake") == "tag":
            self._stand_in: Callable[[str, str], str] = tag
        elif make is None:
            raise ValueError("fakes need the masker `fake`; take `style: tag` where there is none")
        else:
            self._stand_in = self._fakes = Fakes(make)

    def cached_bytes(self) -> int:
        """That of the fakes."""
        return 0 if self._fakes is None else self._fakes.cached_bytes()

    def drop_cache(self) -> None:
        """That of the fakes."""
        if self._fakes is not None:
            self._fakes.drop_cache()

    def mask(self, column: Column) -> list[Any]:
        """Texts without what identifies."""
        results: list[Any] = []
        siblings: Sequence[MaskedField] | None = None
        originals = Originals(())
        # Detectors take all texts together, some at a time, which is faster than one after the other.
        plain = () if self._html else filter(_is_masked, column.values)
        detected = detect_each(self._detectors, chain.from_iterable(map(_pieces, plain)))
        for number, value in enumerate(column.values):
            own = column.siblings[number] if column.siblings else ()
            if own is not siblings:
                siblings, originals = own, Originals(own)
            results.append(self._masked(value, originals, detected) if _is_masked(value) else FAILED)
        return results

    def _masked(self, value: str, originals: Originals, detected: Iterator[Sequence[Detection]]) -> str:
        if self._html:

            def find(text: str) -> Iterator[Hit]:
                return self._in_pieces(text, originals, detect_each(self._detectors, _pieces(text)))

            return markup.masked(value, find)
        parts: list[str] = []
        at = 0
        for start, end, text in self._in_pieces(value, originals, detected):
            parts += (value[at:start], text)
            at = end
        return "".join([*parts, value[at:]]) if parts else value

    def _in_pieces(
        self, text: str, originals: Originals, detected: Iterator[Sequence[Detection]]
    ) -> Iterator[Hit]:
        """As `_hits`, but memory is taken for one piece of a long text after the other."""
        if len(text) <= _PIECE:
            yield from self._hits(text, originals, next(detected))
            return
        at = 0
        for number, piece in enumerate(_pieces(text)):
            begin = number * _PIECE
            first = max(0, begin - _OVERLAP)
            for start, end, new in self._hits(piece, originals, next(detected)):
                if begin <= first + start < begin + _PIECE and first + start >= at:
                    at = first + end
                    yield Hit(first + start, at, new)

    def _hits(self, text: str, originals: Originals, detections: Sequence[Detection]) -> Iterator[Hit]:
        """What is to be replaced, in order, none overlapping another."""
        hits = originals.find(text)
        if originals.dates:
            hits = _merged(hits, self._moved(text, originals, detections))
        believed = list(_united([one for one in detections if one.confidence >= self._least]))
        hits = _outside(hits, [(start, end) for start, end, label in believed if label in _WHOLE])
        yield from _merged(hits, self._others(text, hits, believed))

    def _moved(self, text: str, originals: Originals, detections: Sequence[Detection]) -> Iterator[Hit]:
        """Dates that are masked elsewhere in the document, sure or not, and others that move with them."""
        for one in detections:
            if one.label == _DATE:
                written = text[one.start : one.end]
                if one.confidence >= self._least or originals.dates.knows(written):
                    moved = originals.dates.moved(written)
                    if moved is not None:
                        yield Hit(one.start, one.end, moved)

    def _others(
        self, text: str, hits: Sequence[Hit], believed: Sequence[tuple[int, int, str]]
    ) -> Iterator[Hit]:
        """What detectors are sure of, but for what is replaced already."""
        at = 0
        for start, end, label in believed:
            while at < len(hits) and hits[at].end <= start:
                at += 1
            begin, following = start, at
            while following < len(hits) and hits[following].start < end:
                yield from self._rest(text, begin, hits[following].start, label)
                begin = hits[following].end
                following += 1
            if following == at:
                yield Hit(start, end, self._stand_in(label, text[start:end]))
            else:
                yield from self._rest(text, begin, end, label)

    def _rest(self, text: str, start: int, end: int, label: str) -> Iterator[Hit]:
        """What is left of a detection beside a hit in it."""
        while start < end and not text[start].isalnum():
            start += 1
        while start < end and not text[end - 1].isalnum():
            end -= 1
        rest = text[start:end]
        if rest and rest.lower() not in _TITLES:
            yield Hit(start, end, self._stand_in(label, rest) if label == _NAME else tag(label, rest))


def _is_masked(value: Any) -> TypeGuard[str]:
    return type(value) is str and is_text(value)


def _pieces(text: str) -> Iterator[str]:
    """A text as detectors are given it: whole, or in pieces that overlap."""
    for begin in range(0, max(len(text), 1), _PIECE):
        yield (text if len(text) <= _PIECE else text[max(0, begin - _OVERLAP) : begin + _PIECE + _OVERLAP])


def _outside(hits: Sequence[Hit], wholes: Sequence[tuple[int, int]]) -> list[Hit]:
    """Those hits that are no mere part of what only stands as a whole; both are in order."""
    kept: list[Hit] = []
    at = 0
    for hit in hits:
        while at < len(wholes) and wholes[at][1] <= hit.start:
            at += 1
        inside = at < len(wholes) and wholes[at][0] <= hit.start and hit.end <= wholes[at][1]
        if not inside or (hit.start, hit.end) == wholes[at]:
            kept.append(hit)
    return kept


def _united(detections: Sequence[Detection]) -> Iterator[tuple[int, int, str]]:
    """Those that overlap as one, with the label of the longest, the surest of the equally long."""
    current: tuple[int, int, str] | None = None
    rank = (0, 0.0)
    for one in sorted(detections, key=lambda one: (one.start, -one.end)):
        own = (one.end - one.start, one.confidence)
        if current is None or one.start >= current[1]:
            if current is not None:
                yield current
            current, rank = (one.start, one.end, one.label), own
        else:
            label = one.label if own > rank else current[2]
            current, rank = (current[0], max(current[1], one.end), label), max(rank, own)
    if current is not None:
        yield current


def _merged(first: Sequence[Hit], second: Iterable[Hit]) -> list[Hit]:
    """Both in order; of two that overlap the one of `first` stays."""
    ranked = [*((one, 0) for one in first), *((one, 1) for one in second)]
    result: list[tuple[Hit, int]] = []
    for hit, rank in sorted(ranked, key=lambda one: one[0].start):
        if not result or hit.start >= result[-1][0].end:
            result.append((hit, rank))
        elif rank < result[-1][1]:
            result[-1] = (hit, rank)
    return [hit for hit, _ in result]
