"""A server that fails for a while, or for good: nothing is masked twice, nothing is left, and the report says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from phimask.errors import Interrupted, SafeStop, StoreError
from phimask.ledger.quarantine import Quarantine
from phimask.ledger.runs import Runs


def entry(outcome: Any) -> Any:
    (one,) = outcome.report["collections"]
    return one


PASSING: dict[str, dict[str, Any]] = {
    "ShutdownInProgress": {"errorCode": 91},
    "WriteConflict": {"errorCode": 112},
    "PrimarySteppedDown": {"errorCode": 189},
    "InterruptedAtShutdown": {"errorCode": 11600},
    "AutoReconnect": {"closeConnection": True},
    "WriteConcernTimeout": {"writeConcernError": {"code": 64, "errmsg": "late"}},
}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        *(("update", told) for told in PASSING),
        ("find", "ShutdownInProgress"),
        ("find", "AutoReconnect"),
        *(
            pytest.param("find", told, marks=pytest.mark.soak)
            for told in ("WriteConflict", "PrimarySteppedDown", "InterruptedAtShutdown")
        ),
    ],
)
def test_a_passing_error_is_outlasted(command: str, told: str, bench: Any, at_batch: Any) -> None:
    fault = PASSING[told]
    bench.fill()

    def fail() -> None:  # three times, since PyMongo tries some of them once more by itself
        bench.fail({"times": 3}, failCommands=[command], **fault)

    at_batch(3, fail)
    try:
        outcome = bench.mask("retry.attempts=8")
    finally:
        bench.client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    documents = entry(outcome)["documents"]
    assert documents == {"total": 200, "masked": 200, "unchanged": 0, "quarantined": 0, "missing": 0}
    assert any(told in reason for reason in entry(outcome)["throttled"]), entry(outcome)["throttled"]
    assert outcome.report["status"] == "completed"


def test_a_failure_that_outlasts_the_retries_goes_through_the_breaker(bench: Any, at_batch: Any) -> None:
    bench.fill()

    def fail() -> None:
        bench.fail({"times": 7}, failCommands=["update"], errorCode=11600)

    at_batch(3, fail)
    outcome = bench.mask("breaker.failures=1")
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    assert outcome.report["breaker_trips"] >= 1
    assert entry(outcome)["throttled"]["circuit breaker"] >= 0.05


def test_a_failure_that_stays_ends_in_a_safe_stop(bench: Any) -> None:
    bench.fill()
    with bench.failing(failCommands=["update"], errorCode=11600):
        outcome = bench.mask()
    assert isinstance(outcome.error, SafeStop)
    assert outcome.error.exit_code == 4
    assert "the circuit breaker opened 3 times (failures 3)" in str(outcome.error)
    assert outcome.report["status"] == "stopped"
    assert outcome.report["stopped_because"] == str(outcome.error)
    assert bench.counts() == {0: 200}
    assert entry(outcome)["documents"]["masked"] == 0


def test_a_terminal_error_ends_the_run_with_the_servers_word_for_it(bench: Any, at_batch: Any) -> None:
    bench.fill()

    def forbid() -> None:
        bench.fail("alwaysOn", failCommands=["update"], errorCode=13)

    at_batch(4, forbid)
    try:
        outcome = bench.mask()
    finally:
        bench.client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert isinstance(outcome.error, StoreError)
    assert outcome.error.exit_code == 1
    assert "code 13 (Unauthorized)" in str(outcome.error)
    assert outcome.report["status"] == "failed"
    counts = bench.counts()
    assert counts[1] == entry(outcome)["documents"]["masked"]
    assert counts[1] % 20 == 0
    assert counts[0] + counts[1] == 200


def test_a_slow_batch_opens_the_breaker_and_the_run_goes_on(bench: Any, at_batch: Any) -> None:
    bench.fill()
    at_batch(3, lambda: time.sleep(2.5))
    outcome = bench.mask("breaker.slow_batch=2s", "canary=null")
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    assert outcome.report["breaker_trips"] == 1
    assert entry(outcome)["throttled"]["circuit breaker"] >= 0.05


def test_nothing_more_is_written_once_the_breaker_opened_too_often(bench: Any) -> None:
    bench.fill()
    bench.component("masker", "add_one").hooks = [lambda values: time.sleep(0.03)]
    outcome = bench.mask("breaker.slow_batch=10ms", "breaker.trips=1", "breaker.cool_down=10ms")
    assert isinstance(outcome.error, SafeStop)
    assert "slow_batch 2" in str(outcome.error)
    # Two batches were slow; one more was masked behind them and is not written.
    assert bench.counts()[1] == entry(outcome)["documents"]["masked"] == 40


def test_a_stop_ends_the_retries_of_a_server_that_does_not_answer(bench: Any, at_batch: Any) -> None:
    bench.fill()

    def fail_and_stop() -> None:
        bench.fail("alwaysOn", failCommands=["update"], errorCode=11600)
        bench.stop.stop()

    at_batch(4, fail_and_stop)
    try:
        outcome = bench.mask("breaker.failures=1000000", "breaker.cool_down=10m", "retry.attempts=100")
    finally:
        bench.client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert isinstance(outcome.error, Interrupted)
    assert "did not answer" in str(outcome.error)
    assert outcome.report["status"] == "stopped"
    assert set(bench.counts()) == {0, 1}


def test_a_stop_between_two_batches_leaves_none_half_done(bench: Any, at_batch: Any) -> None:
    bench.fill()
    at_batch(4, bench.stop.stop)
    outcome = bench.mask()
    assert isinstance(outcome.error, Interrupted)
    assert outcome.report["status"] == "stopped"
    counts = bench.counts()
    assert counts == {0: 120, 1: 80}
    assert entry(outcome)["documents"]["masked"] == 80


def test_the_limit_is_met_exactly(bench: Any) -> None:
    bench.fill()
    outcome = bench.mask(limit=47)
    assert outcome.error is None
    assert bench.counts() == {0: 153, 1: 47}
    outcome = bench.mask(query={"Count": 0, "_id": {"$gte": 190}})
    assert outcome.error is None
    assert bench.counts() == {0: 143, 1: 57}


@pytest.mark.soak  # waits a minute for the open transaction
def test_a_collection_that_is_dropped_meanwhile_does_not_come_back(
    bench: Any, at_batch: Callable[..., None]
) -> None:
    bench.fill()
    at_batch(3, bench.collection.drop)
    outcome = bench.mask()
    assert isinstance(outcome.error, StoreError)
    assert "counters was dropped" in str(outcome.error)
    assert entry(outcome)["documents"]["masked"] <= 40
    assert "counters" not in bench.client[bench.database].list_collection_names()


def gone(*_: Any, **__: Any) -> Any:
    raise ServerSelectionTimeoutError("nobody is there")


def test_what_ended_a_run_is_said_though_the_ledger_is_gone_then(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fill()
    monkeypatch.setattr(Quarantine, "listed", gone)
    monkeypatch.setattr(Runs, "end", gone)
    outcome = bench.mask("breaker={failures: 5, slow_batch: 1ms, memory: null, cool_down: 1ms, trips: 1}")
    assert isinstance(outcome.error, SafeStop)
    assert "the circuit breaker opened 2 times (slow_batch 2)" in str(outcome.error)
    assert outcome.report["status"] == "stopped"
    assert outcome.report["stopped_because"] == str(outcome.error)


def test_a_run_whose_end_is_not_noted_is_not_done(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.fill()
    monkeypatch.setattr(Runs, "end", gone)
    outcome = bench.mask()
    assert isinstance(outcome.error, StoreError)
    assert "noting the end of run" in str(outcome.error)
    assert bench.counts() == {1: 200}
