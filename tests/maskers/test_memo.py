"""The memories of results: never wrong, never over their bytes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from phimask_plugins.maskers.cache import Memo, Repeats


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


class Upper:
    """What is asked of it to compute."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.asked += texts
        return [text.upper() for text in texts]


@given(
    st.lists(st.lists(st.text(max_size=20), max_size=40), max_size=20), st.sampled_from([0, 2_000, 50_000])
)
def test_repeats_answer_right_and_stay_under_their_limit(columns, limit):
    repeats = Repeats(Upper(), limit)
    for column in columns * 2:
        assert list(repeats.of(column)) == [text.upper() for text in column]
        held = sum(sys.getsizeof(one) for pair in repeats._known.items() for one in pair)
        assert held <= repeats.weight <= limit


def test_what_comes_again_is_computed_once():
    upper = Upper()
    repeats = Repeats(upper, 1_000_000)
    repeats.of(["a", "b"])
    assert list(repeats.of(["b", "c", "a"])) == ["B", "C", "A"]
    assert upper.asked == ["a", "b", "c"]
    repeats.drop()
    assert repeats.weight == 0
    repeats.of(["a"])
    assert upper.asked == ["a", "b", "c", "a"]


def test_what_does_not_come_again_is_not_looked_for_but_tried_again_later():
    upper = Upper()
    repeats = Repeats(upper, 10_000_000)
    numbers = iter(range(10_000_000))

    def seldom(often: int = 1) -> list[str]:
        """A thousand, of which each comes `often`."""
        return [str(next(numbers)) for _ in range(1000 // often)] * often

    repeats.of(seldom())
    assert repeats.weight == 0
    calls = 0
    while not repeats.weight:
        repeats.of(seldom(2))
        calls += 1
    assert calls == 66 + 1  # after 65,536 that are passed by
    for _ in range(3):
        repeats.of(["a"] * 1000)
    assert upper.asked.count("a") == 1
    assert repeats.weight


def test_seven_tenths_of_them_new_do_not_pay_for_long():
    repeats = Repeats(Upper(), 10_000_000)
    for number in range(5):
        repeats.of([str(number * 1000 + one) for one in range(720)] + ["a"] * 280)
    assert repeats.weight == 0


def test_repeats_show_no_original():
    repeats = Repeats(Upper(), 1_000)
    repeats.of(["Ada"])
    assert "Ada" not in repr(repeats)
