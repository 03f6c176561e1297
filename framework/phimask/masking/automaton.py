"""Which rule wins for a path: the rules' paths as a lazily determinized automaton over keys.

A rule covers the value at its path and everything below it; of several that cover a value, the last in
order wins. So a state carries the winner so far and the rules that may still win deeper down. Array
indices are no part of a path: an array's elements stand in the array's own state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

from phimask.plugins.values import Wildcard

Segments = tuple[str | Wildcard, ...]
_Item = tuple[int, int]  # a rule's index, and how many of its segments are behind us

NO_RULE: Final = -1


def nameable(key: str) -> bool:
    """Whether a dotted path in an update can name this key (MongoDB manual, "Field Names": . and $)."""
    return key != "" and "." not in key and not key.startswith("$")


class State:
    """Where a walk stands after some keys.

    `winner` is the index of the rule that covers this place, or NO_RULE. `final`: no other rule can win below.
    What lies one key further is found out when a walk first asks: with several `**` there are more states than
    any document reaches.
    """

    def __init__(
        self,
        rules: Sequence[Segments],
        states: dict[tuple[frozenset[_Item], int], State],
        items: frozenset[_Item],
        winner: int,
    ) -> None:
        self._rules = rules
        self._states = states
        self._items = items
        self.winner = winner
        self.final = not items

    @cached_property
    def other(self) -> State | None:
        """Where every key leads that `named` does not hold; None: nothing to mask there."""
        return self._after(None)

    @cached_property
    def named(self) -> dict[str, tuple[State | None, bool]]:
        """The keys that some rule mentions here: the state behind each (or None), and whether it is nameable."""
        segments = {self._rules[rule][position] for rule, position in self._items}
        keys = sorted(segment for segment in segments if isinstance(segment, str))
        return {key: (self._after(key), nameable(key)) for key in keys}

    @cached_property
    def named_items(self) -> tuple[tuple[str, State | None, bool], ...]:
        """`named`, flat."""
        return tuple((key, state, named) for key, (state, named) in self.named.items())

    def _after(self, key: str | None) -> State | None:
        """The state after `key`; None stands for any key that no rule mentions here."""
        items: set[_Item] = set()
        for rule, position in self._items:
            segment = self._rules[rule][position]
            if segment is Wildcard.ANY_DEPTH:
                items.add((rule, position))
            elif segment is Wildcard.ANY_KEY or segment == key:
                items.add((rule, position + 1))
        return _state(self._rules, self._states, items, self.winner)


def automaton(rules: Sequence[Segments], without: frozenset[int] = frozenset()) -> State:
    """The state at a document's root. Its `_id` is never masked: that key leads nowhere.

    `without`: rules, by index, that are to be as if they were not there.
    """
    states: dict[tuple[frozenset[_Item], int], State] = {}
    root = _state(rules, states, {(index, 0) for index in range(len(rules)) if index not in without}, NO_RULE)
    if root is None:
        root = State(rules, states, frozenset(), NO_RULE)
    # A root of its own, since `_id` is special at the top only and states are shared.
    top = State(rules, states, root._items, root.winner)
    top.named["_id"] = (None, True)
    top.final = False
    return top


def _state(
    rules: Sequence[Segments],
    states: dict[tuple[frozenset[_Item], int], State],
    items: set[_Item],
    winner: int,
) -> State | None:
    closed: set[_Item] = set()
    todo = list(items)
    while todo:
        rule, position = todo.pop()
        if position == len(rules[rule]):
            winner = max(winner, rule)
        elif (rule, position) not in closed:
            closed.add((rule, position))
            if rules[rule][position] is Wildcard.ANY_DEPTH:
                todo.append((rule, position + 1))
    live = frozenset(item for item in closed if item[0] > winner)
    if not live and winner == NO_RULE:
        return None
    state = states.get((live, winner))
    if state is None:
        state = states[live, winner] = State(rules, states, live, winner)
    return state


def covers(rule: Segments, keys: Sequence[str]) -> bool:
    """Whether a rule with this path covers the value at these keys."""
    state: State | None = automaton([rule])
    for key in keys:
        if state is None:
            return False
        named = state.named.get(key)
        state = named[0] if named is not None else state.other
    return state is not None and state.winner != NO_RULE
