"""Raw BSON is taken apart as the oracle does it, and what is no BSON is never taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import Node, build, parse
from phimask.rawbson import ARRAY, DOCUMENT, Element, MalformedBsonError, elements, wrap
from strategies import documents

CORPUS = Path(__file__).resolve().parents[1] / "../shared/testdata/bson_corpus.jsonl"

stable = settings(derandomize=True, deadline=None, database=None, max_examples=200)


def tree(raw: bytes, start: int = 0) -> list[Node]:
    """The document in the oracle's terms, from its elements."""
    return [
        (
            element.kind,
            element.key,
            tree(raw, element.value)
            if element.kind in (DOCUMENT, ARRAY)
            else raw[element.value : element.end],
        )
        for element in elements(raw, start)
    ]


@stable
@given(documents())
def test_elements_are_those_of_the_oracle(raw: bytes) -> None:
    assert tree(raw) == parse(raw)


@stable
@given(documents())
def test_elements_cover_every_byte(raw: bytes) -> None:
    found = list(elements(raw))
    body = b"".join(raw[element.start : element.end] for element in found)
    assert wrap(body) == raw


@stable
@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_refused(noise: bytes) -> None:
    for raw in (noise, wrap(noise)):
        try:
            found = list(elements(raw))
        except MalformedBsonError:
            continue
        assert all(4 <= one.start < one.value <= one.end < len(raw) for one in found)


@stable
@given(documents(), st.data())
def test_a_damaged_document_stays_within_its_bytes(raw: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(raw) - 1))
    damaged = raw[:place] + bytes([data.draw(st.integers(0, 255))]) + raw[place + 1 :]
    try:
        assert all(one.end < len(raw) for one in elements(damaged))
    except MalformedBsonError:
        assert damaged != raw


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_document_cut_short_is_malformed(cut: int) -> None:
    raw = bson.encode({"a": "Ada", "b": 5})
    with pytest.raises(MalformedBsonError):
        list(elements(raw[:-cut]))


@pytest.mark.parametrize(
    "body",
    [
        b"\x66a\0",
        b"\x02a\0\xff\xff\xff\xff",
        b"\x02a\0\xff\xff\xff\x7fabc\0",
        b"\x03a\0\xff\0\0\0\0",
        b"\x05a\0\x05\0\0\0\0abc",
        b"\x0ba\0no end",
        b"\x0ca\0\x02\0\0\0x\0short",
        b"\x10a\0\1\0",
        b"\x10no end of key",
        b"\x10",
    ],
)
def test_malformed_elements(body: bytes) -> None:
    with pytest.raises(MalformedBsonError) as raised:
        list(elements(wrap(body)))
    assert raised.value.args == ()
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize(
    "raw", [b"", b"\5", b"\0\0\0\0\0", b"\4\0\0\0\0", b"\5\0\0\0\1", b"\xff\xff\xff\xff\0"]
)
def test_what_is_no_document_at_all(raw: bytes) -> None:
    with pytest.raises(MalformedBsonError):
        list(elements(raw))


def test_an_empty_document_has_no_elements() -> None:
    assert list(elements(wrap(b""))) == []


def test_an_element_shows_no_key() -> None:
    (element,) = elements(bson.encode({"Quillfeather": 1}))
    assert isinstance(element, Element)
    assert "Quillfeather" not in repr(element)


def test_the_corpus() -> None:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    cases = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    raws = [bytes.fromhex(case["canonical_bson"]) for case in cases if case["kind"] == "valid"]
    assert len(raws) > 700
    for raw in raws:
        assert build(tree(raw)) == raw
