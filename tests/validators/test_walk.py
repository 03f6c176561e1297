from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import build, parse, redacted
from phimask_plugins.validators.walk import ALIASES, KINDS, MalformedError, blank, elements, size_at
from strategies import documents, scalars

CORPUS = Path(__file__).resolve().parents[2] / "../shared/testdata/bson_corpus.jsonl"


def read(raw: bytes) -> list[tuple[int, bytes, bytes]]:
    return [(found.kind, found.key, raw[found.value : found.end]) for found in elements(raw, 0, len(raw))]


def reference(raw: bytes) -> list[tuple[int, bytes, bytes]]:
    return [
        (kind, key, value if isinstance(value, bytes) else build(value)) for kind, key, value in parse(raw)
    ]


@given(documents())
def test_elements_are_what_the_oracle_sees(raw: bytes) -> None:
    assert read(raw) == reference(raw)


def test_elements_of_the_corpus() -> None:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    seen = set()
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if case["kind"] == "valid":
            raw = bytes.fromhex(case["canonical_bson"])
            assert read(raw) == reference(raw)
            seen.update(kind for kind, _, _ in read(raw))
    assert seen == set(ALIASES)


@given(documents(), st.data())
def test_cut_or_broken_documents_are_malformed_or_read_within_bounds(raw: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(raw) - 1))
    broken = raw[:at] + bytes([data.draw(st.integers(0, 255))]) + raw[at + 1 :]
    try:
        found = elements(broken, 0, len(broken))
    except MalformedError:
        found = []
    assert all(element.value <= element.end < len(broken) for element in found)
    with pytest.raises(MalformedError):
        elements(raw[:at], 0, at)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\0\0",
        struct.pack("<i", 6) + b"\0",  # says it is longer than it is
        struct.pack("<i", 5) + b"\1",  # no NUL at its end
        struct.pack("<i", 8) + b"\x14a\0\0",  # no such type
        struct.pack("<i", 8) + b"\x0aab\0"[:3] + b"\0"[:1],  # a key without end
        struct.pack("<i", 13) + b"\x02a\0" + struct.pack("<i", 1) + b"x\0",  # a string without its NUL
        struct.pack("<i", 12) + b"\x02a\0" + struct.pack("<i", 0) + b"\0",  # a string of no bytes at all
        struct.pack("<i", 12) + b"\x03a\0" + struct.pack("<i", -1) + b"\0",
        struct.pack("<i", 10) + b"\x0ba\0xx",  # a regular expression without end
    ],
)
def test_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        elements(raw, 0, len(raw))


def test_the_error_says_nothing() -> None:
    raw = struct.pack("<i", 20) + b"\x02a\0" + struct.pack("<i", 99) + b"secret\0\0"
    with pytest.raises(MalformedError) as caught:
        elements(raw, 0, len(raw))
    assert str(caught.value) == ""
    with pytest.raises(MalformedError):
        size_at(b"\1\0", 0x02, 0)


@given(scalars())
def test_blanks_are_those_of_the_oracle(scalar: tuple[int, bytes]) -> None:
    assert blank(*scalar) == redacted(*scalar)


def test_aliases_are_those_of_the_server() -> None:
    assert KINDS["javascriptWithScope"] == 0x0F
    assert {kind: ALIASES[kind] for kind in KINDS.values()} == ALIASES
    assert blank(KINDS["object"], b"") == blank(KINDS["array"], b"") == (KINDS["null"], b"")
