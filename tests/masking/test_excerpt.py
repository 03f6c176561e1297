"""Excerpts: exactly the bytes at dotted paths, and the very same document once they are back."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import Node, build, parse
from phimask.masking.excerpt import Overlap, excerpt, paths_of, put_back
from strategies import trees

CORPUS = Path(__file__).resolve().parents[2] / "../shared/testdata/bson_corpus.jsonl"

DOCUMENT = bson.encode(
    {"_id": 1, "Name": "Ada", "Visits": [{"Note": "a"}, {"Note": "b", "0": "key"}], "P": {"0": {"x": 1}}}
)


def values(*nodes: Node) -> bytes:
    return build(list(nodes))


def text(content: bytes) -> bytes:
    return struct.pack("<i", len(content) + 1) + content + b"\0"


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        ([b"Name"], values((0x02, b"Name", text(b"Ada")))),
        (
            [b"Visits.1.Note", b"Name"],
            values((0x02, b"Visits.1.Note", text(b"b")), (0x02, b"Name", text(b"Ada"))),
        ),
        ([b"Visits.1.0"], values((0x02, b"Visits.1.0", text(b"key")))),
        ([b"P.0.x"], values((0x10, b"P.0.x", b"\1\0\0\0"))),
        ([], values()),
    ],
)
def test_takes_values_in_the_order_of_the_paths(paths: list[bytes], found: bytes) -> None:
    assert excerpt(DOCUMENT, paths) == found
    assert paths_of(found) == paths


@pytest.mark.parametrize(
    "path", [b"name", b"Visits.2.Note", b"Visits.Note", b"Name.x", b"P.00.x", b"Visits.-1", b""]
)
def test_a_path_that_is_missing(path: bytes) -> None:
    assert excerpt(DOCUMENT, [b"_id", path]) is None
    assert put_back(DOCUMENT, values((0x0A, path, b""))) == DOCUMENT


@pytest.mark.parametrize("paths", [(b"a", b"a.b"), (b"a.b", b"a"), (b"a", b"a"), (b"a.0.b", b"a.0")])
def test_paths_that_lead_into_each_other(paths: tuple[bytes, bytes]) -> None:
    with pytest.raises(Overlap):
        excerpt(DOCUMENT, paths)


def test_of_a_key_that_is_there_twice_the_first_is_meant() -> None:
    raw = build([(0x10, b"a", b"\1\0\0\0"), (0x10, b"a", b"\2\0\0\0")])
    one = values((0x10, b"a", b"\1\0\0\0"))
    assert excerpt(raw, [b"a"]) == one
    assert parse(put_back(raw, values((0x0A, b"a", b"")))) == [(0x0A, b"a", b""), (0x10, b"a", b"\2\0\0\0")]


def nameable_places(nodes: list[Node], prefix: bytes = b"") -> list[bytes]:
    """The dotted paths of all values that one can name, those of containers too."""
    keys = [key for _, key, _ in nodes]
    found = []
    for bson_type, key, value in nodes:
        if key == b"" or b"." in key or keys.count(key) > 1:
            continue
        path = prefix + key
        found.append(path)
        if bson_type in (0x03, 0x04) and not isinstance(value, bytes):
            found += nameable_places(value, path + b".")
    return found


@given(st.data())
def test_what_is_put_back_is_what_was_there(data: st.DataObject) -> None:
    nodes = data.draw(trees())
    raw = build(nodes)
    places = nameable_places(nodes)
    chosen: list[bytes] = []
    for path in data.draw(st.permutations(places)):
        if not any(path.startswith(other + b".") or other.startswith(path + b".") for other in chosen):
            chosen.append(path)
    before = excerpt(raw, chosen)
    assert before is not None
    assert paths_of(before) == chosen
    other = values(*((0x02, path, text(b"masked " + path)) for path in chosen))
    masked = put_back(raw, other)
    assert excerpt(masked, chosen) == other
    assert put_back(masked, before) == raw


def test_every_type_of_the_corpus() -> None:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if case["kind"] != "valid":
            continue
        nodes: list[Node] = [
            (0x10, b"_id", b"\1\0\0\0"),
            (0x03, b"P", [(0x03, b"case", parse(bytes.fromhex(case["canonical_bson"])))]),
        ]
        raw = build(nodes)
        chosen = [
            path for path in nameable_places(nodes) if path.startswith(b"P.case.") and path.count(b".") == 2
        ]
        before = excerpt(raw, chosen)
        assert before is not None
        masked = put_back(raw, values(*((0x0A, path, b"") for path in chosen)))
        assert put_back(masked, before) == raw
