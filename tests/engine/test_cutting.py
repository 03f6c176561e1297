"""Partitions that a plugin cuts: whatever it does, nobody waits for ever, and nothing is told of what it worked on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask import Partition
from phimask.config.model import Retry
from phimask.engine.control import StopSignal
from phimask.engine.cutting import Cutting
from phimask.errors import PhimaskError
from phimask.ledger.opening import Ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.runs import Runs
from phimask.store.raw import identity

CANARY = "943-21-7788"


def breaks_down() -> Iterator[Partition]:
    yield Partition(0, None, identity(bson.encode({"_id": 7})), 7)
    raise LookupError(CANARY)


def test_a_partitioner_that_breaks_down_stops_the_run(
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    recwarn: pytest.WarningsRecorder,
) -> None:
    ledger = Ledger(client, database.name, "ledger")
    partitions, stop = Partitions(ledger, "run", "a.b"), StopSignal()
    cutting = Cutting(partitions, Runs(ledger), "run", "a.b", stop, breaks_down(), 0, Retry(2, 0.01, 0.02))
    cutting.start()
    with pytest.raises(PhimaskError, match=r"cutting a\.b into partitions failed: LookupError at") as failed:
        cutting.settle()
    assert stop.stopping
    assert CANARY not in str(failed.value)
    assert not recwarn.list  # pytest's own for a thread that ends in an error
    assert partitions.states()["open"] == 1
    assert not Runs(ledger).is_cut("run", "a.b")
