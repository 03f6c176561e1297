from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phimask.engine.throttle.trail import Hysteresis, Trail


def trail(*made: tuple[int, float]) -> Trail:
    found = Trail()
    for mark, at in made:
        found.made(mark, at)
    return found


def test_who_has_the_newest_mark_is_not_behind() -> None:
    assert trail((1, 10.0), (2, 11.0)).behind(2, 500.0) == 0.0
    assert trail().behind(0, 500.0) == 0.0


def test_the_lag_is_the_age_of_the_first_mark_that_is_missing() -> None:
    found = trail((1, 10.0), (2, 11.0), (3, 12.0))
    assert found.behind(1, 14.0) == 3.0
    assert found.behind(0, 14.0) == 4.0


def test_a_mark_made_while_the_question_was_under_way_is_no_lag() -> None:
    assert trail((1, 10.0), (2, 11.0)).behind(1, 10.9) == 0.0


def test_a_mark_between_two_that_are_known_counts_as_seen_up_to_there() -> None:
    # A write whose answer was lost: its number is in nobody's trail, yet a secondary may show it.
    assert trail((1, 10.0), (3, 12.0)).behind(2, 15.0) == 3.0


def test_marks_that_do_not_grow_are_left_out() -> None:
    assert trail((5, 10.0), (4, 11.0), (5, 12.0)).behind(4, 15.0) == 5.0


@given(made=st.integers(1, 5_000), seen=st.integers(0, 5_000))
def test_of_many_marks_the_lag_is_never_more_than_true_and_seldom_much_less(made: int, seen: int) -> None:
    found = Trail()
    for mark in range(1, made + 1):
        found.made(mark, float(mark))
    true = float(max(0, made - seen - 1)) + 1.0 if seen < made else 0.0
    told = found.behind(seen, made + 1.0)
    assert told <= true
    assert told >= true / 2 - 1 or true == 0.0
    assert (told > 0) == (true > 0)


def test_it_is_on_from_pause_and_off_from_resume() -> None:
    lag = Hysteresis(2.0, 1.0)
    values = [0.0, 1.9, 2.0, 1.5, 1.1, 3.0, 1.01, 1.0, 1.5, 1.99, 2.5, 0.0]
    on = [lag.on(value) for value in values]
    assert on == [False, False, True, True, True, True, True, False, False, False, True, False]
