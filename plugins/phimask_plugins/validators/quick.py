"""The cheap check that most documents pass: is everything as it must be? It answers yes only if it is sure.

Only the document before masking is read: what no rule masks is compared with the other document as stretches
of bytes, and that one is looked at where a masked value stands. Any doubt is a no, and the exact walk of
`compare` then finds out. Where there is `phimask.compiled`, its walk takes the place of the one here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from phimask.compiled import beside
from phimask_plugins.validators.matcher import DOCUMENT, ELEMENTS, IDENTICAL, VALUE, State
from phimask_plugins.validators.parts import Masked, Parts
from phimask_plugins.validators.verdict import judges_originals, still_original
from phimask_plugins.validators.walk import (
    ALIASES,
    ARRAY,
    FIXED_SIZES,
    PREFIXED_SIZES,
    STRING,
    TEXT_KINDS,
    MalformedError,
    blank,
    size_at,
)

_NEW: Final = tuple.__new__
"""Makes a named tuple in a third of the time."""
_READ_UINT32: Final = struct.Struct("<I").unpack_from
_MOST_PLANS: Final = 2048
"""A place remembers this many of the keys it met: keys may be data, and then there is no end to them."""
_LONGEST_BARE: Final = 256
_FIXED: Final = re.compile(
    rb"....(?:\x10[0-9]+\0....|[\x01\x09\x11\x12][0-9]+\0.{8}|\x08[0-9]+\0.|\x0a[0-9]+\0|\x07[0-9]+\0.{12})*\0",
    re.DOTALL,
)
"""An array of numbers, dates and the like, at one go. There is one way to read each: sizes follow from types."""
_VARIES: Final = -1
_DESCENDS: Final = (DOCUMENT, ELEMENTS)
_REMOVED: Final = 4
"""A treatment beside the matcher's: the element has to be gone."""

_Plan: TypeAlias = "tuple[int, int, int, int, _Place, bytes, bool]"
"""What to do with elements of one key and type: the treatment; the value's size or _VARIES; what it takes
beyond the int32 at its start or, where it has none, _VARIES; the type; the value's place; the key with its
NUL; whether a masked value may be of the same type, and that is an easy one."""


class _Place:
    """A state of the matcher, with what was planned there for the keys and types met so far.

    `bare` are containers, as bytes, that stood there and held nothing to look at: they repeat.
    """

    __slots__ = (
        "bare",
        "compiled",
        "elements",
        "in_array",
        "in_document",
        "judged",
        "plans",
        "quiet",
        "state",
        "treatments",
    )

    def __init__(self, state: State) -> None:
        self.state = state
        self.compiled: Any = None if beside is None else beside.Place(self, state)
        self.judged = state.rule is not None and judges_originals(state.rule)
        self.treatments = {kind: state.treatment(kind) for kind in ALIASES}
        self.quiet = all(self.treatments[kind] == IDENTICAL for kind in FIXED_SIZES)
        self.plans: dict[bytes, _Plan] = {}
        self.elements: dict[bytes, _Plan] = {}
        self.bare: set[bytes] = set()
        self.in_document: dict[int, frozenset[int]] = {}
        self.in_array: dict[int, frozenset[int]] = {}
        if state.rule is not None:
            for kind in ALIASES:
                self.in_document[kind] = state.allowed(kind, in_array=False)
                self.in_array[kind] = state.allowed(kind, in_array=True)

    def planned(self, kind: int, below: _Place, key: bytes, *, in_array: bool) -> _Plan:
        """The plan for elements of a type, whose values stand at `below`. Raises MalformedError."""
        if kind not in ALIASES:
            raise MalformedError
        treatment = below.treatments[kind]
        rule = below.state.rule
        if treatment == VALUE and not in_array and rule is not None and rule.removes:
            treatment = _REMOVED
        allowed = (below.in_array if in_array else below.in_document).get(kind, frozenset())
        easy = treatment == VALUE and kind in allowed and (kind == STRING or kind in FIXED_SIZES)
        size, extra = FIXED_SIZES.get(kind, _VARIES), PREFIXED_SIZES.get(kind, _VARIES)
        return treatment, size, extra, kind, below, key, easy

    def may_be(self, kind: int, old: bytes, new_kind: int, new: bytes, in_array: bool) -> bool:
        """Whether a masked value certainly may have become what it is now."""
        allowed = (self.in_array if in_array else self.in_document)[kind]
        if new_kind not in allowed and (new_kind, new) != blank(kind, old):
            return False
        return not (self.judged and new == old and still_original(self.state, kind, old, new_kind, new))


class QuickCheck:
    """The check by one collection's rules, from the state at a document's top on."""

    def __init__(self, top: State) -> None:
        self._places: dict[State, _Place] = {}
        self._top = self._place(top)
        self._compiled = None if beside is None else beside.SideBySide(self.planned, _Place.may_be, Masked)

    def is_clean(self, before: bytes, after: bytes, parts: Parts) -> bool:
        """Whether there is certainly nothing to find between these two documents; `parts` is filled on the way, and
        means nothing where the answer is no."""
        try:
            if self._compiled is not None:
                clean: bool = self._compiled.is_clean(
                    self._top.compiled, before, after, parts.masked, parts.untouched
                )
                return clean
            if _READ_UINT32(before, 0)[0] != len(before) or _READ_UINT32(after, 0)[0] != len(after):
                return False
            walk = _SideBySide(self.plan, before, after, parts)
            return walk.container(0, len(before), 0, len(after), self._top, None)
        except (IndexError, KeyError, ValueError, struct.error, RecursionError):
            return False

    def _place(self, state: State) -> _Place:
        place = self._places.get(state)
        if place is None:
            place = self._places[state] = _Place(state)
        return place

    def planned(self, place: _Place, head: bytes, in_array: bool) -> _Plan:
        """The plan for elements that begin with `head`: type, key and NUL. In an array the type alone tells, since its
        elements stand where it stands. Raises MalformedError."""
        kind, key = head[0], head[1:]
        below = place if in_array else self._place(place.state.child(key[:-1]))
        return place.planned(kind, below, key, in_array=in_array)

    def plan(self, place: _Place, head: bytes, in_array: bool) -> _Plan:
        """The same, and remember it."""
        plan = self.planned(place, head, in_array)
        plans = place.elements if in_array else place.plans
        if len(plans) < _MOST_PLANS:
            plans[head[:1] if in_array else head] = plan
        return plan


