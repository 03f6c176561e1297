"""The core makes of every document what the oracle does, whichever walk takes it."""

from __future__ import annotations

import random
from typing import Any

import bson
import pytest
from hypothesis import given, settings

from effort import examples
from masking_trials import (
    ANY,
    DEEP,
    KEEP,
    NULLIFY,
    REMOVES,
    TILDE,
    TRIALS,
    Path,
    Rules,
    Trial,
    batches,
    bound,
    core,
    result,
    told,
)
from oracle import Node, build, expected
from phimask import Column, Masker
from phimask.masking.automaton import automaton
from phimask.masking.columns import BoundRule
from phimask.masking.core import MaskingCore
from phimask.masking.decoded import DecodedWalk, NeedsSplice
from phimask.masking.outcomes import Masked, Mode, NeedsWhole, Quarantined, Unchanged
from phimask.masking.splice import RawWalk
from phimask.rawbson import wrap

pytestmark = pytest.mark.usefixtures("walk")

stable = settings(derandomize=True, deadline=None, database=None, max_examples=examples(40))
many = settings(stable, max_examples=examples(100))

Batch = tuple[list[bytes], list[tuple[Path, Trial]]]


def agree(documents: list[bytes], rules: Rules) -> None:
    batch = core(rules).mask(documents, "whole")
    for raw, outcome in zip(documents, batch.outcomes, strict=True):
        assert result(raw, outcome) == expected(raw, told(rules))


@many
@given(batches(odd=True))
def test_odd_documents(batch: Batch) -> None:
    agree(*batch)


_KEYS = (b"a", b"a", b"b", b"b", b"c", b"c", b"d", b"", b"a.b", b"$x")
_TEXTS = (b"", b"Ada", b"x" * 40, "Zo\u00eb".encode(), b"\xff\xfe")


def _random_value(source: random.Random, depth: int) -> tuple[int, bytes | list[Node]]:
    shape = source.random() if depth else 1
    if shape < 0.3:
        return 0x03, [
            (kind, source.choice(_KEYS), value)
            for kind, value in (_random_value(source, depth - 1) for _ in range(source.randrange(4)))
        ]
    if shape < 0.5:
        values = [_random_value(source, depth - 1) for _ in range(source.randrange(4))]
        return 0x04, [(kind, b"%d" % index, value) for index, (kind, value) in enumerate(values)]
    text = source.choice(_TEXTS) + b"\0"
    counted = len(text).to_bytes(4, "little") + text
    eight = source.randbytes(8)
    scalars = [
        *[(0x02, counted)] * 8,
        *[(0x10, eight[:4]), (0x12, eight), (0x09, eight), (0x09, bytes(8)), (0x01, bytes(8))] * 2,
        *[
            (0x0A, b""),
            (0x06, b""),
            (0x08, b"\1"),
            (0x07, eight + bytes(4)),
            (0x11, eight),
            (0x13, eight * 2),
        ],
        *[(0x05, b"\2\0\0\0" + eight[:3]), (0x0B, b"a\0i\0"), (0x0D, counted), (0x0E, counted), (0x7F, b"")],
        *[
            (0x0C, counted + bytes(12)),
            (0x0F, (len(counted) + 9).to_bytes(4, "little") + counted + b"\5\0\0\0\0"),
        ],
    ]
    return source.choice(scalars)


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_documents(seed: int) -> None:
    source = random.Random(seed)
    parts = ["a", "b", "c", "d", "a.b", "", "$x", ANY, DEEP]
    seen: set[type] = set()
    for number in range(examples(150)):
        rules = [
            (tuple(source.choices(parts, k=source.randrange(1, 4))), source.choice(TRIALS))
            for _ in range(source.randrange(1, 5))
        ]
        raws = [
            build([(0x10, b"_id", number.to_bytes(4, "little")), *_as_nodes(_random_value(source, 4))])
            for _ in range(8)
        ]
        agree(raws, rules)
        seen.update(map(type, core(rules).mask(raws, "update").outcomes))
    assert seen == {Masked, Unchanged, NeedsWhole}


def _as_nodes(value: tuple[int, bytes | list[Node]]) -> list[Node]:
    return value[1] if value[0] == 0x03 and isinstance(value[1], list) else [(value[0], b"a", value[1])]


