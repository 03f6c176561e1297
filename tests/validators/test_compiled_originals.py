"""What is compiled of the searches for originals says what they say in Python, and survives any bytes."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st
from test_comparison import trials
from test_compiled_beside import broken
from trial_rules import KEEP, NULLIFY, STUB, TEXT, TILDE, Trial, done, told

from effort import examples
from oracle import Node, build, expected
from phimask import DocumentPair, Finding, RuleFacts, Wildcard, compiled
from phimask_plugins.validators import Leak, Referential, bloom, known, own, referential
from phimask_plugins.validators.bloom import Bloom
from phimask_plugins.validators.compare import comparer_for
from phimask_plugins.validators.known import Unmet
from phimask_plugins.validators.matcher import Matcher
from phimask_plugins.validators.own import Own, OwnSearch, originals
from phimask_plugins.validators.parts import Masked, stretches
from phimask_plugins.validators.referential import _Judged
from phimask_plugins.validators.walk import (
    ALIASES,
    BINARY,
    INT32,
    INT64,
    OBJECT,
    STRING,
    MalformedError,
    blank,
)
from phimask_plugins.validators.words import known_by, words_in

pytestmark = pytest.mark.skipif(
    not compiled.AVAILABLE, reason="phimask was installed without its compiled walks"
)

KEY = bytes(range(32))
STATE = Matcher(()).top
NAMES = (b"FirstName", b"LastName", b"City", b"Note", b"", b"\xff")
ORIGINALS: Any = compiled.originals
FINGERPRINTS: Any = compiled.fingerprints
_Answer = TypeVar("_Answer")

words_of_people = st.sampled_from(
    ["Ada", "ADA", "ada", "O'Hara", "Zoë", "Straße", "STRASSE", "ﬁn", "K9", "\u212a9", "mr", "MR", "x", "İda"]
)
numbers = st.sampled_from(
    ["7000001", "1961-07-08", "19610708", "8.7.1961", "555", "0145", "12/31/99", "4", "१२३४५"]
)
separators = st.sampled_from([" ", "-", "", "\0", "_", ", ", "\u0301", "\u200d"])
pieces = st.lists(st.one_of(words_of_people, numbers, separators, st.text(max_size=3)), max_size=12)
texts = st.one_of(
    pieces.map("".join).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("ab12-. 09/A", max_size=24).map(str.encode),
    st.binary(max_size=12),
    st.sampled_from(
        [b"", b"\xed\xa0\x80", b"ab" * 97, b"ab" * 98, b"Ada Byron 7 " * 300, b"\xc3", b"abc\xc3"]
    ),
)


def string(content: bytes) -> bytes:
    return struct.pack("<i", len(content) + 1) + content + b"\0"


@st.composite
def values(draw: st.DrawFn) -> Masked:
    """A masked value of a type that originals may have, or of any."""
    kind = draw(st.sampled_from([STRING, STRING, STRING, INT32, INT64, OBJECT, BINARY, 0x09]))
    if kind == STRING:
        old = draw(st.one_of(texts.map(string), st.binary(max_size=8)))
    elif kind == OBJECT:
        old = bson.encode({"LastName": "Byron", "a": [{"b": "Ada 1234"}]})
    elif kind == BINARY:
        old = draw(st.sampled_from([b"\2\0\0\0\0ab", b"\0\0\0\0\0", b"\4\0\0\0\2\0\0\0\0"]))
    else:
        size = 4 if kind == INT32 else 8
        number = draw(st.one_of(st.integers(-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1), st.just(7000001)))
        old = number.to_bytes(size, "little", signed=True)
    new_kind, new = draw(
        st.sampled_from([(kind, string(b"Eve")), (None, b""), (kind, old), blank(kind, old)])
    )
    return Masked(STATE, kind, old, new_kind, new, draw(st.sampled_from(NAMES)), draw(st.integers(0, 2)))


documents = st.lists(values(), max_size=8)


@contextmanager
def in_python() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (bloom, known, own, referential):
            patch.setattr(module, "compiled", None)
        yield


def both(ask: Callable[[], _Answer]) -> tuple[_Answer, _Answer]:
    with in_python():
        slowly = ask()
    return ask(), slowly


def test_the_compiled_ways_are_in_use() -> None:
    used = [vars(module)["compiled"] for module in (known, own, bloom, referential)]
    assert used == [ORIGINALS, ORIGINALS, FINGERPRINTS, FINGERPRINTS]


@given(st.lists(documents, max_size=4))
@settings(max_examples=examples(80), deadline=None)
def test_originals_are_known_by_the_same(some: list[list[Masked]]) -> None:
    def ask() -> tuple[list[set[bytes]], set[bytes], Any, Any]:
        unmet = Unmet()
        return [unmet.known(masked) for masked in some], unmet._seen, unmet._seen_together, unmet._naming

    quickly, slowly = both(ask)
    assert quickly == slowly


like_dates = st.tuples(*[st.text("0129", max_size=5), st.sampled_from("-. a")] * 3).map("".join)
digits_alone = st.sampled_from([6, 7, 8, 12, 13, 14, 15]).map(lambda size: ("20" * 9)[:size])


@given(st.one_of(st.text("ab12-. 09/Z\0", max_size=24), like_dates, digits_alone))
@settings(max_examples=examples(400), deadline=None)
def test_a_text_is_known_by_the_same(text: str) -> None:
    masked = [Masked(STATE, STRING, string(text.encode()), None, b"", b"x", 0)]
    joined = known_by(text)
    found, others, _ = ORIGINALS.known(masked, set(), {}, bool)
    assert (found, others) == (set() if joined is None else {joined.encode()}, [])


@given(st.lists(texts, max_size=6), documents)
@settings(max_examples=examples(80), deadline=None)
def test_the_same_words_coincide(untouched: list[bytes], masked: list[Masked]) -> None:
    runs = stretches(b"\0".join(untouched))
    masked = [one for one in masked if one.kind != OBJECT]
    search = OwnSearch(comparer_for(()))
    near, some, digits = search._coinciding(runs, masked)
    assert digits
    found = ORIGINALS.coinciding(runs, masked, words_in, search._words_of)
    assert found is not None
    assert found[:2] == (near, some)
    assert found[2] or not own._numbers_in(runs, masked)


@given(st.lists(texts, max_size=6), documents)
@settings(max_examples=examples(80), deadline=None)
def test_both_ways_say_whether_an_original_may_be_in_a_text(
    untouched: list[bytes], masked: list[Masked]
) -> None:
    runs = stretches(b"\0".join(untouched))
    quickly, slowly = both(lambda: OwnSearch(comparer_for(()))._may_be_in(runs, masked))
    assert quickly == slowly


def test_a_word_or_a_number_that_coincides_is_not_overlooked() -> None:
    masked = [
        Masked(STATE, STRING, string("Zoë Byron".encode()), STRING, string(b"x"), b"Name", 0),
        Masked(STATE, STRING, string(b"(404) 555-0145"), STRING, string(b"x"), b"Phone", 0),
        Masked(STATE, INT64, (-7000001).to_bytes(8, "little", signed=True), INT64, bytes(8), b"Number", 0),
    ]

    def asked(*runs: bytes) -> Any:
        return ORIGINALS.coinciding(set(runs), masked, words_in, OwnSearch(comparer_for(()))._words_of)

    assert asked(b"nothing", b"\x80\xff") == ([], [], False)
    assert asked(b"with\1BYRON,\xff") == ([b"with\1BYRON,\xff"], masked[:1], False)
    assert asked("and\1ZOË".encode()) == (["and\1ZOË".encode()], masked[:1], False)
    assert asked(b"call 4045.550145") == ([], [], True)
    assert asked(b"no 7000001") == ([], [], True)
    assert asked(b"no 700", b"x") == ([], [], False)
    with in_python():
        assert Own(originals(masked)).may_be_in([b"7000001"])


def test_many_words_and_many_numbers_are_told_apart() -> None:
    source = random.Random(5)
    some = [f"w{source.randrange(10**6)} {source.randrange(10**9)}".encode() for _ in range(4_000)]
    masked = [Masked(STATE, STRING, string(one), None, b"", b"x", 0) for one in some]
    for runs in ({b"none", b"of\1these"}, set(some[10:12]), {some[7].upper() + b"!"}):
        search = OwnSearch(comparer_for(()))
        expected_ones = search._coinciding(runs, masked)
        found = ORIGINALS.coinciding(runs, masked, words_in, search._words_of)
        assert found[:2] == expected_ones[:2]


few = st.builds(
    lambda old, new: Masked(STATE, STRING, string(old), STRING, string(new), b"x", 0),
    st.sampled_from([b"Ada", b"Bo"]),
    st.sampled_from([b"Eve", b"Flo"]),
)
"""Of which some have several pseudonyms, some of these several times."""
FACTS = {
    "one": _Judged("one", (), 3),
    "two": _Judged("two", ("Whose",), 4),
    "none": None,
}


@given(
    st.lists(st.tuples(st.one_of(values(), few), st.sampled_from(sorted(FACTS))), max_size=20),
    st.sampled_from([1, 1 << 15, 1 << 16]),
)
@settings(max_examples=examples(80), deadline=None)
def test_pseudonyms_are_remembered_alike(some: list[tuple[Masked, str]], share: int) -> None:
    masked: list[Any] = [(how, *one[1:]) for one, how in some]
    before = bson.encode({"_id": 5, "Whose": "a"})

    def ask() -> tuple[dict[bytes, int], Counter[int]]:
        validator = Referential({}, (), KEY)
        validator._share = share
        validator._judged.update(FACTS)  # type: ignore[arg-type]
        for _ in range(2):
            validator._remember(masked, before)
        return validator._known, validator._conflicts

    quickly, slowly = both(ask)
    assert quickly == slowly


@given(st.lists(st.binary(min_size=24, max_size=24), max_size=30), st.integers(1024, 8192))
@settings(max_examples=examples(40), deadline=None)
def test_the_same_bits_are_set(fingerprints: list[bytes], size: int) -> None:
    def ask() -> bytes:
        made = Bloom(size)
        made._into_bits()
        made.add(iter(fingerprints))
        return bytes(made)

    quickly, slowly = both(ask)
    assert quickly == slowly


def everything(pairs: Sequence[DocumentPair], facts: tuple[RuleFacts, ...]) -> list[Any]:
    """All that the two validators find, gather and say."""
    said: list[Any] = []
    for cls in (Leak, Referential):
        worker, lead = cls({}, facts, key=KEY), cls({}, facts, key=KEY)
        again = True
        while again:
            found: list[list[Finding]] = [
                list(worker.document(DocumentPair(one.before, one.after))) for one in pairs
            ]
            gathered = worker.gathered()
            head, size = (24, 16) if cls is Referential else (18, 24)
            entries = [gathered[at : at + size] for at in range(head, len(gathered), size)]
            said += [found, gathered[:head], sorted(entries)]
            joined = lead.join([gathered])
            again = any([worker.next_round(joined), lead.next_round(joined)])
        said += [list(lead.conclude(())), list(worker.unjudged()), list(lead.unjudged())]
    return said


def facts_of(rules: Sequence[Trial]) -> tuple[RuleFacts, ...]:
    return tuple(
        replace(one, same=one.masker, scope=("Whose",) if number % 2 else ())
        for number, one in enumerate(told(rules))
    )


@given(st.lists(trials(), min_size=1, max_size=3), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_validators_say_the_same_of_any_documents(
    some: list[tuple[list[Node], list[Trial]]], data: st.DataObject
) -> None:
    rules = some[0][1]
    pairs: list[DocumentPair] = []
    for nodes, _ in some:
        raws = [bytearray(build(nodes)), bytearray(expected(build(nodes), done(rules)))]
        for raw in raws:
            for _ in range(data.draw(st.integers(0, 1))):
                raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        pairs.append(DocumentPair(bytes(raws[0]), bytes(raws[1])))

    def found() -> Any:
        try:
            return everything(pairs, facts_of(rules))
        except MalformedError:  # in what a rule took whole: nothing looked into it before
            return "malformed"

    quickly, slowly = both(found)
    assert quickly == slowly


RULES: list[Trial] = [
    (("Names",), TILDE),
    (("Kept",), KEEP),
    ((Wildcard.ANY_DEPTH, "Number"), TEXT),
    (("Whole",), STUB),
    (("Gone",), NULLIFY),
]


def person(source: random.Random) -> dict[str, Any]:
    first = source.choice(["Adalgisa", "Zoë", "Ada", "Bohumil"])
    last = source.choice(["Winterbourne", "O'Hara", "Straße", "Featherstone"])
    number = source.randrange(7_000_000, 7_000_020)
    return {
        "_id": source.randrange(10**6),
        "Whose": source.choice("ab"),
        "Names": {"FirstName": first, "LastName": last, "Mrn": f"MR-{number}", "Born": "1961-07-08"},
        "Kept": last,
        "Number": source.choice([number, Int64(-number), f"{number}"]),
        "Whole": source.choice([{"LastName": "Byron", "More": [f"A {number}"]}, None]),
        "Gone": source.choice([first, 5, ["x"], b"\0" * 9]),
        "Note": source.choice(
            ["slept well", f"saw {last.upper()} again", f"call {number}", f"{first}{last}", "ﬁne", "the MR"]
        ),
    }


def test_validators_say_the_same_of_people_and_of_any_bytes() -> None:
    source = random.Random(11)
    facts = facts_of(RULES)
    found = 0
    for number in range(60):
        pairs: list[DocumentPair] = []
        for _ in range(4):
            before = bson.encode(person(source))
            after = expected(before, done(RULES))
            if number % 2:
                before, after = broken(source, before), broken(source, after)
            pairs.append(DocumentPair(before, after))
        quickly, slowly = both(lambda pairs=pairs: everything(pairs, facts))  # type: ignore[misc]
        assert quickly == slowly
        found += any(quickly[0])
    assert found > 10


@pytest.mark.parametrize(
    "odd",
    [
        ("a",),
        "no tuple",
        Masked(STATE, STRING, "no bytes", STRING, b"", b"x", 0),  # type: ignore[arg-type]
        Masked(STATE, "no type", b"abcdefgh", STRING, b"", b"x", 0),  # type: ignore[arg-type]
        Masked(STATE, STRING, None, STRING, b"", b"x", 0),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_masked_value_is_refused(odd: Any) -> None:
    seen: set[bytes] = set()
    with pytest.raises(TypeError):
        ORIGINALS.known([odd], seen, {}, bool)
    assert not seen
    with pytest.raises(TypeError):
        ORIGINALS.coinciding(set(), [odd], words_in, words_in)


def test_what_a_search_is_told_is_bytes() -> None:
    ok = Masked(STATE, STRING, string(b"Zo\xc3\xab"), STRING, b"", b"x", 0)
    for runs, words in (({"text"}, words_in), ({None}, words_in), (set(), lambda _: ["text"])):
        with pytest.raises(TypeError):
            ORIGINALS.coinciding(runs, [ok], words, words)


@pytest.mark.parametrize("size", [0, 3, 5, 9])
def test_numbers_of_another_size_are_left_to_python(size: int) -> None:
    masked = [Masked(STATE, INT32, bytes(size), INT32, bytes(size), b"x", 0)]
    assert ORIGINALS.known(masked, set(), {}, bool) is None
    assert ORIGINALS.coinciding({b"abc"}, masked, words_in, words_in) is None


@pytest.mark.parametrize(
    ("bits", "fingerprint"),
    [(0, bytes(24)), (3, bytes(24)), (1024, bytes(23)), (1024, "x" * 24), (1024, None)],
)
def test_no_bit_is_set_for_what_is_no_fingerprint(bits: int, fingerprint: Any) -> None:
    with pytest.raises(ValueError, match="bytes"):
        FINGERPRINTS.set_bits(bytearray(bits), [fingerprint])


@pytest.mark.parametrize("kind", sorted(ALIASES))
def test_what_stands_for_a_lost_value_is_no_pseudonym(kind: int) -> None:
    old = b"\1\0\0\0\4x" if kind == BINARY else b"\2\0\0\0x\0"

    def ask() -> dict[bytes, int]:
        validator = Referential({}, (), KEY)
        validator._judged.update(FACTS)  # type: ignore[arg-type]
        masked: list[Any] = [("one", kind, old, *blank(kind, old), b"x", 0)]
        validator._remember(masked, bson.encode({}))
        return validator._known

    assert both(ask) == ({}, {})
