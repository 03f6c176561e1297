"""The thread beside a run: what it notices, and that it never dies unnoticed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from own_errors import own
from phimask.engine.control import StopSignal
from phimask.engine.coordinator import Coordinator
from phimask.engine.throttle import Throttle
from phimask.errors import Interrupted, PhimaskError, SafeStop, StoreError
from phimask.ledger.opening import Ledger
from phimask.ledger.run_record import RunRecord
from phimask.ledger.runs import Runs
from phimask.plugins.events import Event, Holding

Client = MongoClient[dict[str, Any]]


@pytest.fixture
def runs(client: Client, database: Database[dict[str, Any]]) -> Runs:
    return Runs(Ledger(client, database.name, "ledger"))


def begun(runs: Runs) -> int:
    return runs.begin(
        RunRecord(
            "run", "running", "run", "quick", "0", None, (), None, None, guard=True, journal=True, vault=None
        )
    )


def nobody(event: Event) -> None:
    del event


def stopped_by(runs: Runs, epoch: int, still_there: Callable[[], str | None]) -> PhimaskError:
    stop = StopSignal()
    with Coordinator(runs, "run", epoch, stop, nobody, still_there=still_there) as coordinator:
        until = time.monotonic() + 20
        while not stop.stopping and time.monotonic() < until:
            time.sleep(0.01)
        assert stop.stopping
        return coordinator.why_stopped()


def test_a_collection_that_is_dropped_or_replaced_stops_the_run_at_once(runs: Runs) -> None:
    error = stopped_by(runs, begun(runs), lambda: "a.b was dropped or renamed while it was masked")
    assert isinstance(error, StoreError)
    assert str(error) == "a.b was dropped or renamed while it was masked"


def test_one_that_is_superseded_lets_go(runs: Runs) -> None:
    error = stopped_by(runs, begun(runs) - 1, lambda: None)
    assert isinstance(error, SafeStop)
    assert "taken up by another coordinator" in str(error)


def test_a_fault_of_its_own_stops_the_run_and_shows_no_value(runs: Runs) -> None:
    def fail() -> str | None:
        raise RuntimeError("Zebulon Quagmire-Canary")

    error = stopped_by(runs, begun(runs), fail)
    assert "RuntimeError" in str(error)
    assert "Quagmire" not in str(error)


def test_its_reason_says_more_than_that_of_a_worker_that_was_told_to_end(runs: Runs) -> None:
    told = own(Interrupted, "stopped while MongoDB did not answer")
    stop = StopSignal()
    coordinator = Coordinator(runs, "run", begun(runs), stop, nobody, still_there=lambda: "a.b was dropped")
    assert coordinator.why_stopped(told) is told
    with coordinator:
        while not stop.stopping:
            time.sleep(0.01)
    assert isinstance(coordinator.why_stopped(told), StoreError)


class Closing:
    """A throttle that counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_one_that_never_came_to_look_can_end_its_run(runs: Runs) -> None:
    epoch, throttle = begun(runs), Closing()
    coordinator = Coordinator(runs, "run", epoch, StopSignal(), nobody, throttle=cast("Throttle", throttle))
    coordinator.end("failed", {"status": "failed"}, touched=False)
    assert throttle.closed == 1
    found = runs.find("run")
    assert found is not None
    assert found.state == "failed"


class Lagging(Closing):
    """A throttle with a lag that grows."""

    asked = 0

    def reasons(self) -> tuple[str, ...]:
        self.asked += 1
        return ("replica lag",) if self.asked < 20 else ()

    def detail(self) -> str:
        return f"replica lag: b:1 is {self.asked // 10} s behind"


def test_numbers_are_told_again_where_they_have_changed(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phimask.engine.coordinator._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("phimask.engine.coordinator._SAY_AGAIN", 0.0)
    told: list[Event] = []
    throttle = cast("Throttle", Lagging())
    with Coordinator(runs, "run", begun(runs), StopSignal(), told.append, throttle=throttle):
        until = time.monotonic() + 20
        while Holding(()) not in told and time.monotonic() < until:
            time.sleep(0.01)
    assert told == [
        Holding(("replica lag",), "replica lag: b:1 is 0 s behind"),
        Holding(("replica lag",), "replica lag: b:1 is 1 s behind"),
        Holding(()),
    ]