@stable
@given(batches(odd=False))
def test_documents_that_decode_exactly_never_need_splicing(batch: Batch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("spliced")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RawWalk, "gather", refuse)
        agree(*batch)


@stable
@given(batches(odd=False))
def test_the_raw_walk_takes_all_that_the_decoded_one_takes(batch: Batch) -> None:
    def refuse(*args: Any) -> None:
        raise NeedsSplice

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DecodedWalk, "gather", refuse)
        agree(*batch)


@stable
@given(batches(odd=True))
def test_a_batch_is_the_sum_of_its_documents(batch: Batch) -> None:
    documents, rules = batch
    for mode in ("whole", "update"):
        together = core(rules).mask(documents, mode)  # type: ignore[arg-type]
        one_core = core(rules)
        alone = [one_core.mask([raw], mode) for raw in documents]  # type: ignore[arg-type]
        assert together.outcomes == [one.outcomes[0] for one in alone]
        for name in ("masked", "redacted_on_error", "kept"):
            counts = [sum(column) for column in zip(*(getattr(one, name) for one in alone), strict=True)]
            assert getattr(together, name) == counts


@stable
@given(batches(odd=True))
def test_both_modes_count_the_same(batch: Batch) -> None:
    documents, rules = batch
    whole, update = (core(rules).mask(documents, mode) for mode in ("whole", "update"))  # type: ignore[arg-type]
    assert (whole.masked, whole.redacted_on_error, whole.kept) == (
        update.masked,
        update.redacted_on_error,
        update.kept,
    )


@stable
@given(batches(odd=True))
def test_a_document_may_be_masked_after_any_other(batch: Batch) -> None:
    documents, rules = batch
    used = core(rules)
    used.mask(documents[::-1], "update")
    assert used.mask(documents, "whole").outcomes == core(rules).mask(documents, "whole").outcomes


def test_no_rules_change_nothing() -> None:
    raw = bson.encode({"_id": 1, "a": "x"})
    batch = core([]).mask([raw], "whole")
    assert batch.outcomes == [Unchanged()]


def test_an_empty_batch_has_no_outcomes() -> None:
    batch = core([(("a",), TILDE)]).mask([], "update")
    assert (batch.outcomes, batch.masked) == ([], [0])


def test_an_update_names_changed_paths_only() -> None:
    raw = bson.encode({"_id": 1, "a": {"b": "x", "c": "y"}, "l": [{"b": "z"}, 7, "w"], "r": 1, "n": None})
    rules = [(("a", "b"), TILDE), (("l",), TILDE), (("l", "b"), KEEP), (("r",), REMOVES), (("n",), TILDE)]
    (outcome,) = core(rules).mask([raw], "update").outcomes
    assert isinstance(outcome, Masked)
    assert bson.decode(outcome.bson) == {
        "$set": {"a.b": "x~", "l.1": 0, "l.2": "w~"},
        "$unset": {"r": ""},
    }


def test_counts_are_per_rule() -> None:
    raw = bson.encode({"a": ["x", "y", 3, None], "b": "k", "c": "gone", "d": "z"})
    rules = [(("a",), TILDE), (("b",), KEEP), (("c",), REMOVES), (("nowhere",), TILDE), (("d",), NULLIFY)]
    batch = core(rules).mask([raw], "whole")
    assert batch.masked == [2, 0, 1, 0, 1]
    assert batch.redacted_on_error == [1, 0, 0, 0, 0]
    assert batch.kept == [0, 1, 0, 0, 0]


def nested(levels: int, shape: bytes) -> bytes:
    """A name below so many documents, or arrays."""
    inner = bson.encode({"0": {"x": "name"}} if shape[0] == 0x04 else {"x": "name"})
    for _ in range(levels):
        inner = wrap(shape + inner)
    return wrap(b"\x03n\0" + inner)


