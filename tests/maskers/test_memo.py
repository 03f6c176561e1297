"""The memory of results: never wrong, never over its bytes."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from phimask_plugins.maskers.cache import Memo


def weight(memo: Memo[str, str]) -> int:
    generations = (memo, memo._old)
    entries = sum(
        sys.getsizeof(key) + sys.getsizeof(value) for held in generations for key, value in held.items()
    )
    return entries + sum(map(sys.getsizeof, generations))


def test_computes_once_what_it_has_room_for():
    asked: list[str] = []

    def compute(key: str) -> str:
        asked.append(key)
        return key.upper()

    memo = Memo(compute, 1_000_000)
    assert [memo[key] for key in ("a", "b", "a", "a")] == ["A", "B", "A", "A"]
    assert asked == ["a", "b"]


@given(st.lists(st.text(max_size=200), max_size=300), st.sampled_from([0, 100, 5_000, 50_000]))
def test_answers_right_and_stays_under_its_limit(keys, limit):
    memo = Memo(str.upper, limit)
    empty = weight(memo)
    for key in keys:
        assert memo[key] == key.upper()
        assert weight(memo) <= limit + empty


def test_forgets_the_oldest_and_keeps_what_is_asked_for_again():
    asked: list[int] = []

    def compute(key: int) -> int:
        asked.append(key)
        return key

    memo = Memo(compute, 40_000)
    for number in range(1, 5000):
        assert memo[0] == 0
        assert memo[number] == number
    assert asked.count(0) == 1
    assert memo[1] == 1
    assert asked.count(1) == 2


def test_a_value_too_large_for_its_share_is_not_kept():
    memo = Memo(lambda key: "x" * key, 10_000)
    assert memo[1_000_000] == "x" * 1_000_000
    assert len(memo) == 0
    assert memo[1] == "x"
    assert len(memo) == 1


def test_shows_no_keys():
    memo = Memo(str.upper, 10_000)
    assert memo["Ada"] == "ADA"
    assert repr(memo) == "Memo(1 entries)"
