"""A run's series in the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from phimask.ledger.opening import Ledger
from phimask.ledger.series import RunSeries
from phimask.observing.series import Note, Point

Client = MongoClient[dict[str, Any]]


def test_what_was_entered_is_found_again_in_order(client: Client, database: Database[dict[str, Any]]) -> None:
    ledger = Ledger(client, database.name, "ledger")
    series = RunSeries(ledger, "one")
    first, second = (
        Point("a.b", "masking", 0.5, 10, 100, holding=("x",)),
        Point("a.b", "masking", 0.5, 20, 100),
    )
    series.add(1, first, [Note("warning", "Warned", "look out")])
    series.add(2, second, [])
    series.add(2, None, [])
    RunSeries(ledger, "other").add(1, first, [])
    found = list(series.points())
    assert [(one.epoch, one.kept) for one in found] == [(1, first), (2, second)]
    assert [one.kept for one in series.notes()] == [Note("warning", "Warned", "look out")]
    later = list(series.points(since=found[0].at))
    assert later == [one for one in found if one.at > found[0].at]
    assert list(series.points(since=found[1].at + timedelta(seconds=1))) == []
