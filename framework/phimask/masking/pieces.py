"""A document too large to be decoded as a whole, cut into pieces: each is masked alone, and all are put together again.

A piece is a run of neighbours in one document or array. What no rule can reach is never decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from phimask.masking.automaton import NO_RULE, State, nameable
from phimask.masking.columns import BoundRule
from phimask.rawbson import ARRAY, DOCUMENT, Element, elements, wrap

_WORTH_PASSING: Final = 4096
"""Bytes from which on a field that no rule reaches is kept out of its neighbours' piece."""


class Around:
    """Where a piece lies: the state of the document or array around it, its dotted path with indices up to there, and
    the place of the piece's first element."""

    __slots__ = ("first", "in_array", "path", "state")

    def __init__(self, state: State, path: str | None, *, in_array: bool, first: int = 0) -> None:
        self.state = state
        self.path = path
        self.in_array = in_array
        self.first = first


Mask: TypeAlias = Callable[[bytes, Around], bytes]
"""Makes of a raw document, which holds a piece's elements, one that holds them masked."""


class TooLarge(Exception):
    """The masked document is larger than it may be."""


def mask_in_pieces(
    raw: bytes, rules: Sequence[BoundRule], root: State, mask: Mask, *, size: int, most: int
) -> bytes:
    """The document, masked in pieces of about `size` bytes.

    Raises TooLarge once the masked one has more than `most` bytes, MalformedBsonError, and what `mask` raises.
    """
    return _Cutter(raw, rules, size, most, mask).document(0, Around(root, "", in_array=False))


class _Cutter:
    def __init__(self, raw: bytes, rules: Sequence[BoundRule], size: int, most: int, mask: Mask) -> None:
        self._raw = raw
        self._left = most
        self._rules = rules
        self._size = size
        self._mask = mask

    def document(self, start: int, around: Around) -> bytes:
        """What begins at `start`, document or array, masked."""
        raw, size = self._raw, self._size
        parts: list[bytes] = []
        begun: int | None = None
        first = place = end = 0
        for place, child in enumerate(elements(raw, start)):
            state = around.state if around.in_array else _below(around.state, child)
            length = child.end - child.value
            alone = (state is None and length >= _WORTH_PASSING) or (
                state is not None and length > size and self._opens(child, state)
            )
            if begun is not None and (alone or child.end - begun > size):
                parts.append(self._piece(begun, child.start, around, first))
                begun = None
            if not alone:
                if begun is None:
                    begun, first = child.start, place
                end = child.end
            elif state is None:
                parts.append(raw[child.start : child.end])
            else:
                parts.append(raw[child.start : child.value])
                parts.append(self.document(child.value, self._inside(child, place, state, around)))
        if begun is not None:
            parts.append(self._piece(begun, end, around, first))
        return wrap(b"".join(parts))

    def _piece(self, start: int, end: int, around: Around, first: int) -> bytes:
        inside = Around(around.state, around.path, in_array=around.in_array, first=first)
        masked = self._mask(wrap(self._raw[start:end]), inside)
        self._left -= len(masked)
        if self._left < 0:
            raise TooLarge
        return masked[4:-1]

    def _opens(self, child: Element, state: State) -> bool:
        """Whether it has an inside that may be cut: no masker takes it as one."""
        if child.kind not in (DOCUMENT, ARRAY):
            return False
        maskers = [self._rules[one].masker for one in {state.winner, state.decoder} if one != NO_RULE]
        if child.kind == ARRAY:
            # An element that is taken out leaves a null, a field leaves nothing; a piece does not tell them apart.
            return not any(masker.removes for masker in maskers)
        return not (state.final and any(masker.removes or masker.containers for masker in maskers))

    @staticmethod
    def _inside(child: Element, place: int, state: State, around: Around) -> Around:
        path = None
        if around.path is not None:
            key = str(place) if around.in_array else child.key.decode("utf-8", "surrogateescape")
            if around.in_array or nameable(key):
                path = f"{around.path}{key}."
        return Around(state, path, in_array=child.kind == ARRAY)


def _below(state: State, child: Element) -> State | None:
    found = state.named.get(child.key.decode("utf-8", "surrogateescape"))
    return state.other if found is None else found[0]
