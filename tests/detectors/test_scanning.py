"""The native scanner and the expressions one by one find the same, in anything."""

from __future__ import annotations

import json
import random
import re
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from phimask_plugins.detectors import registered, scanning
from phimask_plugins.detectors.dictionary import Dictionary, places_of
from phimask_plugins.detectors.pattern import PatternDetector
from phimask_plugins.detectors.scanning import Rule, Scan, Scanner, sure

DATA = Path(__file__).resolve().parents[2] / "../shared/testdata"
RULES = [rule for cls in registered.ALL if issubclass(cls, PatternDetector) for rule in cls.rules]
NATIVE, PURE = Scanner(RULES), Scanner(RULES, native=False)

PIECES = (
    "Dr. Okafor", "Ada", "Lovelace", "Lovelace, Ada", "A. Oakes", "MRN", "SSN", "123-45-6789", "912-70-1234", "912701234",
    "(212) 555-0134", "+1 212 555 0134", "1", "12", "123", "1234567893", "12125550134", "04/17/1931", "4/17", "2019-03-04",
    "April 17th, 1931", "17 APR 31", "may", "May 5", "19310417", "T08:15", "at", "seen at", "St. Mary's", "Mercy Hospital",
    "Springfield, MA 01103", "17 Elm Street", "P.O. Box 12", "zip", "01103-1234", "a@b.example", "@", "www.", "example.org",
    "http://x.example/a?b", "192.0.2.7", "::ffff:192.0.2.1", "fe80::1", "00:1a:2b:3c:4d:5e", "0012.3456.789a", "4012888888881881",
    "4012 8888 8888 1881", "GB82 WEST 1234 5698 7654 32", "AB1234563", "1EG4-TE5-MK73", "1M8GDM9AXKP042788", "94-year-old",
    "aged 93", "plate", "policy no.", "HP-123456", "#12345", "fax", "call", "van der", "of", "the", "Patient", "patient", "name:",
    "is", "I.", "J", "X", ":", "-", ".", ",", "/", "(", ")", "#", "\n", "\t", "0", "00", "9", "ninety-four years old", "hundred",
)  # fmt: skip


def both(text: str) -> tuple[list[list[scanning.Found]], list[list[scanning.Found]]]:
    return tuple([found(scanner, rule, text) for rule in RULES] for scanner in (NATIVE, PURE))  # type: ignore[return-value]


def found(scanner: Scanner, rule: Rule, text: str) -> list[scanning.Found]:
    return scanner.scan([text]).find([rule]).get(0, [])


def test_the_library_is_there_to_be_compared() -> None:
    assert NATIVE.scan([""]).native
    assert not PURE.scan([""]).native


@settings(max_examples=examples(120), deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(("", " ", ", ", "-")))
def test_the_same_in_pieces_of_identifiers(pieces: list[str], between: str) -> None:
    native, pure = both(between.join(pieces))
    assert native == pure


@settings(max_examples=examples(100), deadline=None)
@given(st.text(st.sampled_from("0129A aZxX-. ()+@:/#'\n,é\u200b"), max_size=80))
def test_the_same_in_characters_that_identifiers_are_made_of(text: str) -> None:
    native, pure = both(text)
    assert native == pure


def test_the_same_in_many_mixed_texts() -> None:
    chance = random.Random(3)
    for _ in range(examples(1000)):
        native, pure = both(" ".join(chance.choices(PIECES, k=40)))
        assert native == pure


@pytest.mark.parametrize(
    "name",
    [
        "recognizer_cases.jsonl",
        "clinical_queries_dev.jsonl",
        pytest.param("templated_sentences.jsonl", marks=pytest.mark.soak),
    ],
)
def test_the_same_in_the_shared_texts(name: str) -> None:
    if not DATA.exists():
        pytest.skip("the shared test data are not here")
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        native, pure = both(json.loads(line)["text"])
        assert native == pure


@pytest.mark.parametrize("size", [1, 60, 98, 99, 100, 101, 102, 130])
def test_the_same_in_words_as_long_as_the_scanner_follows_them(size: int) -> None:
    for between in (" ", ", ", "-Oakes ", " van der "):
        native, pure = both(f"seen by A{'b' * size}{between}Lovelace on 4/17")
        assert native == pure


