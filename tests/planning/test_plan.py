from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from phimask import BatchBudget, Partition
from phimask.config.model import CollectionFile
from phimask.config.profile import load_profile
from phimask.errors import PreflightError
from phimask.planning.namespace import Namespace
from phimask.planning.plan import CollectionPlan, Scope
from phimask.planning.planner import plan_collection
from phimask.planning.prescan import Prescan
from phimask.planning.summary import summarize
from phimask.plugins.registry import Registry
from phimask.store.reading import BatchReader

Planned = Callable[..., tuple[CollectionPlan, dict[str, Any]]]


@pytest.fixture
def planned(
    tmp_path: Path,
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    registry: Registry,
) -> Planned:
    """Plans `people` under the profile `parallel` and some settings, and the summary of that."""

    def call(
        file: CollectionFile,
        *settings: str,
        scope: Scope | None = None,
        target: str | None = None,
        sampled: Prescan | None = None,
    ) -> tuple[CollectionPlan, dict[str, Any]]:
        profile = load_profile(
            "parallel", directory=tmp_path, settings=settings, environ=os.environ, components=registry
        )
        source = Namespace(client, database.name, "people")
        into = Namespace(client, target, "people") if target else None
        plan = plan_collection(file, profile, registry, (), source, into, scope or Scope(), sampled=sampled)
        return plan, summarize(plan, profile)

    return call


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    database["people"].insert_many(
        {"_id": n, "PatientId": n, "Name": f"Person {n}", "Mail": "zebulon@example.com"} for n in range(300)
    )
    return database["people"]


def test_a_plan_foretells_and_writes_nothing(people: Any, written: Any, planned: Planned) -> None:
    before = list(people.find())
    plan, summary = planned(written("{path: Name, masker: redact}", "{path: Nme, masker: redact}"))
    assert summary["namespace"] == f"{people.database.name}.people"
    assert summary["documents"] == 300
    assert summary["bytes"] == plan.bytes > 300 * 50
    assert [rule["values"] for rule in summary["rules"]] == [300, 0]
    predicted = summary["predicted"]
    for name in ("workers", "seconds", "memory_bytes", "documents_written", "bytes_written", "oplog_bytes"):
        one = predicted[name]
        assert 0 < one["low"] <= one["likely"] <= one["high"], name
        assert one["rests_on"], name
    assert predicted["seconds"]["high"] < 600
    assert predicted["documents_written"]["likely"] == 300
    assert summary["reads"] == "only Name, Nme, PatientId"
    assert summary["partitions"] == 1
    unmapped, unmatched = summary["hazards"]
    assert "people.yaml:6: $.rules[1]: Nme matches nothing in 300 sampled documents" in unmatched["what"]
    assert "no rule names Mail" in unmapped["what"]
    assert (unmapped["id"], unmapped["where"], unmapped["path"]) == ("unmapped-phi", plan.namespace, "Mail")
    assert "zebulon" not in repr(summary)
    assert [one.id for one in plan.stopping] == ["unmapped-phi"]
    assert list(people.find()) == before


def test_a_scope_bounds_what_is_foretold(people: Any, written: Any, planned: Planned) -> None:
    file = written("{path: Name, masker: redact}")
    _, summary = planned(file, scope=Scope({"_id": {"$lt": 40}}))
    assert summary["documents"] == summary["sampled"] == 40
    _, summary = planned(file, scope=Scope({"_id": {"$lt": 40}}, 7))
    assert summary["documents"] == 7
    _, summary = planned(file, scope=Scope(None, 1000))
    assert summary["documents"] == 300
    _, summary = planned(file, scope=Scope({"_id": -1}))
    assert (summary["documents"], summary["predicted"]["seconds"]["likely"], summary["hazards"]) == (
        0,
        None,
        [],
    )


