"""pseudonym: short tokens, and what happens when two values meet in one."""

from __future__ import annotations

import re

import pytest
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import KEY, OTHER_KEY, mask, texts

from phimask import FAILED
from phimask_plugins.maskers import Pseudonym
from phimask_plugins.maskers.collisions import Collisions

CROCKFORD = "[0-9A-HJKMNP-TV-Z]"
SYLLABLES = "(?:[bdfghjklmnprstvz][aiou]?|[aiou])"


@given(texts.filter(bool), st.integers(8, 40))
def test_tokens_have_the_length_and_alphabet_asked_for(value, length):
    (token,) = mask(Pseudonym({"length": length, "prefix": "P-"}, KEY), value)
    assert re.fullmatch(f"P-{CROCKFORD}{{{length}}}", token)
    (token,) = mask(Pseudonym({"length": length, "style": "syllables"}, KEY), value)
    letters = token.replace("-", "")
    assert len(letters) == length
    assert all(one in ("aiou" if place % 2 else "bdfghjklmnprstvz") for place, one in enumerate(letters))
    assert [len(part) for part in token.split("-")[:-1]] == [5] * (-(-length // 5) - 1)


def test_a_value_has_one_token_whatever_type_it_is_kept_in():
    first, *others = mask(Pseudonym({}, KEY), "4711", 4711, Int64(4711))
    assert others == [first, first]
    oid = ObjectId("0123456789abcdef01234567")
    text, same = mask(Pseudonym({}, KEY), str(oid), oid)
    assert text == same
    assert mask(Pseudonym({}, OTHER_KEY), "4711") != [first]
    assert mask(Pseudonym({}, KEY), "", 1.5, b"x") == ["", FAILED, FAILED]


def test_tokens_use_all_symbols_at_all_places():
    tokens = mask(Pseudonym({"length": 8}, KEY), *range(2000))
    assert len(set(tokens)) == 2000
    assert all(len({token[place] for token in tokens}) == 32 for place in range(8))


def test_a_token_is_never_the_value_itself():
    masker = Pseudonym({}, KEY)
    (token,) = mask(masker, "P1")
    # What masks to itself cannot be found by trying, so the draw is taught to give it.
    plain = masker._token
    masker._token = lambda number: (
        plain(number)._replace(text="P2") if not drawn.append(number) and len(drawn) == 1 else plain(number)
    )
    drawn: list[int] = []
    (other,) = mask(masker, "P2")
    assert other not in ("P2", token)
    assert len(drawn) == 2


def test_the_second_value_of_a_token_fails_and_the_first_keeps_it():
    masker = Pseudonym({"length": 8}, KEY)
    plain = masker._token
    masker._token = lambda number: plain(number % 16)
    values = [f"value {number}" for number in range(200)]
    tokens = mask(masker, *values)
    kept = [token for token in tokens if token is not FAILED]
    assert len(kept) == len(set(kept)) <= 16
    assert tokens.count(FAILED) == 200 - len(kept)
    assert mask(masker, *values) == tokens


def test_the_prefix_is_text():
    with pytest.raises(ValueError, match="lone surrogate"):
        Pseudonym({"prefix": "\ud800"}, KEY)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 4)), max_size=300))
def test_a_token_belongs_to_its_first_original(claims):
    table, owners = Collisions(1_000_000), {}
    for token, original in claims:
        assert table.claim(token << 10, original) == (owners.setdefault(token, original) == original)
    assert len(table) == len(owners)
    assert table.forgotten == 0


def test_the_table_keeps_what_it_knew_as_it_grows_and_stops_at_its_limit():
    table = Collisions(64 * 1024)
    tokens = [(number * 0x9E3779B97F4A7C15) & (2**64 - 1) for number in range(2000)]
    assert all(table.claim(token, number + 1) for number, token in enumerate(tokens))
    assert (len(table), table.forgotten) == (2000, 0)
    assert not any(table.claim(token, number + 2) for number, token in enumerate(tokens))
    assert all(table.claim(number * 0xD1B54A32D192ED03, 7) for number in range(1, 20_000))
    assert table.forgotten > 10_000
    assert len(table) <= 4096
    assert table._table.itemsize * len(table._table) <= 64 * 1024
    assert not any(table.claim(token, number + 2) for number, token in enumerate(tokens))
