"""A value is known by the same words however it is looked at: as text, as bytes, alone, among many."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phimask_plugins.validators.words import known_among, known_by, tells, tells_ascii

WORDS = st.text("aB3 7.-/_", max_size=24)
DATES = st.from_regex(r"(19|20)?\d{2}[-/. ]\d{1,2}[-/. ]\d{2,4}", fullmatch=True)
TEXTS = st.one_of(WORDS, DATES, st.text(max_size=20))


@given(st.text("ab1234567", max_size=20), st.integers(1, 4))
@example("123456", 1)
@example("1234567", 1)
@example("abcdefg", 2)
@example("abcdefgh", 2)
@example("ab1234", 1)
@example("abc123abc123abc1", 2)
@example("abc123abc123abc", 2)
def test_text_and_bytes_tell_alike(joined: str, count: int) -> None:
    assert tells(joined, count) == tells_ascii(joined.encode("ascii"), count)


@given(st.lists(WORDS | DATES, max_size=6))
@example(["1950-02-03", "MR 700123", "O'Brien Kane", "a\0b 1234567"])
def test_many_ascii_values_are_known_as_each_alone(texts: list[str]) -> None:
    alone = [one.encode() for text in texts if (one := known_by(text)) is not None]
    assert list(known_among([text.encode() for text in texts])) == alone


@given(st.lists(TEXTS, max_size=6))
def test_many_values_are_known_as_each_alone(texts: list[str]) -> None:
    bytes_of = [text.encode("utf-8", "replace") for text in texts]
    alone = [one for data in bytes_of if (one := known_by(data.decode())) is not None]
    assert list(known_among(bytes_of)) == [one.encode() for one in alone]


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("P700124", "p700124"),
        ("(404) 555-0145", "4045550145"),
        ("1234567", "1234567"),
        ("123456", None),
        ("Ann Robinson", "annrobinson"),
        ("Ann Lee", None),
        ("Robinson", None),
        ("Bo Li", None),
        ("B4 ward of seventeen", "b4wardofseventeen"),
        ("B4 ward of seven", None),
        ("1950-02-03", None),
    ],
)
def test_what_tells(value: str, known: str | None) -> None:
    assert known_by(value) == known
