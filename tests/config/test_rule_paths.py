from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phimask.config.paths import PathSyntaxError, format_path, parse_path
from phimask.plugins.values import Wildcard

ANY, DEEP = Wildcard.ANY_KEY, Wildcard.ANY_DEPTH


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("Name", ("Name",)),
        ("Patient.Name.First", ("Patient", "Name", "First")),
        ("**", (DEEP,)),
        ("**.SSN", (DEEP, "SSN")),
        ("Visits.*.Date", ("Visits", ANY, "Date")),
        ("*.**.*", (ANY, DEEP, ANY)),
        ('Patient."first.name"', ("Patient", "first.name")),
        ('"*"."**".""', ("*", "**", "")),
        (r'"say \"hi\""."a\\b"', ('say "hi"', "a\\b")),
        ('"0".x', ("0", "x")),
        ("$ref.größe.first name", ("$ref", "größe", "first name")),
        ("v1.2nd", ("v1", "2nd")),
    ],
)
def test_paths_and_back(text: str, segments: tuple[str | Wildcard, ...]) -> None:
    assert parse_path(text) == segments
    assert format_path(segments) == text


def test_quotes_that_are_not_needed_are_dropped() -> None:
    assert format_path(parse_path('"Patient"."Name"')) == "Patient.Name"


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        (".a", 1),
        ("a..b", 3),
        ("a.", 2),
        ("a.b.", 4),
        ('a."b', 3),
        ('"a"b', 4),
        ('a"b', 2),
        ("a*", 2),
        ("a.b**", 4),
        ("***", 1),
        ("**.**", 4),
        ("a.**.**.b", 6),
        ("Visits.0.Date", 8),
        ("7", 1),
        (r"a\.b", 2),
        (r'"a\n"', 3),
        ("a. b", 3),
        ("a .b", 1),
        ('"a\0"', 1),
        ("a\0", 1),
    ],
)
def test_what_is_no_path_says_where(text: str, position: int) -> None:
    with pytest.raises(PathSyntaxError) as caught:
        parse_path(text)
    assert caught.value.position == position
    assert caught.value.right


def test_an_index_is_explained() -> None:
    with pytest.raises(PathSyntaxError, match=r'arrays are walked through.*in quotes: "0"'):
        parse_path("Visits.0.Date")


keys = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.one_of(keys, st.just(ANY), st.just(DEEP)), min_size=1, max_size=6))
@example(["1\n"])
@example(["\x1c"])
@example(["a\\"])
def test_any_segments_survive_the_way_there_and_back(segments: list[str | Wildcard]) -> None:
    if (DEEP, DEEP) in pairwise(segments):
        with pytest.raises(PathSyntaxError):
            parse_path(format_path(segments))
    else:
        assert parse_path(format_path(segments)) == tuple(segments)


@given(st.text(alphabet='ab.*"\\0 ', max_size=12))
def test_any_text_is_a_path_or_says_where_it_is_not(text: str) -> None:
    try:
        segments = parse_path(text)
    except PathSyntaxError as error:
        position = error.position
    else:
        assert parse_path(format_path(segments)) == segments
        return
    assert 1 <= position <= max(1, len(text))
