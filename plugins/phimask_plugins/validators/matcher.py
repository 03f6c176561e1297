"""Which rule covers a place in a document: an automaton over keys, built as documents ask for it.

A rule covers the value at its path and everything below; of several the last in order wins. Array indices are
no part of a path, so an array's elements stand where the array stands. No rule covers a document's `_id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from phimask import RuleFacts, Wildcard
from phimask_plugins.validators.walk import ARRAY, KINDS, NULL, OBJECT, UNDEFINED

IDENTICAL: Final = 0
"""The value must be the same, byte by byte."""
VALUE: Final = 1
"""The value is masked as one: a scalar, or a container that its masker takes whole."""
DOCUMENT: Final = 2
"""A sub-document whose elements have to be looked at."""
ELEMENTS: Final = 3
"""An array whose elements have to be looked at."""
ENCODED: Final = 5
"""A value that a rule decodes: what is in it has to be looked at."""

_Position = tuple[int, int]  # a rule's place in the order, and how many of its segments are behind
_NO_RULE: Final = -1
_PLAIN_KEY: Final = re.compile(r"(?!.*\d{4})[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


class Matcher:
    """The rules of one collection, compiled."""

    def __init__(self, rules: Sequence[RuleFacts]) -> None:
        self.rules = tuple(rules)
        self._segments: list[tuple[bytes | Wildcard, ...]] = [
            tuple(
                segment if isinstance(segment, Wildcard) else segment.encode("utf-8", "surrogatepass")
                for segment in rule.segments
            )
            for rule in rules
        ]
        # Each position once, however many states have it.
        self._places = [
            [(rule, done) for done in range(len(segments) + 1)]
            for rule, segments in enumerate(self._segments)
        ]
        self._named = frozenset(
            segment for segments in self._segments for segment in segments if isinstance(segment, bytes)
        )
        self._states: dict[tuple[frozenset[_Position], int, int], State] = {}
        self._only_decode = frozenset(
            place for place, rule in enumerate(rules) if rule.decode and not rule.types
        )
        self.nowhere = self._state(frozenset(), _NO_RULE, _NO_RULE)
        start = self._settled(frozenset(), *self._reached([first for first, *_ in self._places], _NO_RULE))
        # `_id` is special at the top only, so the top shares its state with no place below.
        self.top = State(self, *start)
        self.top.final = False
        self.top.inert = False
        self.top.known[b"_id"] = self.nowhere

    def shown(self, path: Sequence[bytes]) -> str | None:
        """`path` as a finding may name it, or None for the document itself.

        A key that no rule names and that does not look like a field's name may be somebody's number or name:
        it is shown as `*`, any key.
        """
        return ".".join(self._shown(key) for key in path) or None

    def _shown(self, key: bytes) -> str:
        text = key.decode("utf-8", "replace")
        if key in self._named:
            return f'"{text}"' if "." in text else text
        return text if _PLAIN_KEY.match(text) else Wildcard.ANY_KEY.value

    def ways(self, positions: frozenset[_Position], winner: int) -> _Ways:
        """Where keys lead from these positions."""
        stay: list[_Position] = []
        by_any: list[_Position] = []
        by_key: dict[bytes, list[_Position]] = {}
        for position in positions:
            rule, done = position
            segment = self._segments[rule][done]
            if segment is Wildcard.ANY_DEPTH:
                stay.append(position)
            elif isinstance(segment, bytes):
                by_key.setdefault(segment, []).append(self._places[rule][done + 1])
            else:
                by_any.append(self._places[rule][done + 1])
        reached, winner, opener = self._reached([*stay, *by_any], winner)
        return _Ways(frozenset(reached), winner, opener, by_key)

    def step(self, ways: _Ways, key: bytes) -> State:
        """The state one key further."""
        reached, winner, opener = self._reached(ways.by_key.get(key, ()), ways.winner)
        return self._state(*self._settled(ways.by_any, reached, winner, max(opener, ways.opener)))

    def _reached(self, positions: Iterable[_Position], winner: int) -> tuple[set[_Position], int, int]:
        """Where these positions stand once every `**` has also been tried as no key at all, the rule that wins, and
        the one of those that only decode that says last how a value here is held."""
        opener = _NO_RULE
        todo = list(positions)
        reached: set[_Position] = set()
        while todo:
            position = todo.pop()
            rule, done = position
            if done == len(self._segments[rule]):
                if rule in self._only_decode:
                    opener = max(opener, rule)
                else:
                    winner = max(winner, rule)
                continue
            reached.add(position)
            if self._segments[rule][done] is Wildcard.ANY_DEPTH:
                todo.append(self._places[rule][done + 1])
        return reached, winner, opener

    def _settled(
        self, some: frozenset[_Position], others: set[_Position], winner: int, opener: int
    ) -> tuple[frozenset[_Position], int, int]:
        """What makes a state: where it stands, the rule that wins, and the one that says how a value is held."""
        # An earlier rule can win nowhere below a later one that covers all of it.
        if opener < winner:
            opener = winner if self.rules[winner].decode else _NO_RULE
        return frozenset(position for position in some | others if position[0] > winner), winner, opener

    def _state(self, positions: frozenset[_Position], winner: int, decoder: int) -> State:
        state = self._states.get((positions, winner, decoder))
        if state is None:
            state = self._states[positions, winner, decoder] = State(self, positions, winner, decoder)
        return state


class _Ways(NamedTuple):
    """Where keys lead from a state: any one `by_any`, with the winner and opener there, those in `by_key` further."""

    by_any: frozenset[_Position]
    winner: int
    opener: int
    by_key: Mapping[bytes, Sequence[_Position]]


class State:
    """A place in a document, as far as rules can tell places apart.

    `rule` masks here, or is None (no rule, or one that keeps). `final`: no later rule can win below.
    `inert`: nothing here and below may change. `in_part`: its masker changes some values or parts of them. `winner` and
    `decoder` are the places of the rule that covers this one, and of the one by whose `decode` a value here is held.
    """

    __slots__ = ("_matcher", "_other", "_positions", "_ways", "decode", "decoder", "final", "in_part", "inert", "known",
                 "rule", "winner")  # fmt: skip

    def __init__(self, matcher: Matcher, positions: frozenset[_Position], winner: int, decoder: int) -> None:
        self._matcher = matcher
        self._positions = positions
        self.winner = winner
        self.decoder = decoder
        self.decode = () if decoder == _NO_RULE else matcher.rules[decoder].decode
        self._ways: _Ways | None = None
        self._other: State | None = None
        rule = None if winner == _NO_RULE else matcher.rules[winner]
        self.rule = None if rule is None or rule.changes == "never" else rule
        self.in_part = self.rule is not None and self.rule.changes == "maybe"
        self.final = not positions
        self.inert = self.final and self.rule is None and not self.decode
        self.known: dict[bytes, State] = {}

    def child(self, key: bytes) -> State:
        """The state of the value at `key`."""
        found = self.known.get(key)
        if found is not None:
            return found
        if self._ways is None:
            self._ways = self._matcher.ways(self._positions, self.winner)
        if key in self._ways.by_key:
            found = self.known[key] = self._matcher.step(self._ways, key)
            return found
        if self._other is None:
            self._other = self._matcher.step(self._ways, key)
        return self._other

    def treatment(self, kind: int) -> int:
        """What is done with a value of BSON type `kind` here: IDENTICAL, VALUE, DOCUMENT, ELEMENTS or ENCODED."""
        if self.inert:
            return IDENTICAL
        rule = self.rule
        if kind == OBJECT:
            whole = rule is not None and self.final and (rule.containers or rule.removes)
            return VALUE if whole else DOCUMENT
        if kind == ARRAY:
            whole = rule is not None and self.final and rule.removes
            return VALUE if whole else ELEMENTS
        if kind in (NULL, UNDEFINED):
            return IDENTICAL
        if self.decode:
            return ENCODED
        if rule is None:
            return IDENTICAL
        return VALUE

    def allowed(self, kind: int, *, in_array: bool) -> frozenset[int]:
        """The BSON types that a masked value of type `kind` may have, apart from its blank.

        Raises KeyError if no rule masks here.
        """
        rule = self.rule
        if rule is None:
            raise KeyError(kind)
        if rule.produces is not None:
            kinds = frozenset(KINDS[alias] for alias in rule.produces if alias in KINDS)
        else:
            kinds = frozenset() if rule.removes else frozenset({kind})
        return kinds | {NULL} if rule.removes and in_array else kinds
