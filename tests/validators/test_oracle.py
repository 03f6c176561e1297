"""The oracle is trusted by other tests: what it says is checked here, by hand where it matters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import given

from oracle import (
    OracleRule,
    build,
    expected,
    keep,
    matches,
    matches_deeper,
    nullify,
    on_text,
    parse,
    plus_a_day,
    redacted,
    remove,
)
from phimask import Wildcard
from strategies import documents

ANY, DEEP = Wildcard.ANY_KEY, Wildcard.ANY_DEPTH
CORPUS = Path(__file__).resolve().parents[2] / "../shared/testdata/bson_corpus.jsonl"

reverse = on_text(lambda text: text[::-1])
NULLIFY = (nullify, True, False)
REMOVE = (remove, True, True)


def masked(document: dict[str, Any], *rules: tuple[Any, ...]) -> dict[str, Any]:
    return bson.decode(expected(bson.encode(document), [OracleRule(*rule) for rule in rules]))


def test_round_trip_of_the_corpus() -> None:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    cases = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    raws = [bytes.fromhex(case["canonical_bson"]) for case in cases if case["kind"] == "valid"]
    assert len(raws) > 700
    for raw in raws:
        assert build(parse(raw)) == raw


@given(documents())
def test_round_trip_and_no_rules(raw: bytes) -> None:
    assert build(parse(raw)) == raw
    assert expected(raw, []) == raw


@given(documents(odd=False))
def test_documents_that_are_not_odd_survive_pymongo(raw: bytes) -> None:
    assert bson.encode(bson.decode(raw)) == raw


@pytest.mark.parametrize(
    ("path", "keys", "here", "deeper"),
    [
        (("a",), "a", True, False),
        (("a",), "b", False, False),
        (("a", "b"), "a", False, True),
        (("a", ANY), "a b", True, False),
        (("a", ANY), "a", False, True),
        (("a", DEEP), "a", True, True),
        (("a", DEEP, "b"), "a b", True, True),
        (("a", DEEP, "b"), "a x y b", True, True),
        (("a", DEEP, "b"), "a x y", False, True),
        ((DEEP, "b"), "a x", False, True),
        ((ANY, "b"), "a x", False, False),
        ((DEEP,), "a b c", True, True),
    ],
)
def test_matching(path: tuple[str | Wildcard, ...], keys: str, here: bool, deeper: bool) -> None:
    as_keys = [key.encode() for key in keys.split()]
    assert matches(path, as_keys) is here
    assert matches_deeper(path, as_keys) is deeper


def test_the_last_rule_wins_and_covers_what_is_below() -> None:
    document = {"a": {"b": "one", "c": ["two", {"d": "three"}]}, "e": "four"}
    assert masked(document, (("a",), reverse), (("a", "c", "d"), keep)) == {
        "a": {"b": "eno", "c": ["owt", {"d": "three"}]},
        "e": "four",
    }
    assert masked(document, (("a", "c", "d"), keep), (("a",), reverse)) == {
        "a": {"b": "eno", "c": ["owt", {"d": "eerht"}]},
        "e": "four",
    }


def test_null_and_missing_stay_as_they_are() -> None:
    assert masked({"a": None}, (("a",), reverse), (("b",), reverse)) == {"a": None}
    assert masked({"a": None, "b": [None, "x"]}, (("a",), *REMOVE), (("b",), *NULLIFY)) == {
        "a": None,
        "b": [None, None],
    }


def test_id_is_never_masked() -> None:
    document = {"_id": {"ssn": "123"}, "a": {"_id": "123"}}
    assert masked(document, ((DEEP,), reverse)) == {"_id": {"ssn": "123"}, "a": {"_id": "321"}}


def test_nullify_takes_sub_documents_whole_and_arrays_by_element() -> None:
    document = {"a": {"b": 1, "c": {"d": 2}}, "l": [1, {"x": 1}, [2, 3]]}
    assert masked(document, (("a",), *NULLIFY), (("l",), *NULLIFY)) == {
        "a": None,
        "l": [None, None, [None, None]],
    }
    assert masked(document, (("a",), *NULLIFY), (("a", "c", "d"), keep)) == {
        "a": {"b": None, "c": {"d": 2}},
        "l": document["l"],
    }


def test_remove_takes_everything_whole_unless_a_later_rule_may_match_inside() -> None:
    document = {"a": {"b": 1, "c": {"d": 2}}, "l": [1, {"x": 1, "y": 2}, [3]]}
    assert masked(document, (("a",), *REMOVE), (("l",), *REMOVE)) == {}
    assert masked(document, (("a",), *REMOVE), (("a", "c", "d"), keep)) == {
        "a": {"c": {"d": 2}},
        "l": document["l"],
    }
    assert masked(document, (("l",), *REMOVE), (("l", "y"), keep)) == {
        "a": document["a"],
        "l": [None, {"y": 2}, [None]],
    }


def test_what_a_masker_cannot_take_is_redacted() -> None:
    document = {"a": 7, "b": bson.Regex("x"), "c": DatetimeMS(2**50), "d": bson.Binary(b"1", 128)}
    assert masked(document, ((DEEP,), reverse)) == {
        "a": 0,
        "b": None,
        "c": bson.decode(bson.encode({"": DatetimeMS(0)}))[""],
        "d": bson.Binary(b"", 128),
    }
    assert redacted(0xFF, b"") == (0x0A, b"")


def test_maskers_for_tests() -> None:
    day = bson.encode({"a": DatetimeMS(86_400_000)})
    assert expected(bson.encode({"a": DatetimeMS(0)}), [(("a",), plus_a_day)]) == day
