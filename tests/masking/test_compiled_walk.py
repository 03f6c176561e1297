"""The compiled walk makes what the walks in Python make, takes what they need not, and survives any bytes."""

from __future__ import annotations

import datetime
import random
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from bson.objectid import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_trials import ANY, DEEP, KEEP, TILDE, TRIALS, bound
from phimask import compiled
from phimask.masking.bson_types import LOSSLESS
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.decoded import DecodedWalk
from phimask.masking.outcomes import Masked, Mode, NeedsWhole, Quarantined
from phimask.plugins.values import REMOVE
from phimask.rawbson import wrap

pytestmark = pytest.mark.skipif(
    not compiled.AVAILABLE, reason="phimask was installed without its compiled walks"
)

stable = settings(derandomize=True, deadline=None, database=None, max_examples=examples(80))

RULES = [(("a", ANY), TILDE), ((DEEP, "b"), TRIALS[1]), (("c",), KEEP), (("d", "b"), TRIALS[2])]


def refuse(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("left to the decoded walk")


DOCUMENT = {
    "_id": 1,
    "a": {"x": "Ada", "y": [{"z": "B"}, "C", ["D"]], "$odd": None, "n": 5, "o": None},
    "b": datetime.datetime(1957, 3, 9, 1, 2, 3, 456000),  # noqa: DTZ001
    "c": [1, 2.5, Int64(7), True, ObjectId(), {"b": [1]}],
    "d": {"b": {"q": 1, "r": "x"}},
}


@pytest.mark.parametrize("mode", ["update", "whole"])
def test_ordinary_documents_are_taken(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = bson.encode(DOCUMENT)
    expected = made(raw, mode, monkeypatch)
    monkeypatch.setattr(DecodedWalk, "gather", refuse)
    (outcome,) = MaskingCore(bound(RULES), None, "redact").mask([raw], mode).outcomes
    assert isinstance(outcome, Masked)
    assert outcome == expected


def made(raw: bytes, mode: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the walks in Python make of it."""
    with monkeypatch.context() as patch:
        patch.setattr("phimask.masking.core.CompiledWalk", None)
        (outcome,) = MaskingCore(bound(RULES), None, "redact").mask([raw], mode).outcomes
    return outcome


def test_a_key_that_stands_twice_far_from_all_rules_is_no_reason_to_leave_a_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twice = bson.encode({"k": 1})[4:-1] * 2
    raw = wrap(bson.encode({"_id": 1, "a": {"x": "Ada"}})[4:-1] + b"\x03far\0" + wrap(twice))
    monkeypatch.setattr(DecodedWalk, "gather", refuse)
    rules = bound([(("a", "x"), TILDE)])
    (outcome,) = MaskingCore(rules, None, "redact").mask([raw], "whole").outcomes
    assert isinstance(outcome, Masked)
    assert outcome.bson == raw.replace(b"\x04\0\0\0Ada\0", b"\x05\0\0\0Ada~\0").replace(
        raw[raw.index(b"\x03a\0") + 3 :][:4], (16 + 1).to_bytes(4, "little"), 1
    ).replace(raw[:4], (len(raw) + 1).to_bytes(4, "little"), 1)


@pytest.mark.parametrize("keys", [2, 16, 17, 400])
def test_a_key_that_stands_twice_where_rules_are_is_left_to_the_other_walks(keys: int) -> None:
    core = MaskingCore(bound([((DEEP, "b"), TILDE)]), None, "redact")
    names = [f"k{number}" for number in range(keys)]
    assert core._compiled is not None
    elements = [b"\x02" + name.encode() + b"\0\x02\0\0\0x\0" for name in names]
    root = core._root(frozenset())
    once = wrap(b"".join(elements))
    assert core._compiled.gather(0, once, (b"", b""), {}, root, paths=True)
    for place in {0, keys // 2, keys - 1}:
        twice = wrap(b"".join([*elements, elements[place]]))
        assert not core._compiled.gather(0, twice, (b"", b""), {}, root, paths=True)


@pytest.mark.parametrize("count", [1, 9, 11, 101, 1002])
@pytest.mark.parametrize("odd", [b"", b"00", b"01", b"x", b"-0", b"1", b"10", b"0 ", b"1001", b"101"])
def test_an_array_whose_keys_are_not_its_places_is_left_to_the_other_walks(count: int, odd: bytes) -> None:
    core = MaskingCore(bound([((DEEP,), TILDE)]), None, "redact")
    assert core._compiled is not None
    keys = [b"%d" % place for place in range(count)]
    root = core._root(frozenset())

    def taken(keys: list[bytes]) -> bool:
        array = wrap(b"".join(b"\x02" + key + b"\0\x02\0\0\0x\0" for key in keys))
        return core._compiled.gather(0, wrap(b"\x04a\0" + array), (b"", b""), {}, root, paths=True)  # type: ignore[union-attr]

    assert taken(keys)
    for place in {0, count - 1}:
        if keys[place] != odd:
            assert not taken([*keys[:place], odd, *keys[place + 1 :]])


@stable
@given(st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)))  # noqa: DTZ001
def test_dates_are_what_pymongo_makes_of_them(date: datetime.datetime) -> None:
    date = date.replace(microsecond=date.microsecond // 1000 * 1000)
    raw = bson.encode({"d": date})
    core = MaskingCore(bound([(("d",), TILDE)]), None, "redact")
    assert core._compiled is not None
    core._compiled.gather(0, raw, (b"", b""), {}, core._root(frozenset()), paths=True)
    (column,) = core._decoded.gathered
    assert column.values == [date] == [bson.decode(raw)["d"]]
    assert core._compiled.patched(bson.encode({"d": "x"}), {4: date}) == raw


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1).map(Int64),
    st.floats(),
    st.text(st.characters(exclude_characters="\0")),
    st.binary(),
    st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)),  # noqa: DTZ001
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.just({"k": [1, {"l": "x"}]}),
    st.just(REMOVE),
)


@stable
@given(
    st.recursive(
        VALUES.filter(lambda value: value is not REMOVE),
        lambda inner: (
            st.dictionaries(st.sampled_from("abcde"), inner, max_size=4)
            | st.lists(inner, max_size=4).map(lambda values: dict(zip("abcd", values, strict=False)))
        ),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, dict)),
    st.data(),
)
def test_patches_are_what_pymongo_would_encode(document: dict[str, Any], data: st.DataObject) -> None:
    raw = bson.encode(document)
    core = MaskingCore(bound([((DEEP,), TILDE)]), None, "redact")
    edits: dict[int, Any] = {}

    def changed(inner: dict[str, Any], at: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        start = at + 4
        for key, value in inner.items():
            element = bson.encode({key: value}, codec_options=LOSSLESS)[4:-1]
            new = data.draw(st.none() | st.tuples(VALUES))
            if new is not None:
                edits[start] = new[0]
                if new[0] is not REMOVE:
                    found[key] = new[0]
            elif isinstance(value, dict):
                found[key] = changed(value, start + 2 + len(key))
            else:
                found[key] = value
            start += len(element)
        return found

    after = changed(document, 0)
    assert core._compiled is not None
    assert core._compiled.patched(raw, edits) == bson.encode(after)


def test_what_cannot_be_encoded_or_stands_nowhere_is_refused_without_its_value() -> None:
    core = MaskingCore(bound([((DEEP,), TILDE)]), None, "redact")
    assert core._compiled is not None
    raw = bson.encode({"a": {"b": "x"}})
    for edits in ({5: "x"}, {4: "x", 9: "y"}, {-1: "x"}, {len(raw): "x"}, {4: 2**63}, {4: "\ud800"}):
        with pytest.raises((ValueError, OverflowError)):
            core._compiled.patched(raw, edits)
    (outcome,) = MaskingCore(surrogates(), None, "redact").mask([raw], "whole").outcomes
    assert isinstance(outcome, Masked)
    assert bson.decode(outcome.bson) == {"a": {"b": "[REDACTED]"}}


def surrogates() -> list[BoundRule]:
    """A masker whose results are no text."""

    class Broken(type(bound([((DEEP,), TILDE)])[0].masker)):  # type: ignore[misc]
        """Tilde, with half a character behind it."""

        def mask(self, column: Any) -> list[Any]:
            return [value + "\ud800" for value in column.values]

    return [BoundRule(0, "**", (DEEP,), Broken({}, None))]


FUZZED = bson.encode(
    {
        **DOCUMENT,
        "s": "x" * 40,
        "y": b"123",
        "deep": {"a": {"b": {"c": {"d": [[["x"]], "q"]}}}},
        "u": Int64(5),
    }
)


def test_any_bytes_are_survived() -> None:
    source = random.Random(5)
    core = MaskingCore(bound([*RULES, ((DEEP,), TILDE)]), ("a", "x"), "redact")
    for _ in range(10_000):
        broken = bytearray(FUZZED)
        for _ in range(source.randrange(1, 6)):
            broken[source.randrange(len(broken))] = source.choice(
                (0, 1, 2, 3, 4, 5, 0x7F, 0xFF, source.randrange(256))
            )
        if source.random() < 0.3:
            del broken[source.randrange(len(broken)) :]
        if source.random() < 0.8:
            broken[:4] = len(broken).to_bytes(4, "little")
        again(core, bytes(broken))


def test_of_any_bytes_the_same_is_made_as_without_it() -> None:
    source = random.Random(6)
    rules = bound([*RULES, ((DEEP,), TILDE)])
    with_it = MaskingCore(rules, ("a", "x"), "redact")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phimask.masking.core.CompiledWalk", None)
        without = MaskingCore(rules, ("a", "x"), "redact")
    seen: set[type] = set()
    modes: tuple[Mode, ...] = ("whole", "update")
    for _ in range(2_000):
        broken = bytearray(FUZZED)
        for _ in range(source.randrange(1, 4)):
            broken[source.randrange(4, len(broken))] = source.choice(b"$.01abcde\0\1\2\3\4\x80\xff\xc3")
        for mode in modes:
            one, other = (core.mask([bytes(broken)], mode) for core in (with_it, without))
            assert one.outcomes == other.outcomes
            assert (one.masked, one.redacted_on_error) == (other.masked, other.redacted_on_error)
            assert one.kept == other.kept
            seen.update(map(type, one.outcomes))
    assert seen == {Masked, NeedsWhole, Quarantined}


def again(core: MaskingCore, raw: bytes) -> None:
    """Masked as the walks in Python do it, or left to them."""
    assert core._compiled is not None
    assert compiled.shape is not None
    compiled.shape.counted(raw, 10**9, 10**9, 10**9)
    subjects = core._compiled.subjects(raw, own_too=True)
    target: dict[int, Any] = {}
    core._decoded.reset(paths=False)
    if subjects is None or not core._compiled.gather(
        0, raw, subjects, target, core._root(frozenset()), paths=False
    ):
        return
    for column in core._decoded.gathered:
        for value, place in zip(column.values, column.places, strict=True):
            target[place[1]] = value
    assert core._compiled.patched(raw, target) == raw
