"""Which rule wins for a path: the rules' paths as a lazily determinized automaton over keys.

A rule covers the value at its path and everything below it; of several that cover a value, the last in
order wins. So a state carries the winner so far and the rules that may still win deeper down. Array
indices are no part of a path: an array's elements stand in the array's own state.

A rule with `decode` says how the strings it covers are held; one that says only this covers no value, and speaks of the
values at its path alone. Of what is said, the last holds: a later rule that covers the field takes it as it is.

Which rules are where is kept in the bits of one whole number, since a rule pack has a thousand rules of any depth,
and each key of theirs leads to a state of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Final

from phimask.masking.columns import BoundRule
from phimask.plugins.values import Wildcard

Segments = tuple[str | Wildcard, ...]
Decoders = Mapping[int, bool]
"""The rules with `decode`, and whether each masks as well."""

NO_RULE: Final = -1
_NO_DECODERS: Final[Decoders] = MappingProxyType({})


def nameable(key: str) -> bool:
    """Whether a dotted path in an update can name this key (MongoDB manual, "Field Names": . and $)."""
    return key != "" and "." not in key and not key.startswith("$")


class _Rules:
    """All rules' paths, taken together: a bit for each segment that a walk may be at, and one for each path's end.

    The bits of a later rule are higher than those of an earlier one.
    """

    def __init__(self, rules: Sequence[Segments], decoders: Decoders) -> None:
        self.firsts: list[int] = []
        self.any_depth = self.any_key = self.ends = self.opens = 0
        self.keys: dict[str, int] = {}
        self.states: dict[tuple[int, int, int], State] = {}
        self._decoders = decoders
        place = 0
        for index, segments in enumerate(rules):
            self.firsts.append(place)
            for before, segment in zip((None, *segments), segments, strict=False):
                if segment is before is Wildcard.ANY_DEPTH:
                    continue  # said already, and `state` passes over one at a time
                bit = 1 << place
                if segment is Wildcard.ANY_DEPTH:
                    self.any_depth |= bit
                elif segment is Wildcard.ANY_KEY:
                    self.any_key |= bit
                elif isinstance(segment, str):
                    self.keys[segment] = self.keys.get(segment, 0) | bit
                place += 1
            if decoders.get(index, True):
                self.ends |= 1 << place
            else:
                self.opens |= 1 << place
            place += 1
        self.firsts.append(place)

    def state(self, places: int, winner: int) -> State | None:
        """The state at these places; None where no rule covers and none may."""
        # `**` may be no key at all.
        places |= (places & self.any_depth) << 1
        ended = places & self.ends
        if ended:
            winner = max(winner, self._rule_at(ended))
        # What an earlier rule says counts no more.
        lowest = self.firsts[winner + 1]
        live = (places & ~(self.ends | self.opens)) >> lowest << lowest
        opening = (places & self.opens) >> lowest << lowest
        decoder = self._rule_at(opening) if opening else winner if winner in self._decoders else NO_RULE
        if not live and winner == decoder == NO_RULE:
            return None
        state = self.states.get((live, winner, decoder))
        if state is None:
            state = self.states[live, winner, decoder] = State(self, live, winner, decoder)
        return state

    def _rule_at(self, places: int) -> int:
        """The last rule that has one of these places."""
        return bisect_right(self.firsts, places.bit_length() - 1) - 1


class State:
    """Where a walk stands after some keys.

    `winner` is the index of the rule that covers this place, or NO_RULE. `decoder` is the one that says how a string
    here is held, or NO_RULE. `final`: no other rule can win below.
    What lies one key further is found out when a walk first asks: with several `**` there are more states than
    any document reaches.
    """

    def __init__(self, rules: _Rules, places: int, winner: int, decoder: int = NO_RULE) -> None:
        self._rules = rules
        self._places = places
        self.winner = winner
        self.decoder = decoder
        self.final = not places

    @cached_property
    def other(self) -> State | None:
        """Where every key leads that `named` does not hold; None: nothing to mask there."""
        return self._after(0)

    @cached_property
    def named(self) -> dict[str, tuple[State | None, bool]]:
        """The keys that some rule mentions here: the state behind each (or None), and whether it is nameable."""
        here = sorted((key, places) for key, places in self._rules.keys.items() if places & self._places)
        return {key: (self._after(places), nameable(key)) for key, places in here}

    @cached_property
    def named_items(self) -> tuple[tuple[str, State | None, bool], ...]:
        """`named`, flat."""
        return tuple((key, state, named) for key, (state, named) in self.named.items())

    def _after(self, places: int) -> State | None:
        """The state after a key, given the places at which a rule mentions it (0: any other key)."""
        rules = self._rules
        stay = self._places & rules.any_depth
        advance = self._places & (rules.any_key | places)
        return rules.state(stay | advance << 1, self.winner)


def automaton(
    rules: Sequence[Segments], without: frozenset[int] = frozenset(), decoders: Decoders = _NO_DECODERS
) -> State:
    """The state at a document's root. Its `_id` is never masked: that key leads nowhere.

    `without`: rules, by index, that are to be as if they were not there.
    """
    compiled = _Rules(rules, decoders)
    start = sum(1 << compiled.firsts[index] for index in range(len(rules)) if index not in without)
    root = compiled.state(start, NO_RULE)
    # A root of its own, since `_id` is special at the top only and states are shared.
    top = State(compiled, 0, NO_RULE) if root is None else State(compiled, root._places, root.winner)
    top.named["_id"] = (None, True)
    top.final = False
    return top


def automaton_of(rules: Sequence[BoundRule], without: frozenset[int] = frozenset()) -> State:
    """As `automaton`, for rules with their maskers."""
    decoders = {place: bool(rule.masker.types) for place, rule in enumerate(rules) if rule.decode}
    return automaton([rule.segments for rule in rules], without, decoders)


def covers(rule: Segments, keys: Sequence[str]) -> bool:
    """Whether a rule with this path covers the value at these keys."""
    state: State | None = automaton([rule])
    for key in keys:
        if state is None:
            return False
        named = state.named.get(key)
        state = named[0] if named is not None else state.other
    return state is not None and state.winner != NO_RULE