@pytest.mark.parametrize(
    "text",
    [
        "driver's license no. S1234567",
        "drivers licences: S1234567 and driver licking S7654321, lic 99887766",
        "seen on 2/3, as of 4/5/21 and before 6/7",
        "lives off 42nd Street, near N. Elm Avenue, on Main Street",
        "Patient:\nOakes, Ada; mother (Maria Okafor), father -  James Oakes",
        "Memorial(Boston\nMA) Springfield, MA 01103 " + "x" * 90 + "Springfield, MA 01103",
    ],
)
def test_the_same_where_triggers_are_shorter_than_what_they_are_for(text: str) -> None:
    native, pure = both(text)
    assert native == pure
    assert any(native)


def test_without_the_library_the_expressions_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    monkeypatch.setitem(sys.modules, "ahocorasick_rs", None)
    rule = Rule(r"\bab+\b", (r"\bab",), 1.0)
    scan = Scanner([rule]).scan(["abb xab ab", "x", "ab"])
    assert not scan.native
    assert scan.find([rule]) == {0: [(0, 3, 1.0), (8, 10, 1.0)], 2: [(0, 2, 1.0)]}
    assert Dictionary(["Ada"]).find("Ada") == [(0, 3)]
    assert not Dictionary(["Ada"]).is_native


def test_a_rule_goes_on_behind_what_it_believed_and_within_what_it_did_not() -> None:
    def judge(match: Rule) -> scanning.Found | None:
        return None if match[0] == "1212" else (*match.span(), 0.5)

    rule = Rule(r"\d{4}|\d{2}", (r"\d{2}",), judge)
    for native in (True, False):
        assert found(Scanner([rule], native=native), rule, "1212x3456") == [(1, 3, 0.5), (5, 9, 0.5)]


def test_a_group_can_be_the_find() -> None:
    rule = Rule(r"no\. (\d+)", (r"no\. \d",), sure(0.8, 1))
    assert found(Scanner([rule]), rule, "no. 47") == [(4, 6, 0.8)]


def test_a_glance_answers_for_the_longest_trigger_that_it_believes() -> None:
    asked = []

    def glance(expression: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
        asked.append((start, end))
        return None if end > 3 else expression.match(text, start)

    rule = Rule("ab{2}", ("ab{1,4}",), 1.0, glance=glance)
    assert found(Scanner([rule]), rule, "abbbb") == [(0, 3, 1.0)]
    assert asked == [(0, 5), (0, 4), (0, 3)]


def test_threads_scan_side_by_side() -> None:
    results: dict[int, bool] = {}

    def work(number: int) -> None:
        text = f"MRN {number}123456, seen 0{number}/17/2021"
        spans = [[one.start for one in cls({}).detect(text)] for cls in registered.ALL]
        results[number] = all(
            [[one.start for one in cls({}).detect(text)] for cls in registered.ALL] == spans
            for _ in range(30)
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(1, 6), True)


def test_a_text_is_scanned_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = Scanner.scan

    def counted(self: Scanner, texts: Iterable[str]) -> Scan:
        calls.extend(texts)
        return real(self, texts)

    monkeypatch.setattr(Scanner, "scan", counted)
    text = "seen by Dr. Okafor on 4/17/2021 for the only time"
    for cls in registered.ALL:
        list(cls({}).detect(text))
    assert calls == [text]


WORDS = (
    "Ada",
    "Ada Lovelace",
    "Lovelace",
    "St. Louis",
    "New York",
    "York",
    "Anna",
    "Ann",
    "A1",
    "Winston-Salem",
)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.sampled_from((*WORDS, "New", "Yorker", "x", " ", " ", "-", ".", "St.", "1")), max_size=12))
def test_both_kinds_of_dictionary_find_the_same(pieces: list[str]) -> None:
    text = "".join(pieces)
    native, pure = Dictionary(WORDS), Dictionary(WORDS, native=False)
    assert native.is_native
    found = native.find(text)
    assert found == pure.find(text)
    assert found == places_of(WORDS, text)
    at = 0
    for start, end in found:
        assert at <= start
        assert text[start:end] in WORDS
        at = end


def test_the_longest_entry_counts_and_only_where_it_stands_alone() -> None:
    dictionary = Dictionary(WORDS)
    text = "Ada Lovelace, Annabel, New Yorker, St. Louis"
    assert [text[start:end] for start, end in dictionary.find(text)] == ["Ada Lovelace", "St. Louis"]
    assert Dictionary([]).find(text) == []
