"""A document that is masked in pieces becomes what it becomes as a whole, however small the pieces are."""

from __future__ import annotations

import random

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from masking_trials import (
    DEEP,
    KEEP,
    NULLIFY,
    REMOVES,
    STUB,
    TILDE,
    TRIALS,
    Path,
    Rules,
    Trial,
    batches,
    bound,
    result,
    told,
)
from oracle import expected
from phimask.masking.core import MaskingCore
from phimask.masking.outcomes import Masked, NeedsWhole, Quarantined
from phimask.masking.unmapped import Unmapped
from phimask.rawbson import elements

pytestmark = pytest.mark.usefixtures("walk")

many = settings(derandomize=True, deadline=None, database=None, max_examples=examples(80))

Batch = tuple[list[bytes], list[tuple[Path, Trial]]]


def in_pieces(rules: Rules, size: int) -> MaskingCore:
    return MaskingCore(bound(rules), None, "redact", slice_bytes=size)


@many
@given(batches(odd=True), st.sampled_from([1, 10, 40, 100]))
def test_odd_documents(batch: Batch, size: int) -> None:
    documents, rules = batch
    masked = in_pieces(rules, size).mask(documents, "whole")
    whole = in_pieces(rules, 10**9).mask(documents, "whole")
    for raw, outcome in zip(documents, masked.outcomes, strict=True):
        assert result(raw, outcome) == expected(raw, told(rules))
    assert (masked.masked, masked.redacted_on_error, masked.kept) == (
        whole.masked,
        whole.redacted_on_error,
        whole.kept,
    )


@pytest.mark.parametrize("seed", range(8))
def test_long_arrays_and_many_fields(seed: int) -> None:
    source = random.Random(seed)
    document = {
        "_id": seed,
        "many": {f"k{number}": source.choice(["x", 7, None, {"a": "y"}]) for number in range(300)},
        "long": [source.choice(["x", 7, None, ["y"], {"a": "z", "b": ["w"]}]) for _ in range(300)],
        "deep": {"a": {"b": {"c": [{"d": ["v"] * 200}] * 3}}},
        "left": ["u" * 5000] * 3,
    }
    raw = bson.encode(document)
    rules = [
        (path, source.choice(TRIALS))
        for path in ((DEEP, "a"), ("many",), ("long",), ("long", "b"), ("deep", DEEP, "d"), ("many", "k7"))
        if source.random() < 0.7
    ]
    for size in (64, 1000, 4000):
        (outcome,) = in_pieces(rules, size).mask([raw], "whole").outcomes
        assert result(raw, outcome) == expected(raw, told(rules))


def test_a_slice_ends_before_it_grows_too_large() -> None:
    sizes: list[int] = []

    class Seeing(TILDE.masker):  # type: ignore[name-defined,misc]
        def mask(self, column: object) -> list[str]:
            sizes.append(len(column.values))  # type: ignore[attr-defined]
            return super().mask(column)  # type: ignore[no-any-return]

    raws = [bson.encode({"_id": number, "a": "x" * 900}) for number in range(100)]
    rules = [(("a",), Trial(Seeing, TILDE.mask))]
    masked = in_pieces(rules, 10_000).mask(raws, "update")
    assert len(masked.outcomes) == sum(sizes) == 100
    assert max(sizes) == 10
    sizes.clear()
    giant = bson.encode({"_id": 1, "a": ["x" * 900] * 100})
    (outcome,) = in_pieces(rules, 10_000).mask([giant], "whole").outcomes
    assert isinstance(outcome, Masked)
    assert sum(sizes) == 100
    assert max(sizes) <= 5


def test_an_update_of_a_large_document_is_left_to_the_whole_of_it() -> None:
    giant, small = bson.encode({"_id": 1, "a": ["x"] * 100}), bson.encode({"_id": 2, "a": "x"})
    rules = [(("a",), TILDE)]
    core = MaskingCore(bound(rules), None, "redact", originals=True, covered=True, slice_bytes=200)
    masked = core.mask([small, giant, small], "update")
    assert [type(one) for one in masked.outcomes] == [Masked, NeedsWhole, Masked]
    assert masked.originals[1] is None
    assert len(masked.originals) == len(masked.covered) == 3
    assert masked.masked == [2]


def test_what_fails_in_a_piece_counts_for_the_document() -> None:
    giant = bson.encode({"_id": 1, "a": ["x"] * 100 + [7], "b": "y"})
    rules = [(("a",), TILDE)]
    core = MaskingCore(bound(rules), None, "quarantine", slice_bytes=200)
    masked = core.mask([giant], "whole")
    assert masked.outcomes == [Quarantined("a value at a could not be masked")]
    assert masked.masked == [0]


def test_what_no_rule_reaches_is_not_decoded() -> None:
    raw = bson.encode({"_id": 1, "a": "x", "left": ["u" * 5000] * 3}).replace(b"u" * 5000, b"\xff" * 5000)
    (outcome,) = in_pieces([(("a",), TILDE)], 100).mask([raw], "whole").outcomes
    assert isinstance(outcome, Masked)
    assert outcome.bson.count(b"\xff" * 5000) == 3


def test_unmapped_paths_are_the_same_in_pieces() -> None:
    raw = bson.encode({"_id": 1, "a": [{"b": "x", "c": [1, 2]}] * 50, "d": {"e": {"f": "y"}}})
    seen = []
    for size in (50, 10**9):
        rules = bound([((DEEP,), TILDE), (("a", "b"), KEEP)])
        drift = Unmapped()
        rules[0] = type(rules[0])(0, "**", (DEEP,), drift)
        MaskingCore(rules, None, "redact", slice_bytes=size).mask([raw], "whole")
        seen.append(drift.seen.told())
    assert seen[0] == seen[1] == {("a.c", "int"): 100, ("d.e.f", "string"): 1}


@pytest.mark.parametrize("trial", [NULLIFY, REMOVES, STUB])
def test_an_array_that_is_taken_as_one(trial: Trial) -> None:
    raw = bson.encode({"_id": 1, "a": [{"b": "x"}, "y"] * 50, "c": {"a": [1] * 100}})
    for rules in ([(("a",), trial)], [((DEEP, "a"), trial)], [((DEEP,), trial), (("c", "a"), KEEP)]):
        (outcome,) = in_pieces(rules, 64).mask([raw], "whole").outcomes
        assert result(raw, outcome) == expected(raw, told(rules))
        assert next(one.key for one in elements(result(raw, outcome))) == b"_id"


def test_a_mask_that_took_long_is_there_when_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    class Counting(TILDE.masker):  # type: ignore[name-defined,misc]
        def mask(self, column: object) -> list[str]:
            calls.append(len(column.values))  # type: ignore[attr-defined]
            return super().mask(column)  # type: ignore[no-any-return]

    monkeypatch.setattr("phimask.masking.large._LONG", -1.0)
    raw, other = (bson.encode({"_id": 1, "a": [text] * 100}) for text in "xy")
    core = in_pieces([(("a",), Trial(Counting, TILDE.mask))], 200)
    first = core.mask([raw], "whole")
    assert sum(calls) == 100
    again = core.mask([bytes(bytearray(raw))], "whole")
    assert (again.outcomes, again.masked) == (first.outcomes, first.masked)
    assert sum(calls) == 100
    core.mask([other], "whole")
    core.mask([raw], "whole")
    assert sum(calls) == 300
    core.drop_caches()
    core.mask([raw], "whole")
    assert sum(calls) == 400
