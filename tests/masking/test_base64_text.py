"""Base64 decoded, and encoded again as it was."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phimask.masking.base64_text import Base64Style, base64_decoded

stable = settings(derandomize=True, deadline=None, database=None)

STYLES = st.builds(
    Base64Style,
    url_safe=st.booleans(),
    padded=st.booleans(),
    line=st.sampled_from([0, 4, 64, 76]),
    line_break=st.sampled_from(["\n", "\r\n"]),
    end=st.just(""),
)


@stable
@given(st.binary(max_size=300), STYLES)
def test_what_was_encoded_in_any_style_is_found_and_encoded_alike(content: bytes, style: Base64Style) -> None:
    text = style.encode(content)
    decoded = base64_decoded(text)
    assert decoded is not None
    assert decoded[0] == content
    assert decoded[1].encode(content) == text


@stable
@given(st.text(alphabet="ABCZabcz019+/-_=\n\r ", max_size=12))
def test_whatever_is_taken_comes_back_as_it_was(text: str) -> None:
    decoded = base64_decoded(text)
    if decoded is not None:
        assert decoded[1].encode(decoded[0]) == text
        assert decoded[0] == base64.b64decode(
            "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=") + "=="
        )


@pytest.mark.parametrize(
    ("text", "longer"),
    [
        ("+/+/", "+/+/+/8="),
        ("-_-_", "-_-_-_8"),
        ("-_8=", "-_-_-_8="),
        ("+/8", "+/+/+/8"),
        ("YWI=\n", "+/+/+/8=\n"),
        ("YW\nI=", "+/\n+/\n+/\n8="),
    ],
)
def test_alphabet_padding_and_lines_are_kept(text: str, longer: str) -> None:
    decoded = base64_decoded(text)
    assert decoded is not None
    assert decoded[1].encode(b"\xfb\xff\xbf\xfb\xff") == longer


@pytest.mark.parametrize(
    "text",
    ["A", "AB=", "AR==", "A=BC", "====", "+/-_", "AB CD", " ABCD", "AB\nCDE\nF", "\u00c4BCD", "AB==\n\n"],
)
def test_what_is_no_base64_or_would_not_come_back_is_refused(text: str) -> None:
    assert base64_decoded(text) is None


def test_nothing_is_nothing() -> None:
    decoded = base64_decoded("")
    assert decoded is not None
    assert decoded[0] == b""
