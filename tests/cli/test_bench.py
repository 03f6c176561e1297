"""`phimask bench`: what it measures and suggests, and that nothing is left of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import MinKey
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from phimask.cli import bench as bench_command
from phimask.cli.bench import suggested
from phimask.engine import bench, scratch
from phimask.engine.bench import Bench, Measured, Watch, best
from phimask.engine.control import StopSignal
from phimask.engine.scratch import SCRATCH
from phimask.plugins.events import BatchFinished


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Iterator[Any]:
    """Three hundred people, under indexes, one of which deletes documents."""
    collection = database["people"]
    collection.insert_many(
        {"_id": number, "PatientId": f"P{number}", "Name": f"Ada {number}", "Visits": [{"Note": "came"}]}
        for number in range(300)
    )
    collection.create_index("Name")
    collection.create_index("Seen", expireAfterSeconds=1)
    yield collection
    assert SCRATCH not in database.client.list_database_names()


@pytest.fixture
def measure(deployed: Path, people: Any, phimask: Callable[..., Any]) -> Callable[..., Any]:
    def call(*flags: str) -> Any:
        before = people.database.command("dbHash")["md5"]
        where = ("-d", people.database.name, "-c", "people", "--documents", "250", "--seconds", "0.5")
        answer = phimask("bench", *where, *flags)
        assert people.database.command("dbHash")["md5"] == before
        return answer

    return call


def test_it_measures_and_suggests_what_can_be_pasted(
    measure: Callable[..., Any], people: Any, phimask: Callable[..., Any], client: MongoClient[dict[str, Any]]
) -> None:
    answer = measure("--yes", "--json", "--workers", "1")
    assert answer.code == 0, answer.err
    assert "it holds PHI until this command ends" in answer.err
    said = answer.json
    assert said["documents_copied"] == 250
    assert said["write_limit_documents_per_second"] > 0
    (one,) = said["workers"]
    assert one["workers"] == 1
    assert 0 < one["documents"] <= 250
    assert one["documents_per_second"] > 0
    assert one["peak_rss_bytes"] > 10_000_000
    assert [each["documents_in_a_batch"] for each in said["batches"]] == [200]
    flags = [part for line in said["suggested"]["flags"] for part in shlex.split(line)]
    planned = phimask(
        "plan", "-d", people.database.name, "-c", "people", "--accept", "unmatched-rule", *flags
    )
    assert planned.code == 0, planned.err
    assert "masking_coordination" not in str(client[people.database.name].list_collection_names())


@pytest.mark.parametrize(("rate", "warned"), [(2000.0, True), (100.0, False), (0.0, False)])
def test_a_sample_that_is_masked_at_once_is_told_of(
    rate: float, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    one = {"workers": 1, "documents": 1000, "documents_per_second": rate, "peak_rss_bytes": None}
    bench_command._show(
        {
            "namespace": "ehr.people",
            "masked": "in place",
            "documents_copied": 1000,
            "write_limit_documents_per_second": 5000.0,
            "workers": [one],
            "batches": [],
            "suggested": {"workers": 1, "seconds_for_all": None, "flags": []},
        }
    )
    told = "1,000 documents were masked in 0.5 s, which is too short" in capsys.readouterr().err
    assert told == warned


@pytest.mark.parametrize("way", ["into a target", pytest.param("into a shadow", marks=pytest.mark.soak)])
def test_masked_copies_are_measured_where_the_configuration_makes_some(
    way: str, measure: Callable[..., Any], deployed: Path, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "{shadow: true}" if way == "into a shadow" else "{database: elsewhere}"
    (deployed / "phimask.yaml").write_text(f"version: 1\nuri: ${{PHIMASK_URI}}\ntarget: {target}\n", "utf-8")
    seen: list[tuple[int, set[str], set[str]]] = []
    real = Bench._go_on

    def look(self: Any) -> None:
        into = self._into.raw()
        seen.append(
            (into.estimated_document_count(), set(into.index_information()), set(into.distinct("Name")))
        )
        real(self)

    monkeypatch.setattr(Bench, "_go_on", look)
    answer = measure("--yes", "--json", "--workers", "1")
    assert answer.code == 0, answer.err
    said = answer.json
    assert said["masked"] == way
    assert said["write_limit_documents_per_second"] > 0
    assert said["workers"][0]["documents_per_second"] > 0
    counts = [one[0] for one in seen]
    assert 250 in counts  # of the write limit
    assert counts[-1] > 0  # of the last run
    assert all(indexes <= {"_id_"} for _, indexes, _ in seen)
    assert not set().union(*(names for *_, names in seen)) & set(people.distinct("Name"))
    assert "elsewhere" not in people.database.client.list_database_names()


@pytest.mark.parametrize("way", ["in place", pytest.param("into a target", marks=pytest.mark.soak)])
def test_documents_that_no_update_can_name_are_measured_as_they_are(
    way: str, measure: Callable[..., Any], deployed: Path, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.delete_many({})
    named: list[dict[str, Any]] = [
        {"Name": "Ada", "Visits.Note": "came", "Visits": {"Note": "left"}},
        {"Name": "Ada", "": "nothing", "Odd": {"$who": "Ada", "": {"": 1}}},
        {"$set": {"Name": "Ada"}, "Name": "Ada"},
    ]
    identities = [None, MinKey(), "Ada", *range(150)]
    people.insert_many({"_id": found, **named[at % 3]} for at, found in enumerate(identities))
    (deployed / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nrules:\n"
        "  - {path: '**.Name', masker: redact}\n  - {path: '\"Visits.Note\"', masker: redact}\n"
        "  - {path: Visits.Note, masker: redact}\n  - {path: '\"\"', masker: redact}\n"
        "  - {path: '*.*', masker: redact}\n",
        encoding="utf-8",
    )
    if way == "into a target":
        (deployed / "phimask.yaml").write_text(
            "version: 1\nuri: ${PHIMASK_URI}\ntarget: {database: elsewhere}\n", "utf-8"
        )
    refilled: list[set[bytes]] = []
    real = Bench._refill

    def refill(self: Any) -> None:
        real(self)
        refilled.append({bytes(one.raw) for one in self._work.raw().find()})

    monkeypatch.setattr(Bench, "_refill", refill)
    answer = measure("--yes", "--json", "--workers", "1")
    assert answer.code == 0, answer.err
    assert answer.json["documents_copied"] == 153
    assert answer.json["write_limit_documents_per_second"] > 0
    assert answer.json["workers"][0]["documents"] > 0
    raw = people.with_options(CodecOptions(RawBSONDocument))
    assert all(one == {bytes(found.raw) for found in raw.find()} for one in refilled)


def test_what_the_server_says_of_a_write_is_not_told(
    measure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AutoReconnect("Ada went away")

    monkeypatch.setattr(bench.writing, "update", fail)
    answer = measure("--yes")
    assert answer.code == 1
    assert "Ada" not in answer.err
    assert "measuring in phimask_bench" in answer.err


def test_one_collection_is_measured(deployed: Path, people: Any, phimask: Callable[..., Any]) -> None:
    rules = (deployed / "collections" / "people.yaml").read_text("utf-8")
    (deployed / "collections" / "others.yaml").write_text(rules.replace("people", "others"), "utf-8")
    where = ("-d", people.database.name)
    answer = phimask("bench", *where, "-c", "people", "-c", "others", "--yes")
    assert answer.code == 2
    assert "bench measures one collection at a time; give -c once" in answer.err
    (deployed / "phimask.yaml").write_text(
        "version: 1\nuri: ${PHIMASK_URI}\ncollections: [people, others]\n", "utf-8"
    )
    answer = phimask("bench", *where)
    assert "measuring people, the first of 2 collections; -c measures another: others" in answer.err
    assert "copy up to 5,000 documents of" in answer.err


def test_it_asks_first(measure: Callable[..., Any]) -> None:
    answer = measure()
    assert answer.code == 2
    assert "copy up to 250 documents" in answer.err
    assert "PHI and all, into the scratch database phimask_bench" in answer.err


def test_a_database_of_this_name_is_left_alone(
    measure: Callable[..., Any], client: MongoClient[dict[str, Any]]
) -> None:
    client[SCRATCH]["somebody's"].insert_one({"_id": 1})
    try:
        answer = measure("--yes")
        assert answer.code == 2
        assert "another benchmark is going on, or one was killed" in answer.err
        assert client[SCRATCH]["somebody's"].count_documents({}) == 1
    finally:
        client.drop_database(SCRATCH)


def test_a_user_who_may_not_have_one(measure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "phimask.planning.privileges.privileges_granted",
        lambda *_, **__: set(scratch._ACTIONS) - {"dropDatabase"},
    )
    answer = measure("--yes")
    assert answer.code == 2


@pytest.mark.parametrize("way", ["interrupted", "lost"])
def test_whatever_happens_the_scratch_database_is_dropped(
    way: str, measure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(self: Any) -> Any:
        assert SCRATCH in self._client.list_database_names()
        if way == "lost":
            raise AutoReconnect("Ada went away")
        self._stop.interrupted = True
        self._stop.stop()
        self._go_on()

    monkeypatch.setattr(Bench, "write_limit", end)
    answer = measure("--yes")
    assert answer.code == (130 if way == "interrupted" else 1), answer.err
    assert "Ada" not in answer.err


def test_what_there_is_nothing_to_measure_with(
    measure: Callable[..., Any], people: Any, phimask: Callable[..., Any]
) -> None:
    people.delete_many({})
    answer = measure("--yes")
    assert answer.code == 2
    assert "there are no documents to measure with" in answer.err
    people.drop()
    people.database.command("create", "people", viewOn="others", pipeline=[])
    answer = measure("--yes")
    assert answer.code == 2
    assert "is a view" in answer.err


def finished(worker: str, documents: int, seconds: float) -> BatchFinished:
    return BatchFinished("a.b", 0, documents, 1, seconds, documents, 0, 0, 0, 5, worker=worker)


def test_the_rate_is_that_of_the_time_in_which_all_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(bench.time, "perf_counter", lambda: clock[0])
    stop = StopSignal()
    watch = Watch(stop, 7.5)
    assert watch.rate() == 0
    # One begins two seconds after the other: 100 documents a second alone, 160 together.
    for now, worker, documents in ((2, "a", 200), (4, "a", 160), (4, "b", 160), (6, "a", 160), (6, "b", 160)):
        clock[0] = now
        watch.notify(finished(worker, documents, 2.0))
    assert watch.rate() == pytest.approx(160)
    assert watch.peak == 5
    assert not stop.stopping
    clock[0] = 8
    watch.notify(finished("a", 1, 2.0))
    assert stop.stopping


def test_what_is_suggested() -> None:
    ways = [Measured(1, 9, 100.0, 10**8), Measured(2, 9, 180.0, 10**8), Measured(3, 9, 185.0, 10**9)]
    assert best(ways) is ways[1]
    assert best(ways[:1]) is ways[0]
    assert suggested(ways[1], {}) == ["--set 'executor={name: local, options: {workers: 2, memory: 500MB}}'"]
    (_, sizer) = suggested(ways[2], {200: Measured(3, 9, 100.0), 1000: Measured(3, 9, 400.0)})
    assert sizer == "--set 'batch_sizer={name: fixed, options: {documents: 1000, bytes: 16MB}}'"
    (executor,) = suggested(ways[2], {200: Measured(3, 9, 190.0)})
    assert "memory: 3000MB" in executor
