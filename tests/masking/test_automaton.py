"""The last rule that covers a place wins it, whatever wildcards led there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_trials import ANY, DEEP, Path
from oracle import OracleRule, keep, matches_deeper, winner
from phimask.masking.automaton import NO_RULE, State, automaton, nameable
from strategies import loose_paths

stable = settings(derandomize=True, deadline=None, database=None, max_examples=examples(250))

KEYS = st.sampled_from(
    ["a", "b", "Name", "SSN", "Visits", "Date", "_id", "", "a.b", "$set", "0", "elsewhere"]
)


def stand(rules: Sequence[Path], keys: Sequence[str]) -> State | None:
    """Where a walk over these keys ends."""
    state: State | None = automaton(rules)
    for key in keys:
        if state is None:
            return None
        found = state.named.get(key)
        state = state.other if found is None else found[0]
    return state


def wins(rules: Sequence[Path], *keys: str) -> int | None:
    state = stand(rules, keys)
    return None if state is None or state.winner == NO_RULE else state.winner


@stable
@given(st.lists(loose_paths(), max_size=6), st.lists(KEYS, min_size=1, max_size=5))
def test_the_winner_is_the_oracles(rules: list[Path], keys: list[str]) -> None:
    told = [OracleRule(path, keep) for path in rules]
    assert wins(rules, *keys) == winner(told, [key.encode() for key in keys])


@stable
@given(st.lists(loose_paths(), max_size=6), st.lists(KEYS, min_size=1, max_size=4))
def test_a_place_is_final_where_no_later_rule_reaches_below(rules: list[Path], keys: list[str]) -> None:
    state = stand(rules, keys)
    encoded = [key.encode() for key in keys]
    if keys[0] == "_id":
        assert state is None
        return
    place = wins(rules, *keys)
    later = rules if place is None else rules[place + 1 :]
    reached = any(matches_deeper(path, encoded) for path in later)
    if state is None:
        assert not reached
    else:
        assert state.final is not reached


@pytest.mark.parametrize(
    ("rules", "keys", "expected"),
    [
        ([("a",), ("a", "b")], ("a", "b"), 1),
        ([("a", "b"), ("a",)], ("a", "b"), 1),
        ([("a", "b"), ("a",)], ("a", "c"), 1),
        ([("a",)], ("a", "b", "c", "d"), 0),
        ([("a", "b")], ("a",), None),
        ([("a", "b")], ("b",), None),
        ([(DEEP, "x")], ("x",), 0),
        ([(DEEP, "x")], ("a", "b", "x", "y"), 0),
        ([("a", DEEP)], ("a",), 0),
        ([("a", DEEP, "x")], ("a", "x"), 0),
        ([(ANY, "x")], ("a", "x"), 0),
        ([(ANY, "x")], ("x",), None),
        ([(ANY, "x")], ("a", "b", "x"), None),
        ([(DEEP,), ("a", "b")], ("a", "b"), 1),
        ([(DEEP,), ("a", "b")], ("a", "c"), 0),
        ([(DEEP,)], ("_id",), None),
        ([("_id",), (ANY,)], ("_id", "ssn"), None),
        ([(DEEP, "_id")], ("a", "_id"), 0),
        ([("a", "_id")], ("a", "_id"), 0),
        ([(DEEP, "x", ANY, ANY)], ("x", "x", "q", "r"), 0),
        ([("a.b",)], ("a.b",), 0),
        ([("a.b",)], ("a", "b"), None),
    ],
)
def test_who_wins(rules: list[Path], keys: tuple[str, ...], expected: int | None) -> None:
    assert wins(rules, *keys) == expected


def test_nothing_is_masked_where_no_rule_leads() -> None:
    assert stand([("a", "b")], ["c"]) is None
    assert stand([], ["a"]) is None
    assert stand([(DEEP, "x")], ["a", "b"]) is not None


def test_many_deep_wildcards_stay_small() -> None:
    rules: list[Path] = [(DEEP, f"k{number}", DEEP, "x") for number in range(8)]
    assert wins(rules, "k3", "q", "k5", "k1", "x") == 5


@pytest.mark.parametrize(
    ("key", "can"),
    [("a", True), ("0", True), ("a b", True), ("a$", True), ("", False), ("$a", False), ("a.b", False)],
)
def test_which_keys_an_update_can_name(key: str, can: bool) -> None:
    assert nameable(key) is can


def decodes(rules: Sequence[tuple[Path, bool | None]], *keys: str) -> int | None:
    """The place of the rule by which a string at these keys is decoded; rules say None, or whether they mask too."""
    decoders = {place: masks for place, (_, masks) in enumerate(rules) if masks is not None}
    state: State | None = automaton([path for path, _ in rules], decoders=decoders)
    for key in keys:
        if state is None:
            return None
        found = state.named.get(key)
        state = state.other if found is None else found[0]
    return None if state is None or state.decoder == NO_RULE else state.decoder


def test_a_rule_that_only_decodes_speaks_of_its_place_and_one_that_masks_of_all_it_covers() -> None:
    only, both = [(("P",), False)], [(("P",), True)]
    assert decodes(only, "P") == 0
    assert decodes(only, "P", "a") is None
    assert decodes(only, "Q") is None
    assert decodes(both, "P") == 0
    assert decodes(both, "P", "a", "b") == 0


@pytest.mark.parametrize(
    ("rules", "winner"),
    [
        ([(("P",), False), (("P",), None)], None),
        ([(("P",), False), ((DEEP,), None)], None),
        ([((DEEP,), None), (("P",), False)], 1),
        ([(("P",), True), (("P",), False)], 1),
        ([(("P",), False), (("P",), True)], 1),
        ([(("P",), False), ((DEEP, "P"), False), ((ANY, "P"), False)], 1),
        ([(("P",), False), (("P", "a"), None)], 0),
    ],
)
def test_the_last_word_on_a_field_counts(rules: list[tuple[Path, bool | None]], winner: int | None) -> None:
    assert decodes(rules, "P") == winner
