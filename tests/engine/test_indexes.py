"""Indexes on masked paths: which are dropped while masking goes on, and that they come back exactly."""

from __future__ import annotations

from typing import Any

import pytest

from phimask.engine.indexes import bring_back
from phimask.errors import StoreError
from phimask.ledger.indexes import KeptIndex, KeptIndexes
from phimask.ledger.opening import open_ledger
from phimask.masking.columns import BoundRule
from phimask.planning.indexes import removable
from phimask.store.indexes import read_indexes

REBUILD = "write.indexes=rebuild"

GONE_MEANWHILE: dict[str, dict[str, Any]] = {
    "simple": {"key": {"Count": 1}},
    "descending, compound": {"key": {"Other": -1, "Count": 1.0}, "sparse": True},
    "below": {"key": {"Count.Below": 1}},
    "everything": {"key": {"$**": 1}, "wildcardProjection": {"Nothing": 0}},
    "hidden": {"key": {"Count": -1}, "hidden": True},
    "hashed": {"key": {"Count": "hashed"}},
    "collated": {"key": {"Count": 1, "_id": 1}, "collation": {"locale": "de", "strength": 2}},
    "text": {
        "key": {"Count": "text", "Other": "text"},
        "weights": {"Count": 3, "Other": 7},
        "default_language": "german",
        "language_override": "Tongue",
    },
    "partial": {"key": {"Other": 1}, "partialFilterExpression": {"Count": {"$gt": 5}}},
}
KEPT: dict[str, dict[str, Any]] = {
    "other": {"key": {"Other": 1}},
    "expiring": {"key": {"Seen": 1}, "expireAfterSeconds": 1_000_000},
    "geo": {"key": {"Place": "2dsphere", "Other": 1}},
}


def make(bench: Any, indexes: dict[str, dict[str, Any]]) -> None:
    for name, one in indexes.items():
        bench.collection.database.command(
            {"createIndexes": "counters", "indexes": [{**one, "name": name}], "commitQuorum": "majority"}
        )


def now(bench: Any) -> dict[str, bytes]:
    return read_indexes(bench.client, bench.database, "counters")


def entry(outcome: Any) -> Any:
    (one,) = outcome.report["collections"]
    return one


def kept(bench: Any, run: str) -> KeptIndexes:
    return KeptIndexes(open_ledger(bench.client, bench.database, "ledger"), run)


def test_those_on_masked_paths_are_away_meanwhile_and_come_back_exactly(bench: Any) -> None:
    bench.fill()
    make(bench, {**GONE_MEANWHILE, **KEPT})
    before = now(bench)
    seen: list[set[str]] = []
    bench.component("masker", "add_one").hooks = [lambda values: seen.append(set(now(bench)))]
    outcome = bench.mask(REBUILD)
    assert outcome.error is None
    assert bench.counts() == {1: 200}
    during = [names for names in seen if len(names) < len(before)]
    assert during
    assert all(names == KEPT.keys() for names in during)
    assert now(bench) == before
    indexes = entry(outcome)["indexes"]
    assert sorted(indexes["rebuilt"]) == sorted(GONE_MEANWHILE)
    assert indexes["missing"] == []
    assert kept(bench, outcome.report["run_id"]).waiting() == []


def test_without_the_option_none_is_touched(bench: Any) -> None:
    bench.fill()
    make(bench, GONE_MEANWHILE)
    seen: list[set[str]] = []
    bench.component("masker", "add_one").hooks = [lambda values: seen.append(set(now(bench)))]
    outcome = bench.mask()
    assert outcome.error is None
    assert all(names == GONE_MEANWHILE.keys() for names in seen)
    assert entry(outcome)["indexes"] is None


def test_what_a_collections_collation_would_change_comes_back_as_it_was(bench: Any) -> None:
    bench.collection.database.create_collection("counters", collation={"locale": "fr"})
    bench.fill()
    make(
        bench,
        {"own": {"key": {"Count": 1}}, "plain": {"key": {"Count": 1}, "collation": {"locale": "simple"}}},
    )
    before = now(bench)
    assert bench.mask(REBUILD).error is None
    assert now(bench) == before


def test_a_run_that_stops_says_what_is_missing(bench: Any) -> None:
    bench.fill()
    make(bench, GONE_MEANWHILE)
    bench.component("masker", "add_one").hooks = [lambda values: bench.stop.stop()]
    outcome = bench.mask(REBUILD)
    assert outcome.report["status"] == "stopped"
    assert sorted(entry(outcome)["indexes"]["missing"]) == sorted(GONE_MEANWHILE)
    assert any("phimask resume" in one and "partial" in one for one in outcome.report["warnings"])
    assert len(kept(bench, outcome.report["run_id"]).waiting()) == len(GONE_MEANWHILE)


def test_a_run_that_nobody_can_resume_brings_them_back_whatever_ends_it(bench: Any) -> None:
    bench.fill()
    make(bench, GONE_MEANWHILE)
    before = now(bench)
    bench.component("masker", "add_one").hooks = [lambda values: bench.stop.stop()]
    outcome = bench.mask(REBUILD, "write.journal=false")
    assert outcome.report["status"] == "stopped"
    assert now(bench) == before
    assert entry(outcome)["indexes"]["missing"] == []


def test_what_cannot_be_built_stays_in_the_ledger(bench: Any) -> None:
    bench.fill()
    make(bench, {"simple": {"key": {"Count": 1}}})
    with bench.failing(failCommands=["createIndexes"], errorCode=112):
        outcome = bench.mask(REBUILD)
    assert isinstance(outcome.error, StoreError)
    assert "simple" in str(outcome.error)
    assert entry(outcome)["indexes"]["missing"] == ["simple"]
    waiting = kept(bench, outcome.report["run_id"])
    assert bring_back(bench.client, waiting, warn=pytest.fail)
    assert set(now(bench)) == {"simple"}
    assert waiting.waiting() == []


def test_another_collection_of_that_name_gets_nothing(bench: Any) -> None:
    bench.fill(1)
    waiting = kept(bench, "r")
    waiting.enter(KeptIndex(f"{bench.database}.counters", "another's", "simple", b""))
    said: list[str] = []
    assert bring_back(bench.client, waiting, warn=said.append) == {}
    assert "no longer the collection" in said[0]
    assert now(bench) == {}


def test_what_is_there_already_may_be_built_again(bench: Any) -> None:
    bench.fill(1)
    make(bench, GONE_MEANWHILE)
    before = now(bench)
    waiting = kept(bench, "r")
    info = next(iter(bench.collection.database.list_collections(filter={"name": "counters"})))
    uuid = str(info["info"]["uuid"])
    for name, specification in before.items():
        waiting.enter(KeptIndex(f"{bench.database}.counters", uuid, name, specification))
    bring_back(bench.client, waiting, warn=pytest.fail)
    assert now(bench) == before


@pytest.mark.parametrize(
    "promise", [{"unique": True}, {"expireAfterSeconds": 60}], ids=["unique", "expiring"]
)
def test_what_holds_a_promise_is_not_removable(promise: dict[str, Any], bench: Any) -> None:
    masker = bench.component("masker", "add_one")({})
    rule = BoundRule(0, "Count", ("Count",), masker)
    indexes = [{"name": "_id_", "key": {"_id": 1}}, {"name": "one", "key": {"Count": 1}}]
    assert removable(indexes, [rule], ()) == ["one"]
    assert removable([{**one, **promise} for one in indexes], [rule], ()) == []
    assert removable(indexes, [rule], ("Count",)) == []
