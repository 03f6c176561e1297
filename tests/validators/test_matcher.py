from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from trial_rules import KEEP, TILDE, told

from oracle import OracleRule, keep, matches_deeper, winner
from phimask import Wildcard
from phimask_plugins.validators.matcher import Matcher
from strategies import places, rule_lists, trees


@given(st.data())
def test_the_winner_is_the_oracles(data: st.DataObject) -> None:
    nodes = data.draw(trees())
    paths = data.draw(rule_lists(nodes))
    matcher = Matcher(told([(path, TILDE) for path in paths]))
    rules = [OracleRule(path, keep) for path in paths]
    for keys in places(nodes):
        state = matcher.top
        for key in keys:
            state = state.child(key)
        place = winner(rules, keys)
        assert state.rule is (None if place is None else matcher.rules[place])
        later = rules[0 if place is None else place + 1 :]
        if keys[0] != b"_id":
            assert state.final is not any(matches_deeper(rule.path, keys) for rule in later)
        assert state.inert is (state.final and place is None)


def test_a_state_per_place_and_not_per_key() -> None:
    matcher = Matcher(told([((Wildcard.ANY_DEPTH, "SSN"), TILDE)]))
    first = matcher.top.child(b"x")
    for number in range(10_000):
        assert matcher.top.child(b"%d" % number).child(b"y") is first
    assert len(matcher.top.known) == 1  # `_id`


def test_a_rule_that_keeps_masks_nothing() -> None:
    matcher = Matcher(told([(("a",), TILDE), (("a", "b"), KEEP)]))
    assert matcher.top.child(b"a").rule is matcher.rules[0]
    assert matcher.top.child(b"a").child(b"b").inert


def test_keys_that_may_be_data_are_not_shown() -> None:
    matcher = Matcher(told([(("by.day", "1999-12-31", "zip_02139"), TILDE)]))
    assert matcher.shown([]) is None
    assert matcher.shown([b"Patient", b"first_name2"]) == "Patient.first_name2"
    assert (
        matcher.shown([b"Visits", b"123-45-6789", b"Ada Lovelace", b"mrn00123456", b"\xff", b""])
        == "Visits.*.*.*.*.*"
    )
    assert matcher.shown([b"by.day", b"1999-12-31", b"zip_02139"]) == '"by.day".1999-12-31.zip_02139'
