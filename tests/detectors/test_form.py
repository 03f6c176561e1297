from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask_plugins.detectors.form import form_of, is_readable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada", "Ada"),
        ("Zoë Núñez", "Zoe Nunez"),
        ("Zoe\u0308", "Zoe"),
        ("\uff11\uff12\uff13\uff0d\uff14", "123-4"),
        ("\u0661\u0662\u0663", "123"),
        ("\U0001d7cf\U0001d7d0", "12"),
        ("A\u200bd\u2060a\ufeff", "Ada"),
        ("\u202eAda\u202c", "Ada"),
        ("\u0410d\u0430", "Ada"),
        ("\u0391da", "Ada"),
        ("a\u2011b\u2013c\u2212d", "a-b-c-d"),
        ("a\u00a0b\u202fc", "a b c"),
        ("O\u2019Brien", "O'Brien"),
        ("ada\uff20example\uff0ecom", "ada@example.com"),
        ("\u738b\u5c0f\u660e", "xxx"),
        ("\U0001f600", "?"),
        ("\ud800", "?"),
        ("a\u2028b", "a\nb"),
        ("", ""),
    ],
)
def test_look_alikes_become_what_they_look_like(text: str, expected: str) -> None:
    assert form_of(text).text == expected


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_the_form_is_ascii_and_its_spans_lie_in_the_text(text: str) -> None:
    form = form_of(text)
    assert form.text.isascii()
    assert len(form.text) + len(form.cuts) == len(text)
    at = 0
    for place in range(len(form.text)):
        start, end = form.span(place, place + 1)
        assert at <= start < end == start + 1 <= len(text)
        assert form_of(text[start:end]).text == form.text[place]
        at = end


@given(st.text("ab\u200b\u0301", max_size=30), st.integers(0, 29), st.integers(1, 30))
def test_a_span_of_the_form_is_a_span_of_the_text(text: str, start: int, length: int) -> None:
    form = form_of(text)
    end = min(start + length, len(form.text))
    if start < end:
        first, last = form.span(start, end)
        assert form_of(text[first:last]).text == form.text[start:end]


@pytest.mark.parametrize(
    ("text", "readable"), [("Ada", True), ("Núñez", True), ("王小明", False), ("Жанна", False), ("", True)]
)
def test_what_ascii_cannot_tell_apart_is_known(text: str, *, readable: bool) -> None:
    assert is_readable(text) is readable