def test_workers_without_work_are_not_foretold(people: Any, written: Any, planned: Planned) -> None:
    file = written("{path: Name, masker: redact}")
    four = "executor.options={workers: 4, memory: 1MB}"
    paged = "partitioner={name: paginate, options: {documents: 75}}"

    def workers(*settings: str, scope: Scope | None = None) -> dict[str, Any]:
        _, summary = planned(file, *settings, scope=scope)
        told: dict[str, Any] = summary["predicted"]["workers"]
        return told

    assert workers(four, paged)["rests_on"] == "as the profile says"
    assert workers(four, paged)["likely"] == 4
    few = {"low": 1, "likely": 1, "high": 1, "rests_on": "as the profile says; no more than partitions"}
    assert workers(four) == few
    assert workers(four, paged, scope=Scope(None, 200)) == {
        **few,
        "rests_on": "as the profile says; with a limit, one does it all",
    }


def test_what_the_server_masks_takes_no_less_than_at_best(
    people: Any, written: Any, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.planning.prediction._SERVER", 1e-9)  # less than masking here takes
    _, summary = planned(written("{path: Name, masker: redact}"), "write.path=server")
    assert summary["reads"] == "only _id, and whole documents of the sample that is checked"
    seconds = summary["predicted"]["seconds"]
    assert seconds["low"] <= seconds["likely"] <= seconds["high"]


def test_partitions_are_those_of_the_partitioner(people: Any, written: Any, planned: Planned) -> None:
    file = written("{path: Name, masker: redact}")
    plan, summary = planned(file, "partitioner={name: paginate, options: {documents: 70}}")
    assert summary["partitions"] == 5
    assert sum(one.documents or 0 for one in plan.partitions()) == 300


def test_what_cannot_be_masked_at_all_is_not_looked_at_closer(
    people: Any, written: Any, planned: Planned
) -> None:
    people.drop()
    people.database.command("create", "people", viewOn="patients", pipeline=[])
    plan, summary = planned(written("{path: Name, masker: redact}"))
    assert [one.id for one in plan.stopping] == ["view"]
    assert summary["sampled"] == 0
    assert summary["complexity"] == {"simple": 0, "medium": 0, "complex": 0}
    assert summary["predicted"]["seconds"]["likely"] is None
    assert list(plan.partitions()) == []


def test_a_target_is_read_whole(people: Any, written: Any, planned: Planned) -> None:
    _, summary = planned(written("{path: Name, masker: redact}"), target=f"{people.database.name}_not_there")
    assert summary["reads"] == "whole documents"
    assert summary["target"] == f"{people.database.name}_not_there.people"


def test_where_sampling_fails_the_first_documents_stand_for_it(
    people: Any, written: Any, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Iterator[bytes]:
        raise OperationFailure("Zebulon", 28799)
        yield b""

    monkeypatch.setattr("phimask.planning.planner.sampled_documents", failing)
    _, summary = planned(written("{path: Name, masker: redact}"), "prescan.documents=50")
    assert summary["sampled"] == 50
    assert summary["predicted"]["seconds"]["likely"] > 0
    (warning,) = [one["what"] for one in summary["hazards"] if "28799" in one["what"]]
    assert warning.endswith("the first documents stand for the sample")
    assert "Zebulon" not in warning


def test_no_sample_is_taken_where_one_is_known(
    people: Any, written: Any, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Prescan(classes=Counter(simple=3, complex=1), projection={"_id": 1, "Name": 1})
    for way in ("sampled_documents", "first_documents"):
        monkeypatch.delattr(f"phimask.planning.planner.{way}")
    plan, summary = planned(
        written("{path: Name, masker: redact}", "{path: Nme, masker: redact}"), sampled=known
    )
    assert (plan.scan.projection, summary["complexity"]) == (
        {"_id": 1, "Name": 1},
        {"simple": 3, "complex": 1},
    )
    assert (summary["documents"], summary["partitions"]) == (300, 1)
    assert (plan.unmatched, plan.hazards) == ([], [])


def test_a_query_that_the_server_refuses(people: Any, written: Any, planned: Planned) -> None:
    for query in ({"Name": {"$regx": "Zebulon"}}, {"$where": "Zebulon"}, {"$text": {"$search": "Zebulon"}}):
        with pytest.raises(PreflightError, match="MongoDB refuses the --query with code") as caught:
            planned(written("{path: Name, masker: redact}"), scope=Scope(query))
        assert "Zebulon" not in str(caught.value)


@pytest.fixture
def uneven(database: Database[dict[str, Any]]) -> Any:
    """Documents of three classes, of which a run that masks `Name` reads next to nothing, but enough to tell them."""
    database["people"].insert_many(
        {
            "_id": n,
            "PatientId": n,
            "Name": "N" * (1 + n % 3 * 40),
            "Rows": [{"a": 1}] * (1, 60, 300)[n % 3],
        }
        for n in range(600)
    )
    return database["people"]


def test_classes_are_told_from_what_the_run_reads(uneven: Any, written: Any, planned: Planned) -> None:
    """The projection is the server's own, so that documents have exactly the bytes that they are told by."""
    plan, summary = planned(written("{path: Name, masker: redact}"))
    assert summary["reads"] == "only Name, PatientId"
    assert summary["complexity"] == {"simple": 200, "medium": 200, "complex": 200}
    check = summary["complexity_check"]
    assert (check["sample"], check["accuracy_percent"]) == (600, 100.0)
    assert check["walked_percent"] < 1
    assert check["matrix"]["medium"] == {"simple": 0, "medium": 200, "complex": 0}
    assert not summary["every_document_walked"]
    classifier = plan.scan.classifier
    assert classifier is not None
    reader = BatchReader(plan.source.raw(), Partition(0, None, None), None, plan.reads)
    read = reader.read(BatchBudget(600, 1 << 24))
    assert max(map(len, read)) < 200
    assert [classifier.classify(raw) for raw in read] == ["simple", "medium", "complex"] * 200


def test_for_a_target_classes_are_told_from_whole_documents(
    uneven: Any, written: Any, planned: Planned
) -> None:
    plan, summary = planned(
        written("{path: Name, masker: redact}"), target=f"{uneven.database.name}_not_there"
    )
    assert summary["complexity_check"]["accuracy_percent"] == 100
    classifier = plan.scan.classifier
    assert classifier is not None
    assert classifier.classify(bson.encode(uneven.find_one({"_id": 2}))) == "complex"


def test_a_plan_says_where_the_sample_is_too_small_to_tell_classes_by(
    uneven: Any, written: Any, planned: Planned
) -> None:
    _, summary = planned(written("{path: '**.Name', masker: redact}"), "prescan.documents=9")
    assert summary["every_document_walked"]
    assert summary["complexity_check"]["walked_percent"] == 100
    _, summary = planned(written("{path: Name, masker: redact}"), scope=Scope({"_id": -1}))
    assert summary["complexity_check"] is None


def test_the_limits_of_the_classes_are_the_profiles(uneven: Any, written: Any, planned: Planned) -> None:
    _, summary = planned(
        written("{path: Name, masker: redact}"),
        "complexity.simple={fields: 500, depth: 5, elements: 100}",
        "complexity.medium.fields=5000",
    )
    assert summary["complexity"] == {"simple": 400, "medium": 200, "complex": 0}


def test_a_sizer_without_one_bound_of_documents_may_fill_its_bytes(
    people: Any, written: Any, planned: Planned
) -> None:
    file = written("{path: Name, masker: redact}")
    _, fixed = planned(file, "batch_sizer={name: fixed, options: {documents: 10, bytes: 20MB}}")
    _, classed = planned(file, "batch_sizer={name: classed, options: {bytes: 20MB}}")
    few, many = (one["predicted"]["memory_bytes"]["likely"] for one in (fixed, classed))
    assert many - few > 15 * 20_000_000
