"""Batches that take too long are cut, and what is left of them is masked with the next: once, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from phimask.engine import preparing
from phimask.engine.commit import Committer
from phimask.engine.deadline import Deadline
from phimask.engine.journal import Applied, Journal

IMPATIENT = ("batch_sizer=impatient", "observers=[watching]", "check.sample=0")
"""Twenty documents a batch, and each is cut after its second slice."""
CUT = 6
"""Of 20 documents an eighth is a slice."""
ALWAYS_HURRIED = (
    "batch_sizer={name: adaptive, options: "
    "{target: 1ms, longest: 1ms, documents: 20, first_documents: 20, bytes: 1MB}}",
    *IMPATIENT[1:],
)
DOCUMENTS = 200


@pytest.fixture(autouse=True)
def _small_slices(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_SLICE_BYTES", 1)
    bench.component("observer", "watching").events = []
    bench.component("batch_sizer", "impatient").recorded = []
    bench.component("masker", "add_one").hooks = []


def batches(bench: Any) -> list[Any]:
    events = bench.component("observer", "watching").events
    return [event for event in events if type(event).__name__ == "BatchFinished"]


def all_counted_once(bench: Any, documents: int = DOCUMENTS) -> None:
    found = batches(bench)
    assert sum(one.documents for one in found) == documents
    assert sum(one.written for one in found) == documents
    assert sum(one.masked[0] for one in found) == documents


@pytest.mark.parametrize(
    ("taken", "left", "cut"),
    [
        (7.4, 9.0, False),
        (7.5, 2.6, True),
        (7.5, 2.5, False),
        (9.9, 0.2, True),
        (9.9, 0.0, False),
        (12.0, 0.1, True),
    ],
)
def test_a_batch_is_cut_late_and_only_where_its_rest_would_take_too_long(
    taken: float, left: float, cut: bool
) -> None:
    assert Deadline(10.0).cuts(taken, left) is cut


def test_whoever_needs_all_of_a_batch_has_it_unless_it_was_cut_before() -> None:
    first = Deadline(1.0)
    assert first.cuts(2.0, 1.0)
    assert not first.keep_whole()
    second = Deadline(1.0)
    assert second.keep_whole()
    assert not second.cuts(2.0, 1.0)
    assert second.keep_whole()


@pytest.mark.parametrize("partitioner", ["single", "{name: paginate, options: {documents: 50}}"])
def test_each_document_is_masked_once(bench: Any, partitioner: str) -> None:
    bench.fill(DOCUMENTS)
    assert bench.mask(*IMPATIENT, f"partitioner={partitioner}").error is None
    assert bench.counts() == {1: DOCUMENTS}
    all_counted_once(bench)
    # A partition's last batch may be whole: nothing comes behind it.
    assert CUT in {one.documents for one in batches(bench)}
    assert len(batches(bench)) > DOCUMENTS / 20


def test_in_bulks_nothing_is_cut(bench: Any) -> None:
    bench.fill(DOCUMENTS)
    assert bench.mask(*IMPATIENT, "write.guard=none").error is None
    assert bench.counts() == {1: DOCUMENTS}
    assert {one.documents for one in batches(bench)} == {20}


def test_of_a_limited_number_nothing_is_cut(bench: Any) -> None:
    bench.fill(DOCUMENTS)
    assert bench.mask(*IMPATIENT, limit=110).error is None
    assert bench.counts() == {0: DOCUMENTS - 110, 1: 110}
    assert [one.documents for one in batches(bench)] == [20] * 5 + [10]


def test_the_sizer_learns_what_all_of_it_would_have_taken(bench: Any) -> None:
    bench.fill(DOCUMENTS)
    assert bench.mask(*IMPATIENT).error is None
    told, learnt = batches(bench), bench.component("batch_sizer", "impatient").recorded
    # The last one is not cut, whatever is left for it.
    cut = [number for number, one in enumerate(told[:-1]) if one.documents == CUT]
    assert len(cut) > DOCUMENTS / 20
    for number in cut:
        # There may be fewer than a batch left.
        assert learnt[number].documents > CUT
        assert learnt[number].bytes > told[number].bytes
        assert learnt[number].seconds > told[number].seconds


def test_documents_are_told_by_class_once(bench: Any) -> None:
    (bench.folder / "collections" / "counters.yaml").write_text(
        "version: 1\ncollection: counters\nrules:\n  - {path: Count, masker: add_one}\n"
        "  - {path: Rows.b, masker: redact}\n",
        encoding="utf-8",
    )
    bench.collection.insert_many(
        {"_id": number, "Count": 0, "Rows": [{"a": 1}] * (60 if number % 7 == 0 else 1)}
        for number in range(DOCUMENTS)
    )
    outcome = bench.mask(*ALWAYS_HURRIED)
    assert outcome.error is None
    all_counted_once(bench)
    assert any(one.documents < 20 for one in batches(bench)[:2])
    for one in batches(bench):
        assert sum(one.classes.values()) == one.documents
        assert one.expected is None or one.expected.seconds > 0
    medium = len(range(0, DOCUMENTS, 7))
    (collection,) = outcome.report["collections"]
    assert collection["complexity"] == {"simple": DOCUMENTS - medium, "medium": medium, "complex": 0}


@pytest.mark.parametrize("number", [1, 20])
def test_before_a_document_that_is_set_aside(bench: Any, number: int) -> None:
    bench.collection.insert_many(
        {"_id": one, "Count": 0, **({"Pad": "x" * 2_000_000} if one == number else {})}
        for one in range(DOCUMENTS)
    )
    assert bench.mask(*IMPATIENT, "memory.oversize=1MB").error is None
    assert bench.counts() == {1: DOCUMENTS}
    all_counted_once(bench)


def test_a_stop_while_something_is_left(bench: Any, at_batch: Callable[..., None]) -> None:
    bench.fill(DOCUMENTS)
    at_batch(9, bench.stop.stop)
    bench.mask(*IMPATIENT)
    done = bench.counts().get(1, 0)
    assert 0 < done < DOCUMENTS
    assert sum(one.documents for one in batches(bench)) == done


@pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize(("owner", "name"), [(Journal, "announce"), (Applied, "mark"), (Committer, "_cut")])
def test_an_error_that_passes_where_it_is_cut(
    bench: Any, owner: Any, name: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in a row; what failed was done, or was not."""
    bench.fill(DOCUMENTS)
    honest = getattr(owner, name)
    calls = count(1)
    failed: list[int] = []

    def failing(self: Any, *arguments: Any, **settings: Any) -> Any:
        if name == "announce" and settings.get("instead_of") is None:
            return honest(self, *arguments, **settings)
        number = next(calls)
        fails = number in {3, 4}
        result = honest(self, *arguments, **settings) if done or not fails else None
        if fails:
            failed.append(number)
            raise AutoReconnect("connection closed")
        return result

    monkeypatch.setattr(owner, name, failing)
    outcome = bench.mask(*IMPATIENT, "retry={attempts: 8, initial: 1ms, longest: 2ms}", "breaker.failures=20")
    assert outcome.error is None
    assert failed == [3, 4]
    assert bench.counts() == {1: DOCUMENTS}
    all_counted_once(bench)
