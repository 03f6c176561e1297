"""Governors, sizers, observers and validators that misbehave or complain, and other people who write meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from phimask.errors import FindingsError, PreflightError, SafeStop
from phimask.store.sample.documents import ID_TYPES, sample_documents

CANARY = "Zebulon Quagmire-Canary"


def entry(outcome: Any) -> Any:
    (one,) = outcome.report["collections"]
    return one


def checks(outcome: Any) -> dict[tuple[str, str], Any]:
    return {(one["validator"], one["phase"]): one for one in entry(outcome)["verification"]}


def test_memory_that_stays_critical_ends_in_a_safe_stop(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phimask.engine.relief._PAUSE", 0.001)
    bench.fill()
    bench.component("memory_governor", "moody").readings = ["ok"] * 8 + ["critical"]
    outcome = bench.mask("memory_governor=moody")
    assert isinstance(outcome.error, SafeStop)
    assert "memory stays critical" in str(outcome.error)
    assert outcome.report["status"] == "stopped"
    counts = bench.counts()
    assert counts[0] + counts[1] == 200
    assert 0 < counts[1] < 200
    assert counts[1] == entry(outcome)["documents"]["masked"]


def test_memory_that_recovers_costs_a_pause_only(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phimask.engine.relief._PAUSE", 0.01)
    bench.fill()
    bench.component("memory_governor", "moody").readings = ["ok"] * 6 + ["critical"] * 4 + ["ok"]
    outcome = bench.mask("memory_governor=moody")
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    assert entry(outcome)["throttled"]["memory"] > 0


def test_high_pressure_makes_batches_smaller(bench: Any) -> None:
    bench.fill()
    bench.component("memory_governor", "moody").readings = ["ok"] * 6 + ["high"] * 6 + ["ok"]
    outcome = bench.mask("memory_governor=moody", "batch_sizer=halving", "observers=[watching]")
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    events = bench.component("observer", "watching").events
    sizes = [event.documents for event in events if type(event).__name__ == "BatchFinished"]
    assert sizes[0] == 20
    assert min(sizes[:-1]) < 20
    assert sizes == sorted(sizes, reverse=True)


def test_an_observer_that_raises_is_left_out(bench: Any) -> None:
    bench.fill()
    watching = bench.component("observer", "watching")
    watching.events = []
    outcome = bench.mask("observers=[touchy, watching]")
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    told = [type(event).__name__ for event in watching.events]
    assert told[0] == "RunStarted"
    assert told[-2:] == ["RunFinished", "AlertRaised"]  # of which the alert is that it is over
    assert told.count("BatchFinished") == 10
    assert told.index("CollectionStarted") < told.index("PartitionStarted") < told.index("BatchFinished")
    assert told.index("PartitionFinished") < told.index("CollectionFinished")


def test_a_validator_that_raises_has_not_validated(bench: Any) -> None:
    bench.fill()
    outcome = bench.mask("validators=[count, broken]")
    assert isinstance(outcome.error, FindingsError)
    assert outcome.error.exit_code == 3
    assert outcome.report["status"] == "completed"
    assert bench.counts() == {1: 200}
    found = checks(outcome)["broken", "during"]
    assert not found["ok"]
    assert found["findings"] == [{"what": "the validator failed (RuntimeError)", "path": None, "count": 40}]
    assert CANARY not in str(outcome.report)


def test_a_validator_may_refuse_beforehand(bench: Any) -> None:
    bench.fill()
    with pytest.raises(AssertionError, match="200 documents are too many at Count"):
        bench.mask("validators=[suspicious]")
    assert bench.counts() == {0: 200}


def test_documents_deleted_meanwhile_stay_deleted(bench: Any, at_batch: Callable[..., None]) -> None:
    bench.fill()
    # In the batch in hand, so that they were read and cannot be written.
    at_batch(3, lambda: bench.collection.delete_many({"_id": {"$gte": 45, "$lt": 50}}))
    outcome = bench.mask()
    assert outcome.error is None
    assert bench.counts() == {1: 195}
    documents = entry(outcome)["documents"]
    assert documents["masked"] == 195
    assert bench.collection.count_documents({"_id": {"$gte": 45, "$lt": 50}}) == 0


def test_documents_inserted_behind_the_last_are_warned_of(bench: Any, at_batch: Callable[..., None]) -> None:
    bench.fill()
    at_batch(3, lambda: bench.collection.insert_many({"_id": 1000 + n, "Count": 0} for n in range(7)))
    outcome = bench.mask()
    assert outcome.error is None
    assert bench.counts() == {0: 7, 1: 200}
    (warning,) = outcome.report["warnings"]
    assert "7 documents were inserted beyond the last _id" in warning
    assert checks(outcome)["count", "after"]["ok"]


def test_documents_inserted_where_the_run_has_been_are_a_finding(
    bench: Any, at_batch: Callable[..., None]
) -> None:
    bench.fill()
    at_batch(5, lambda: bench.collection.insert_many({"_id": 5.25 + n, "Count": 0} for n in range(3)))
    outcome = bench.mask()
    assert isinstance(outcome.error, FindingsError)
    (finding,) = checks(outcome)["count", "after"]["findings"]
    assert finding["what"] == "200 documents should be stored, 203 are"
    assert finding["count"] == 3


def test_documents_inserted_where_the_run_is_to_come_are_masked(
    bench: Any, at_batch: Callable[..., None]
) -> None:
    bench.fill()
    at_batch(2, lambda: bench.collection.insert_many({"_id": 150.25 + n, "Count": 0} for n in range(3)))
    outcome = bench.mask()
    assert outcome.error is None
    assert bench.counts() == {1: 203}


@pytest.mark.parametrize(
    "partitioner",
    [
        "single",
        "{name: paginate, options: {documents: 37}}",
        "{name: sample, options: {target_size: 2kB}}",
    ],
)
def test_every_document_once_whatever_its_id(partitioner: str, bench: Any) -> None:
    ids = [one["_id"] for one in sample_documents(400, 3, id_types=["mixed"])]
    assert len({type(one) for one in ids}) >= len(ID_TYPES) - 1
    ids += [
        None, True, False, "", b"x", Binary(b"x", 5), Decimal128("7"), Int64(-1), -0.5, float("nan"), float("inf"),
        ObjectId(), {}, {"a": None}, {"a": {"b": 1}},
    ]  # fmt: skip
    bench.collection.insert_many({"_id": one, "Count": 0} for one in ids)
    outcome = bench.mask(f"partitioner={partitioner}")
    assert outcome.error is None
    assert bench.counts() == {1: len(ids)}
    assert entry(outcome)["documents"]["masked"] == len(ids)


def test_an_empty_collection_is_done_at_once(bench: Any) -> None:
    bench.client[bench.database].create_collection("counters")
    outcome = bench.mask()
    assert outcome.error is None
    assert outcome.report["status"] == "completed"
    assert entry(outcome)["documents"]["total"] == 0


def test_no_such_collection(bench: Any) -> None:
    with pytest.raises(PreflightError, match="there is no database"):
        bench.mask()