@pytest.mark.parametrize("levels", [100, 1000, 20_000])
@pytest.mark.parametrize("rules", [[((DEEP,), TILDE)], [((ANY, DEEP, "x"), TILDE)], [(("x",), REMOVES)]])
@pytest.mark.parametrize("shape", [b"\x03a\0", b"\x040\0"])
def test_deep_nesting_is_masked_or_quarantined(levels: int, rules: Rules, shape: bytes) -> None:
    raw = nested(levels, shape)
    plain = bson.encode({"x": "Ada"})
    modes: tuple[Mode, ...] = ("update", "whole")
    for mode in modes:
        batch = core(rules).mask([plain, raw, plain], mode)
        middle = batch.outcomes[1]
        if levels == 100 and mode == "whole":
            assert result(raw, middle) == expected(raw, told(rules))
        elif levels == 100 or rules[0][0] == ("x",):
            assert isinstance(middle, Masked | Unchanged)
        else:
            assert middle == Quarantined("nested too deep")
            assert batch.masked[0] == (2 if rules[0][0] == (DEEP,) else 0)
        assert batch.outcomes[0] == batch.outcomes[2] == core(rules).mask([plain], mode).outcomes[0]


@pytest.mark.parametrize("levels", range(150, 700, 50))
@pytest.mark.parametrize("shape", [b"\x03a\0", b"\x040\0"])
def test_what_one_walk_can_take_and_the_other_cannot(levels: int, shape: bytes) -> None:
    raw = nested(levels, shape)
    (outcome,) = core([((DEEP,), TILDE)]).mask([raw], "whole").outcomes
    if outcome != Quarantined("nested too deep"):
        assert isinstance(outcome, Masked)
        assert len(outcome.bson) == len(raw) + 1
        assert outcome.bson.count(b"name~\0") == 1


@pytest.mark.parametrize("damage", ["cut", "length", "type", "inner length", "end"])
def test_malformed_bson_is_quarantined(damage: str) -> None:
    good = bson.encode({"_id": 1, "a": {"b": "x"}, "c": "y"})
    bad = bytearray(good)
    if damage == "cut":
        del bad[-6:]
    elif damage == "length":
        bad[0] += 1
    elif damage == "type":
        bad[4] = 0x66
    elif damage == "inner length":
        bad[bad.index(b"\x03a\0") + 3] = 200
    else:
        bad[-1] = 1
    batch = core([((DEEP,), TILDE)]).mask([good, bytes(bad), good], "whole")
    assert batch.outcomes[1] == Quarantined("malformed BSON")
    assert isinstance(batch.outcomes[0], Masked)
    assert batch.outcomes[0] == batch.outcomes[2]
    assert batch.masked == [4]


class _Doubled(TILDE.masker):  # type: ignore[name-defined,misc]
    def mask(self, column: Any) -> list[Any]:
        return [value * 2 for value in column.values]


DOUBLED = Trial(_Doubled, TILDE.mask)


def test_growth_past_the_limit_is_quarantined() -> None:
    big = bson.encode({"_id": 1, "a": "x" * (16 * 1024 * 1024 - 60), "b": ["y"] * 3})
    odd = bson.encode({"_id": 1, "a": "x" * (16 * 1024 * 1024 - 60), "b.c": "z" * 15, "d": "y"})
    assert len(big) <= 16 * 1024 * 1024
    rules = [((DEEP,), DOUBLED)]
    for raw in (big, odd):
        (outcome,) = core(rules).mask([raw], "whole").outcomes
        assert outcome == Quarantined("masking makes the document larger than 16 MiB")


def test_the_rules_index_decides_the_counts_place() -> None:
    rules = bound([(("a",), TILDE), (("b",), TILDE)])
    batch = MaskingCore(rules, None, "redact").mask([bson.encode({"b": "x"})], "whole")
    assert batch.masked == [0, 1]
    assert automaton([rule.segments for rule in rules]).named["b"][0] is not None


@pytest.mark.parametrize("long", [False, True])
def test_columns_are_as_long_as_their_masker_wants_them(long: bool) -> None:
    lengths: list[int] = []

    class Noted(Masker):
        name = "noted"
        types = frozenset({"string"})
        long_columns = long

        def mask(self, column: Column) -> list[Any]:
            lengths.append(len(column.values))
            return ["masked"] * len(column.values)

    rules = [BoundRule(0, "a", ("a",), Noted({}))]
    documents = [bson.encode({"_id": number, "a": "x" * 10_000}) for number in range(100)]
    done = MaskingCore(rules, None, "redact").mask(documents, "whole")
    assert done.masked == [100]
    assert sum(lengths) == 100
    assert len(lengths) == (1 if long else 4)
