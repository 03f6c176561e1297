from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from phimask_plugins.maskers.notes.prose_dates import DateMoves

DATE = datetime.date


def _strftime(form: str) -> Callable[[DATE], str]:
    return lambda day: day.strftime(form)


FORMS: tuple[Callable[[DATE], str], ...] = (
    *map(_strftime, ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%m-%d-%Y", "%d-%b-%Y", "%d-%B-%y")),
    lambda day: f"{day:%B} {day.day}, {day.year}",
    lambda day: f"{day:%b} {day.day} {day.year}",
    lambda day: f"{day.day} {day:%B} {day.year}",
    lambda day: f"{day.day} of {day:%B} {day.year}",
)
MAY = 5
"""Short or long, which nobody can tell."""
days = st.dates(DATE(1900, 1, 1), DATE(2068, 12, 31))


@given(days, days, st.sampled_from(FORMS))
def test_a_known_date_becomes_its_mask_in_the_same_form(
    before: DATE, after: DATE, form: Callable[[DATE], str]
) -> None:
    assume(before.month != MAY)
    moves = DateMoves([(before, after)])
    assert moves.knows(form(before))
    assert moves.moved(form(before)) == form(after)


@given(days, st.integers(-365, 365), st.integers(-3650, 3650), st.sampled_from(FORMS))
def test_other_dates_move_as_far(known: DATE, shift: int, away: int, form: Callable[[DATE], str]) -> None:
    moved, other = known + datetime.timedelta(shift), known + datetime.timedelta(away)
    moves = DateMoves([(known, moved)])
    expected = form(other + datetime.timedelta(shift))
    assume(shift != 0 and moved.day != 1 and other.month != MAY)
    assert moves.moved(form(other)) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "99/99/2020", "2020-02-30", "Foo 4, 2020", "31 April 2020", "1/2/3/4"]
)
def test_what_is_no_date_is_not_moved(text: str) -> None:
    moves = DateMoves([(DATE(2020, 1, 2), DATE(2020, 3, 4))])
    assert moves.moved(text) is None
    assert not moves.knows(text)


def test_past_the_last_year_nothing_is_written() -> None:
    moves = DateMoves([(DATE(2020, 1, 2), DATE(2020, 3, 4))])
    assert moves.moved("9999-12-31") is None
    assert moves.moved("2020-01-05") == "2020-03-07"


def test_nothing_moves_without_an_example() -> None:
    moves = DateMoves([])
    assert not moves
    assert moves.moved("2020-01-05") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2/20", "3/4/20"),
        ("January 2nd, 2020", "March 4th, 2020"),
        ("JAN 2ND 2020", "MAR 4th 2020"),
        ("jan 2 '20", "mar 4 '20"),
        ("2nd of January", "4th of March"),
        ("Sept 2, 2020", "Nov 3, 2020"),
        ("January 2020", "March 2020"),
    ],
)
def test_style_is_kept(text: str, expected: str) -> None:
    assert DateMoves([(DATE(2020, 1, 2), DATE(2020, 3, 4))]).moved(text) == expected