class _SideBySide:
    """The walk over one pair. Starts and stops are those of a container within either document."""

    __slots__ = ("_after", "_before", "_masked", "_plan", "_untouched")

    def __init__(
        self, plan: Callable[[_Place, bytes, bool], _Plan], before: bytes, after: bytes, parts: Parts
    ) -> None:
        self._plan = plan
        self._before = before
        self._after = after
        self._masked = parts.masked
        self._untouched = parts.untouched.append

    def container(
        self, b_start: int, b_stop: int, a_start: int, a_stop: int, place: _Place, name: bytes | None
    ) -> bool:
        """Whether two documents or arrays are as they must be; `name` is the field that an array is, None: they are
        documents."""
        before, after, masked = self._before, self._after, self._masked
        b_last, a_last = b_stop - 1, a_stop - 1
        b_at = same = b_start + 4
        a_at = a_start + 4
        in_array = name is not None
        find = place.elements.get if in_array else place.plans.get
        index, begins = before.index, after.startswith
        while b_at < b_last:
            b_value = index(0, b_at + 1) + 1
            head = before[b_at:b_value]
            treatment, size, extra, kind, below, key, easy = find(
                head[:1] if in_array else head
            ) or self._plan(place, head, in_array)
            if size >= 0:
                b_end = b_value + size
            elif extra >= 0:
                b_end = b_value + _READ_UINT32(before, b_value)[0] + extra
            else:
                b_end = b_value + size_at(before, kind, b_value)
            if treatment == IDENTICAL:
                b_at = b_end
                continue
            descends = treatment in _DESCENDS
            if descends and (
                (b_end - b_value <= _LONGEST_BARE and before[b_value:b_end] in below.bare)
                or (kind == ARRAY and below.quiet and _FIXED.fullmatch(before, b_value, b_end))
            ):
                b_at = b_end
                continue
            if same < b_at:
                a_next = a_at + b_at - same
                stretch = before[same:b_at]
                if stretch != after[a_at:a_next]:
                    return False
                self._untouched(stretch)
                a_at = a_next
            a_value = a_at + b_value - b_at
            alike = begins(head, a_at)  # of the same type and key
            if easy and alike:
                a_end = a_value + size if size >= 0 else a_value + 4 + _READ_UINT32(after, a_value)[0]
                old, new = before[b_value:b_end], after[a_value:a_end]
                if new != old and (size >= 0 or (a_end > a_value + 4 and after[a_end - 1] == 0)):
                    masked.append(_NEW(Masked, (below.state, kind, old, kind, new, name or key, b_start)))
                    b_at = same = b_end
                    a_at = a_end
                    continue
            if in_array:
                key = head[1:]
            there = alike or (a_at < a_last and begins(key, a_at + 1))
            b_at = same = b_end
            if treatment == _REMOVED:
                if there:
                    return False
                masked.append(Masked(below.state, kind, before[b_value:b_end], None, b"", key, b_start))
                continue
            if not there:
                return False
            if treatment == VALUE:
                old = before[b_value:b_end]
                a_at = self._value(old, kind, a_at, a_value, below, name or key, b_start, in_array=in_array)
                if a_at < 0:
                    return False
                continue
            if not alike or not descends:
                return False
            a_at = a_value + _READ_UINT32(after, a_value)[0]
            number = len(masked)
            field = None if treatment == DOCUMENT else name or key
            if not self.container(b_value, b_end, a_value, a_at, below, field):
                return False
            if len(masked) == number and b_end - b_value <= _LONGEST_BARE:
                if len(below.bare) >= _MOST_PLANS:
                    below.bare.clear()
                below.bare.add(before[b_value:b_end])
        stretch = before[same:b_stop]
        self._untouched(stretch)
        return (
            b_at == b_last
            and a_at + b_at - same == a_last
            and stretch == after[a_at:a_stop]
            and before[b_last] == 0
        )

    def _value(
        self,
        old: bytes,
        kind: int,
        a_at: int,
        a_value: int,
        place: _Place,
        name: bytes,
        group: int,
        *,
        in_array: bool,
    ) -> int:
        """Where a masked value ends in the document after masking, or -1 if something may be wrong with it."""
        after = self._after
        new_kind = after[a_at]
        if new_kind == STRING:
            a_end: int = a_value + _READ_UINT32(after, a_value)[0] + 4
        else:
            a_end = a_value + size_at(after, new_kind, a_value)
        if new_kind in TEXT_KINDS and (a_end < a_value + 5 or after[a_end - 1] != 0):
            return -1
        new = after[a_value:a_end]
        if not place.may_be(kind, old, new_kind, new, in_array):
            return -1
        self._masked.append(_NEW(Masked, (place.state, kind, old, new_kind, new, name, group)))
        return a_end
