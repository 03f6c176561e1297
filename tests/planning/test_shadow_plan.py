"""What a shadow needs, held against what there is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from phimask.planning import privileges
from phimask.planning import shadow as planning
from phimask.planning.disk import free_bytes
from phimask.planning.hazards import Hazard
from phimask.planning.namespace import Namespace
from phimask.planning.preflight import Preflight
from phimask.planning.shadow import examine_shadow, is_sharded, shadow_plan


@pytest.fixture
def source(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Namespace:
    database["people"].insert_many([{"Text": "x" * 1000} for _ in range(100)])
    return Namespace(client, database.name, "people")


def examined(source: Namespace, run: str = "r", **options: Any) -> tuple[Preflight, Any]:
    indexes = tuple(source.client[source.database][source.collection].list_indexes())
    found = Preflight(options=options, indexes=indexes)
    plan = shadow_plan(source, run, keep=True)
    return found, examine_shadow(source, plan, journal=True, partial=False, found=found)


def test_only_who_swaps_a_shadow_that_is_caught_up_needs_to_shut_writers_out(
    source: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privileges, "privileges_granted", lambda where: {"find"})
    plan = shadow_plan(source, "r", keep=False, catch_up=True)

    def missing(*, only_read: bool) -> list[str]:
        found = Preflight()
        examine_shadow(source, plan, journal=True, partial=False, found=found, only_read=only_read)
        return [one.what for one in found.hazards if one.id == "privileges"]

    (told,) = missing(only_read=False)
    assert "the user may not collMod; grant the role dbAdmin" in told
    assert missing(only_read=True) == []


def stopping(found: Preflight) -> list[Hazard]:
    return [one for one in found.hazards if one.stops(())]


@pytest.mark.parametrize(("free", "hazards"), [(10**12, 0), (1, 1), (None, 0)])
def test_the_disk_is_said(
    free: int | None, hazards: int, source: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "free_disk", lambda *_: free)
    found, plan = examined(source)
    assert [one.id for one in stopping(found)] == ["disk"] * hazards
    assert plan.free == free
    stored = source.client[source.database].command("collStats", "people")
    assert plan.bytes > stored["storageSize"] + stored["totalIndexSize"]
    if hazards:
        assert " kB on disk beside the original" in stopping(found)[0].what
        assert "and 0.0 kB are free" in stopping(found)[0].what
    if free is None:
        assert any("does not say how much disk is free" in one.what for one in found.hazards)


def test_what_is_filled_already_is_not_needed_again(
    source: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "free_disk", lambda *_: 1)
    source.client[source.database]["people.phimask_original_r"].insert_one({})
    assert stopping(examined(source)[0]) == []
    hazard = stopping(examined(source, "another")[0])[0]
    assert "people.phimask_original_r is there still, of run r" in hazard.what


def test_what_the_server_says_is_free() -> None:
    assert free_bytes({"fsTotalSize": 100.0, "fsUsedSize": 40.0}) == 60
    assert free_bytes({"fsTotalSize": 0, "fsUsedSize": 0}) is None
    assert free_bytes({"dataSize": 1}) is None
    shards = {"a": {"fsTotalSize": 9, "fsUsedSize": 1}, "b": {"fsTotalSize": 9, "fsUsedSize": 7}, "c": {}}
    assert free_bytes({"raw": shards, "fsTotalSize": 18, "fsUsedSize": 8}) == 2


@pytest.mark.parametrize(
    ("message", "entry", "sharded"),
    [
        (None, {"key": {"_id": 1}}, False),
        ("isdbgrid", None, False),
        ("isdbgrid", {"key": {"_id": 1}}, True),
        ("isdbgrid", {"key": {"_id": 1}, "unsplittable": True}, False),
    ],
)
def test_a_sharded_collection_is_told(message: str | None, entry: Any, sharded: bool) -> None:
    class Client(dict[str, Any]):
        admin = SimpleNamespace(command=lambda name: {"msg": message})

    client: Any = Client(config={"collections": SimpleNamespace(find_one=lambda wanted: entry)})
    assert is_sharded(Namespace(client, "ehr", "people")) is sharded


def test_encrypted_fields_follow_no_rename(source: Namespace) -> None:
    found, _ = examined(source, encryptedFields={"fields": []})
    assert "has encrypted fields" in found.hazards[0].what


def test_a_standalone_server_only_counts(source: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(one.id == "standalone" for one in examined(source)[0].hazards)
    monkeypatch.setattr(planning, "has_transactions", lambda client: False)
    assert any("a standalone server only counts writes" in one.what for one in examined(source)[0].hazards)
