"""One exact walk over a document before and after masking: every difference that should not be.

The walk pairs elements by key and order, judges each pair by the rules, and goes on after a fault, so that
broken documents give findings and never exceptions. `quick` says beforehand, and cheaply, of most documents
that there is nothing to find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from weakref import WeakValueDictionary

from phimask import DocumentPair, Finding, RuleFacts
from phimask_plugins.validators import encoded
from phimask_plugins.validators.findings import (
    ADDED,
    ARRAY_LENGTH,
    BYTES_CHANGED,
    DOCUMENT_ADDED,
    DOCUMENT_LOST,
    INDICES_CHANGED,
    LOST,
    MALFORMED,
    NOT_REMOVED,
    ORDER_CHANGED,
    ORIGINAL,
    TOO_DEEP,
    Aspect,
    Path,
)
from phimask_plugins.validators.matcher import ENCODED, IDENTICAL, VALUE, Matcher, State
from phimask_plugins.validators.parts import Parts, taken_apart
from phimask_plugins.validators.quick import QuickCheck
from phimask_plugins.validators.verdict import still_original, type_fits
from phimask_plugins.validators.walk import ALIASES, ARRAY, OBJECT, Element, MalformedError, elements


@dataclass(frozen=True, slots=True)
class Differences:
    """The findings about one document, by what they are about."""

    structure: tuple[Finding, ...] = ()
    originals: tuple[Finding, ...] = ()
    untouched: tuple[Finding, ...] = ()


_MOST_COMPARERS: Final = 256
_LARGE_BYTES: Final = 1_000_000
"""The parts of a larger pair are made anew for each validator that asks: kept, they are many times its bytes."""

NONE: Final = Differences()


class Comparer:
    """Compares pairs by one set of rules. Remembers the last pair, for the next validator that asks."""

    def __init__(self, rules: Sequence[RuleFacts]) -> None:
        self._matcher = Matcher(rules)
        self._quick = QuickCheck(self._matcher.top)
        self._last: tuple[DocumentPair, Differences, Parts | None] | None = None
        self._rules = rules
        self._fewer: dict[frozenset[int], Comparer] = {}

    def compare(self, pair: DocumentPair) -> Differences:
        """What is wrong between before and after."""
        last = self._last
        return last[1] if last is not None and last[0] is pair else self._looked_at(pair)[0]

    def parts(self, pair: DocumentPair) -> Parts:
        """The same pair taken apart; empty where one of the two is missing."""
        last = self._last
        if last is not None and last[0] is pair and last[2] is not None:
            return last[2]
        return self._looked_at(pair)[1]

    def top(self, pair: DocumentPair) -> State:
        """The state at the top of such a document, by the rules that apply to it."""
        return self._with_fewer(pair.without)._matcher.top if pair.without else self._matcher.top

    def shown(self, path: Path) -> str | None:
        """A path as a finding may name it."""
        return self._matcher.shown(path)

    def _looked_at(self, pair: DocumentPair) -> tuple[Differences, Parts]:
        self._last = None  # before there are those of the next
        looking = self._with_fewer(pair.without) if pair.without else self
        differences, parts = looking._compare(pair.before, pair.after)
        large = len(pair.before or b"") + len(pair.after or b"") > _LARGE_BYTES
        self._last = pair, differences, None if large else parts
        return differences, parts

    def _with_fewer(self, without: frozenset[int]) -> Comparer:
        """The comparer for documents that some rules do not apply to."""
        comparer = self._fewer.get(without)
        if comparer is None:
            if len(self._fewer) >= _MOST_COMPARERS:
                self._fewer.clear()
            rules = [rule for place, rule in enumerate(self._rules) if place not in without]
            comparer = self._fewer[without] = Comparer(rules)
        return comparer

    def _compare(self, before: bytes | None, after: bytes | None) -> tuple[Differences, Parts]:
        parts = Parts()
        if before is None or after is None:
            if before is after:
                return NONE, parts
            return Differences(
                untouched=(Finding(DOCUMENT_ADDED if before is None else DOCUMENT_LOST),)
            ), parts
        if self._quick.is_clean(before, after, parts):
            return NONE, parts
        return _Walk(self._matcher, before, after).run(), taken_apart(before, after, self._matcher.top)


_COMPARERS: WeakValueDictionary[tuple[RuleFacts, ...], Comparer] = WeakValueDictionary()


def comparer_for(rules: tuple[RuleFacts, ...]) -> Comparer:
    """The comparer for these rules: one for all validators that hold on to it."""
    comparer = _COMPARERS.get(rules)
    if comparer is None:
        comparer = _COMPARERS[rules] = Comparer(rules)
    return comparer


class _Walk:
    """The walk over one pair."""

    def __init__(self, matcher: Matcher, before: bytes, after: bytes) -> None:
        self._matcher = matcher
        self._before = before
        self._after = after
        self._found: Counter[tuple[Aspect, str, str | None]] = Counter()

    def run(self) -> Differences:
        """All findings, equal ones counted together."""
        try:
            self._document((0, len(self._before)), (0, len(self._after)), self._matcher.top, ())
        except RecursionError:
            self._report_everywhere(TOO_DEEP, ())
        sorted_out: dict[Aspect, list[Finding]] = {"structure": [], "originals": [], "untouched": []}
        for (aspect, what, path), count in self._found.items():
            sorted_out[aspect].append(Finding(what, path, count))
        return Differences(
            tuple(sorted_out["structure"]), tuple(sorted_out["originals"]), tuple(sorted_out["untouched"])
        )

    def _report(self, aspect: Aspect, what: str, path: Path) -> None:
        self._found[aspect, what, self._matcher.shown(path)] += 1

    def _report_everywhere(self, what: str, path: Path) -> None:
        self._report("structure", what, path)
        self._report("originals", what, path)
        self._report("untouched", what, path)

    def _report_change(self, what: str, path: Path, state: State) -> None:
        """A fault of structure; where no rule masks, of what was to stay untouched as well."""
        self._report("structure", what, path)
        if state.rule is None:
            self._report("untouched", what, path)

    def _read(
        self, old: tuple[int, int], new: tuple[int, int], path: Path
    ) -> tuple[list[Element], list[Element]] | None:
        try:
            return elements(self._before, *old), elements(self._after, *new)
        except MalformedError:
            self._report_everywhere(MALFORMED, path)
            return None

    def _document(self, old: tuple[int, int], new: tuple[int, int], state: State, path: Path) -> None:
        read = self._read(old, new, path)
        if read is None:
            return
        befores, afters = read
        if [element.key for element in befores] == [element.key for element in afters]:
            pairs = list(zip(befores, afters, strict=True))
        else:
            pairs = self._paired(befores, afters, state, path)
        for element, counterpart in pairs:
            self._pair(element, counterpart, state.child(element.key), (*path, element.key), in_array=False)

    def _paired(
        self, befores: Sequence[Element], afters: Sequence[Element], state: State, path: Path
    ) -> list[tuple[Element, Element]]:
        """Pairs by key where the keys are not the same; what has no partner is judged here."""
        left: dict[bytes, list[int]] = {}
        for number, element in enumerate(afters):
            left.setdefault(element.key, []).append(number)
        partners: list[tuple[int, int]] = []
        for number, element in enumerate(befores):
            child = state.child(element.key)
            candidates = left.get(element.key, [])
            rest = [later for later in befores[number:] if later.key == element.key]
            if candidates and not self._is_gone(rest, [afters[index] for index in candidates], child):
                partners.append((number, candidates.pop(0)))
            elif not _removable(element, child):
                self._report_change(LOST, (*path, element.key), child)
        for key, numbers in left.items():
            for _ in numbers:
                self._report_change(ADDED, (*path, key), state.child(key))
        if any(later < earlier for (_, earlier), (_, later) in pairwise(partners)):
            self._report("structure", ORDER_CHANGED, path)
            self._report("untouched", ORDER_CHANGED, path)
        return [(befores[number], afters[partner]) for number, partner in partners]

    def _is_gone(self, rest: Sequence[Element], candidates: Sequence[Element], state: State) -> bool:
        """Whether the first of `rest`, elements of one key, was removed, so that a later one is what is left.

        Only duplicate keys make this a question.
        """
        first = rest[0]
        if not _removable(first, state):
            return False
        staying = [later for later in rest[1:] if not _removable(later, state)]
        if len(candidates) <= len(staying):
            return True
        return not self._explains(first, candidates[0], state) and any(
            self._explains(later, candidates[0], state) for later in rest[1:]
        )

    def _explains(self, element: Element, counterpart: Element, state: State) -> bool:
        if element.kind == counterpart.kind and self._old(element) == self._new(counterpart):
            return True
        if state.treatment(element.kind) != VALUE:
            return element.kind == counterpart.kind
        return type_fits(
            state, element.kind, self._old(element), counterpart.kind, self._new(counterpart), in_array=False
        )

    def _old(self, element: Element) -> bytes:
        return self._before[element.value : element.end]

    def _new(self, element: Element) -> bytes:
        return self._after[element.value : element.end]

    def _pair(
        self, element: Element, counterpart: Element, state: State, path: Path, *, in_array: bool
    ) -> None:
        treatment = state.treatment(element.kind)
        if treatment == VALUE:
            self._masked(element, counterpart, state, path, in_array=in_array)
        elif treatment == ENCODED:
            old, new = (element.kind, self._old(element)), (counterpart.kind, self._new(counterpart))
            encoded.check(self._report, state, old, new, path)
        elif treatment == IDENTICAL:
            if element.kind != counterpart.kind or self._old(element) != self._new(counterpart):
                self._differing(element, counterpart, state, path)
        elif element.kind != counterpart.kind:
            self._report_change(_became(element, counterpart), path, state)
        else:
            self._inside(element, counterpart, state, path)

    def _inside(self, element: Element, counterpart: Element, state: State, path: Path) -> None:
        old, new = (element.value, element.end), (counterpart.value, counterpart.end)
        if element.kind == OBJECT:
            self._document(old, new, state, path)
        else:
            self._array(old, new, state, path)

    def _array(self, old: tuple[int, int], new: tuple[int, int], state: State, path: Path) -> None:
        read = self._read(old, new, path)
        if read is None:
            return
        befores, afters = read
        if len(befores) != len(afters):
            self._report_change(ARRAY_LENGTH, path, state)
        paired = list(zip(befores, afters, strict=False))
        if any(element.key != counterpart.key for element, counterpart in paired):
            self._report("untouched", INDICES_CHANGED, path)
        for element, counterpart in paired:
            self._pair(element, counterpart, state, path, in_array=True)

    def _masked(
        self, element: Element, counterpart: Element, state: State, path: Path, *, in_array: bool
    ) -> None:
        """A value that a rule masks as one."""
        old, new = self._old(element), self._new(counterpart)
        if not type_fits(state, element.kind, old, counterpart.kind, new, in_array=in_array):
            removes = state.rule is not None and state.rule.removes
            self._report("structure", NOT_REMOVED if removes else _became(element, counterpart), path)
        if still_original(state, element.kind, old, counterpart.kind, new):
            self._report("originals", ORIGINAL, path)

    def _differing(self, element: Element, counterpart: Element, state: State, path: Path) -> None:
        """A value that was to stay identical and did not: say where inside, if there is an inside."""
        if element.kind != counterpart.kind:
            self._report("structure", _became(element, counterpart), path)
        elif element.kind in (OBJECT, ARRAY):
            self._inside(element, counterpart, state, path)
            return
        self._report("untouched", BYTES_CHANGED, path)


def _removable(element: Element, state: State) -> bool:
    return state.rule is not None and state.rule.removes and state.treatment(element.kind) == VALUE


def _became(element: Element, counterpart: Element) -> str:
    if element.kind == counterpart.kind:
        return f"the type is still {ALIASES[element.kind]}"
    return f"the type changed from {ALIASES[element.kind]} to {ALIASES[counterpart.kind]}"
