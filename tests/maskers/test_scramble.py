"""scramble: the shape stays, the characters do not."""

from __future__ import annotations

from collections import Counter

import pytest
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask, texts

from phimask import FAILED
from phimask_plugins.maskers import Scramble


def shape(text: str) -> str:
    return "".join(
        ("A" if one.isupper() or one.istitle() else "a") if one.isalpha() else "0" if one.isnumeric() else one
        for one in text
    )


@given(texts)
def test_the_shape_stays_and_the_text_does_not(value):
    (result,) = mask(Scramble({}, KEY), value)
    if result is FAILED:
        has_surrogate = any("\ud800" <= one <= "\udfff" for one in value)
        assert has_surrogate or not any(one.isalpha() or one.isnumeric() for one in value)
        return
    assert shape(result) == shape(value)
    assert result != value or not value
    changed = [one for one, other in zip(result, value, strict=True) if one != other]
    assert all(one.isascii() and one.isalnum() for one in changed)


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("MRN-0047 b", "AAA-0000 a"),
        ("Zoë Núñez", "Aaa Aaaaa"),
        ("王小明", "aaa"),
        ("٣٤٥", "000"),
        ("a²", "a0"),
        ("ǅ", "A"),
    ],
)
def test_letters_and_digits_of_all_scripts_become_latin_ones(value, pattern):
    (result,) = mask(Scramble({}, KEY), value)
    assert result.isascii()
    assert shape(result) == pattern


@pytest.mark.parametrize("value", ["-", " ", "🩺", "\u202e", "\ud800", "a\ud800", b"a", 1.5, True, None])
def test_what_cannot_be_scrambled_fails(value):
    assert mask(Scramble({}, KEY), value) == [FAILED]


def test_all_letters_and_digits_are_as_likely():
    results = mask(Scramble({}, KEY), *(f"a{number:04}Z" for number in range(5200)))
    for place, size in ((0, 26), (2, 10), (5, 26)):
        counts = Counter(result[place] for result in results)
        assert len(counts) == size
        expected = len(results) / size
        # Far in the tail for either number of degrees of freedom; the key is fixed.
        assert sum((count - expected) ** 2 / expected for count in counts.values()) < 60


@given(st.integers(-(2**31), 2**31 - 1) | st.integers(-(2**63), 2**63 - 1).map(Int64))
def test_numbers_keep_type_sign_and_digits_and_change(value):
    (result,) = mask(Scramble({}, KEY), value)
    assert type(result) is type(value)
    assert result != value
    assert len(str(result)) == len(str(value))
    assert (result < 0) == (value < 0)


def test_single_digits_and_extremes():
    assert len(set(mask(Scramble({}, KEY), *range(10)))) > 3
    assert all(-9 <= one <= -1 for one in mask(Scramble({}, KEY), *range(-9, 0)))
    low, high = mask(Scramble({}, KEY), Int64(-(2**63)), Int64(2**63 - 1))
    assert -(2**63) < low < -(10**18) < 10**18 < high < 2**63 - 1


def test_long_texts_do_not_repeat_themselves():
    (result,) = mask(Scramble({}, KEY), "a" * 300_000)
    pieces = {result[start : start + 16] for start in range(0, len(result), 16)}
    assert len(pieces) == 300_000 // 16


def test_it_depends_on_the_key_and_on_all_of_the_value():
    one, other = mask(Scramble({}, KEY), "Ada Lovelace 1", "Ada Lovelace 2")
    assert sum(first == second for first, second in zip(one, other, strict=True)) < 8
    assert mask(Scramble({}, OTHER_KEY), "Ada Lovelace 1") != [one]
