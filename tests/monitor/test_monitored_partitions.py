"""Partitions as a strip and as sums: what is read bit by bit comes to the same as what is read at once."""

from __future__ import annotations

from typing import Any

import pytest

from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.runs import Runs
from phimask.monitor import strip
from phimask.monitor.partitions import RunPartitions
from phimask.plugins.values import Partition
from simulated_ledger import NAMESPACE, SimulatedRun, record


@pytest.mark.parametrize(
    ("partition", "mark"),
    [
        ({"state": "open"}, "o"),
        ({"state": "open", "read": 5}, "r"),
        ({"state": "leased", "documents": 100}, "0"),
        ({"state": "leased", "documents": 100, "read": 99}, "9"),
        ({"state": "leased", "documents": 100, "read": 120}, "9"),
        ({"state": "leased", "documents": None, "read": 10}, "5"),
        ({"state": "leased", "documents": 0}, "5"),
        ({"state": "leased", "documents": 100, "crashes": 1}, "c"),
        ({"state": "done", "read": 100}, "d"),
        ({"state": "done", "read": 100, "quarantined": 1}, "q"),
        ({"state": "withdrawn"}, "x"),
    ],
)
def test_marks(partition: dict[str, Any], mark: str) -> None:
    assert strip.mark(partition) == mark


def test_what_is_sent_of_a_strip() -> None:
    assert strip.changed(None, "ood") == "ood"
    assert strip.changed("oo", "ood") == "ood"
    assert strip.changed("ooo", "odo") == [(1, "d")]
    assert strip.changed("o" * 5000, "d" * 5000) == "d" * 5000


def test_reading_on_comes_to_what_is_there(ledger: Ledger, run: SimulatedRun) -> None:
    record = Runs(ledger).find(run.run)
    assert record is not None
    followed = RunPartitions(ledger, run.run)
    for number in range(20):
        followed.read(record)
        fresh = RunPartitions(ledger, run.run)
        fresh.read(record)
        one, other = followed[NAMESPACE], fresh[NAMESPACE]
        assert one.strip() == other.strip()
        assert (one.counts, one.leased, +one.states) == (other.counts, other.leased, +other.states)
        assert (one.checked, one.documents) == (other.checked, other.documents)
        run.step()
        if number == 7:
            run.done(20)
    assert one.counts["read"] > 200_000


def test_a_collection_that_was_cut_between_two_looks_is_seen_at_once(ledger: Ledger) -> None:
    runs = Runs(ledger)
    runs.begin(record("r", "ehr.a", "ehr.b"))
    followed = RunPartitions(ledger, "r")
    for namespace in ("ehr.a", "ehr.b"):
        for _ in Partitions(ledger, "r", namespace).add([Partition(0, None, None, 10)]):
            pass
        runs.all_cut("r", namespace)
        now = runs.find("r")
        assert now is not None
        followed.read(now)
        assert followed[namespace].strip() == "o"
        ledger.partitions.update_one({"_id.namespace": namespace}, {"$currentDate": {"renewed": True}})
        followed.read(now)
