"""regex_replace: RE2's patterns, groups in replacements, and no text that takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from masker_cases import mask

from phimask import FAILED
from phimask_plugins.maskers import RegexReplace


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({"pattern": "[0-9]"}, "MRN 47", "MRN "),
        ({"pattern": "[0-9]", "replacement": "#"}, "MRN 47", "MRN ##"),
        ({"pattern": "[0-9]", "replacement": "#", "count": 1}, "MRN 47", "MRN #7"),
        ({"pattern": r"(\w+), (\w+)", "replacement": r"\2 \1"}, "Lovelace, Ada", "Ada Lovelace"),
        ({"pattern": r"(?P<y>\d{4})-\d\d-\d\d", "replacement": r"\g<y>"}, "on 1987-05-17.", "on 1987."),
        ({"pattern": r"(\d)(\d)?", "replacement": r"<\g<0>|\2>"}, "123", "<12|2><3|>"),
        ({"pattern": "a", "replacement": r"\\1"}, "a", r"\1"),
        ({"pattern": "(?i)ada", "replacement": "X"}, "ADA ada", "X X"),
        ({"pattern": "ada", "replacement": "X"}, "ADA", FAILED),
        ({"pattern": "ada", "replacement": "X", "unmatched": "keep"}, "ADA", "ADA"),
        ({"pattern": "Zoë|🩺", "replacement": "é"}, "Zoë 🩺 Zoë", "é é é"),
        ({"pattern": "", "replacement": "-"}, "日本", "-日-本-"),
        ({"pattern": "^", "replacement": "-"}, "", ""),
        ({"pattern": ".", "replacement": "-"}, "a\ud800", FAILED),
        ({"pattern": ".", "replacement": "-", "unmatched": "keep"}, "a\ud800", FAILED),
    ],
)
def test_regex_replace(options, value, expected):
    assert mask(RegexReplace(options), value) == [expected]


@given(st.text("ab1 é🩺", max_size=20), st.sampled_from(["a", "[ab]+", "(a)(b)?", r"\d|é", "(?:ab|b)1"]))
def test_it_replaces_what_pythons_own_engine_replaces(value, pattern):
    masker = RegexReplace({"pattern": pattern, "replacement": r"<\g<0>>", "unmatched": "keep"})
    assert mask(masker, value) == [re.sub(pattern, r"<\g<0>>", value)]


def test_a_pattern_that_explodes_elsewhere_takes_its_time_here():
    masker = RegexReplace({"pattern": "^(a+)+$", "replacement": "X"})
    assert mask(masker, "a" * 100_000 + "b") == [FAILED]
    assert mask(masker, "a" * 100_000) == ["X"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "("}, "`pattern` is none that RE2 knows"),
        ({"pattern": r"(a)\1"}, "`pattern` is none that RE2 knows"),
        ({"pattern": "a(?=b)"}, "`pattern` is none that RE2 knows"),
        ({"pattern": "\ud800"}, "lone surrogate"),
        ({"pattern": "a", "replacement": r"\1"}, "no group of the pattern; it has 0"),
        ({"pattern": "(a)", "replacement": r"\g<x>"}, "no group"),
        ({"pattern": "(a)", "replacement": r"\g<2>"}, "no group"),
        ({"pattern": "(a)", "replacement": r"\n"}, "a backslash itself"),
        ({"pattern": "(a)", "replacement": "x\\"}, "a backslash itself"),
        ({"pattern": "a", "replacement": "\ud800"}, "lone surrogate"),
    ],
)
def test_options_that_do_not_go_together(options, message, capfd):
    with pytest.raises(ValueError, match=re.escape(message)):
        RegexReplace(options)
    assert capfd.readouterr() == ("", "")
