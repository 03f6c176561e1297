"""choice: picks from a list, by weight, by value or by person."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from bson.int64 import Int64
from masker_cases import KEY, ODD_VALUES, OTHER_KEY, mask

from phimask_plugins.maskers import Choice

LETTERS = ["a", "b", "c", "d"]


def test_every_value_has_its_pick():
    masker = Choice({"values": LETTERS}, KEY)
    picks = mask(masker, *ODD_VALUES[:-3])
    assert set(picks) == set(LETTERS)
    assert mask(masker, *ODD_VALUES[:-3]) == picks
    assert mask(Choice({"values": LETTERS}, OTHER_KEY), *ODD_VALUES[:-3]) != picks


def test_types_are_told_apart_but_for_whole_numbers():
    masker = Choice({"values": list(range(10**5))}, KEY)
    text, integer, long, double, boolean = mask(masker, "1", 1, Int64(1), 1.0, True)
    assert integer == long
    assert len({text, integer, double, boolean}) == 4


@pytest.mark.parametrize("by", ["value", "subject"])
def test_picks_are_as_frequent_as_their_weights(by):
    masker = Choice({"values": LETTERS, "weights": [1, 0, 2.5, 0.5], "by": by}, KEY)
    counts = Counter(mask(masker, *range(8000), subjects=[b"%d" % person for person in range(8000)]))
    expected = {"a": 2000, "c": 5000, "d": 1000}
    assert set(counts) == set(expected)
    assert sum((counts[one] - count) ** 2 / count for one, count in expected.items()) < 14


def test_by_subject_a_person_has_one_pick():
    masker = Choice({"values": list(range(1000)), "by": "subject"}, KEY)
    assert masker.needs_subject
    assert len(set(mask(masker, *range(50)))) == 1
    assert len(set(mask(masker, *range(50), subjects=[b"%d" % person for person in range(50)]))) > 40
    assert not Choice({"values": [1]}, KEY).needs_subject


def test_what_it_gives_is_what_its_values_are():
    assert Choice({"values": LETTERS}, KEY).produces == {"string"}
    assert Choice({"values": [1, 0.5, True]}, KEY).produces == {"int", "long", "double", "bool"}
    assert mask(Choice({"values": [2**40]}, KEY), "x") == [2**40]


def test_a_file_holds_a_value_a_line(tmp_path):
    file = tmp_path / "cities.txt"
    file.write_bytes("\ufeffBoston\t3\r\nSão Paulo\n\nNowhere\t0\nLeft, Right\t1/2\n".encode())
    counts = Counter(mask(Choice({"file": str(file)}, KEY), *range(4500)))
    expected = {"Boston": 3000, "São Paulo": 1000, "Left, Right": 500}
    assert set(counts) == set(expected)
    assert sum((counts[one] - count) ** 2 / count for one, count in expected.items()) < 14


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a\tx\n", ":1: behind the tab"),
        (b"a\nb\t-1\n", ":2: behind the tab"),
        (b"a\tnan\n", ":1: behind the tab"),
        (b"a\t1/0\n", ":1: behind the tab"),
        (b"a\t0\n", "all weights are 0"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        Choice({"file": str(file)}, KEY)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of `values` and `file`"),
        ({"values": ["a"], "file": "x"}, "one of `values` and `file`"),
        ({"file": "no-such-file"}, "cannot be read"),
        ({"file": "x", "weights": [1]}, "`weights` belong to `values`"),
        ({"values": ["a", "b"], "weights": [1]}, "2 values and 1 weights"),
        ({"values": ["a"], "weights": [0]}, "all weights are 0"),
        ({"values": ["a"], "weights": [float("inf")]}, "no finite number"),
        ({"values": [2**63]}, "64 bits"),
        ({"values": ["\ud800"]}, "lone surrogate"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Choice(options, KEY)
