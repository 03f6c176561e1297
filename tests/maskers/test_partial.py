"""partial: what shows, what is covered, and what is covered as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import mask, texts

from phimask import FAILED
from phimask_plugins.maskers import Partial


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({}, "123-45-6789", "***-**-6789"),
        ({}, "4111111111111111", "************1111"),
        ({}, "1234", "****"),
        ({}, "123", "***"),
        ({}, "12-34", "**-**"),
        ({}, "12345", "*2345"),
        ({}, "", ""),
        ({}, "   ", "   "),
        ({}, "*", "*"),
        ({"first": 1, "last": 0}, "Ada Lovelace", "A** ********"),
        ({"first": 1, "last": 0}, "A", "*"),
        ({"first": 1, "last": 0}, "\U0001f468\u200d\u2695\ufe0f Zoë", "\U0001f468*** ***"),
        ({"first": 2, "last": 2, "keep_separators": False}, "ab-cd-ef", "ab****ef"),
        ({"first": 2, "last": 2, "keep_separators": False}, "ab-d", "****"),
        ({"first": 0, "last": 0}, "ada@example.com", "***@*******.***"),
        ({"first": 0, "last": 0, "character": "•"}, "Zoë 1", "••• •"),
        ({"first": 0, "last": 0, "character": "\\"}, "Zoë 1", "\\\\\\ \\"),
        ({"first": 0, "last": 0}, "عبد الله", "*** ****"),
        ({"first": 100, "last": 100}, "Ada Lovelace", "*** ********"),
        ({"first": 0, "last": 1}, "Ada\ud800", FAILED),
        ({"first": 1, "last": 0}, "A\ud800\udfff", "A**"),
        ({"first": 0, "last": 0}, "a\nb\tc\x1fd", "*\n*\t*\x1f*"),
    ],
)
def test_partial(options, value, expected):
    assert mask(Partial(options), value) == [expected]


@given(
    texts,
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
)
def test_never_shows_more_than_asked_and_keeps_the_length(value, first, last, keep_separators):
    options = {"first": first, "last": last, "keep_separators": keep_separators, "character": "█"}
    (result,) = mask(Partial(options), value)
    if result is FAILED:
        return
    assert len(result) == len(value)
    separators = " -/.,:;@()_+#" if keep_separators else ""
    shown = [
        one
        for one, other in zip(value, result, strict=True)
        if one == other != "█" and one not in separators and not (keep_separators and one.isspace())
    ]
    assert len(shown) <= first + last
    informative = [one for one in value if one not in separators and not (keep_separators and one.isspace())]
    assert not informative or len(shown) < len(informative)


@pytest.mark.parametrize("character", ["-", " ", "@", "\n", "\ud800", "\0"])
def test_a_separator_or_an_unprintable_character_covers_nothing(character):
    with pytest.raises(ValueError, match="`character`"):
        Partial({"character": character})


def test_a_separator_may_cover_where_separators_are_not_kept():
    assert mask(Partial({"character": "-", "keep_separators": False}), "1234-5678") == ["-----5678"]
