"""A run steered from another process, its ledger elsewhere or out of reach, and what is said of a run afterwards."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from counters import Counters, wait_for
from pymongo import MongoClient
from pymongo.database import Database

from phimask.ledger.opening import open_ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.runs import Runs
from phimask.monitor.looking import Looker
from phimask.observing.tally import Tally
from phimask.plugins.values import Partition
from phimask.store.embedded import EmbeddedMongod, find_mongod
from shipped import conforms
from simulated_ledger import record

QUIET = 2.0
"""Seconds: longer than a batch in hand takes, however busy the machine is."""


def _settled(counters: Counters) -> int:
    """How many documents are masked once nothing more is in hand."""
    before, since = -1, 0.0
    while (now := counters.masked()) != before or time.monotonic() - since < QUIET:
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.1)
    return now


@pytest.mark.parametrize("executor", [pytest.param("inline", marks=pytest.mark.soak), "local"])
def test_a_run_is_paused_let_go_on_stopped_and_resumed(
    executor: str, counters: Counters, phimask: Callable[..., Any]
) -> None:
    process = counters.begun("--yes", "--json", f"--set=executor={executor}", pace=0.02)
    run = counters.latest()["_id"]

    status = phimask("status", "--json").json
    assert (status["run_id"], status["state"], status["live"]) == (run, "running", True)
    assert status["coordinator"]["pid"] == process.pid
    told = phimask("status", run)
    assert f"run {run}: running on " in told.err
    assert f"{counters.collection.full_name}: " in told.err

    answer = phimask("pause", "--json")
    assert answer.code == 0
    assert answer.json == {
        "run_id": run, "state": "paused", "live": True, "holding": ["asked to pause"], "obeyed": True,
    }  # fmt: skip
    assert f"run {run} is paused (asked to pause)" in phimask("pause").err
    paused = _settled(counters)
    assert paused < 600
    status = phimask("status", "--json").json
    assert (status["state"], status["holding"]) == ("paused", ["asked to pause"])
    assert status["collections"][0]["documents"]["masked"] <= paused
    assert f"`phimask continue {run}` lets it go on" in phimask("status").err
    assert counters.masked() == paused

    answer = phimask("continue", run)
    assert answer.code == 0
    assert f"run {run} is running" in answer.err
    wait_for(lambda: counters.masked() > paused, process)

    answer = phimask("stop")
    assert answer.code == 0
    assert f"run {run} is stopped" in answer.err
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert f"stopped on request; `phimask resume {run}` goes on" in err
    report = json.loads(out)
    assert report["status"] == "stopped"
    assert report["collections"][0]["throttled"]["asked to pause"] > 0
    assert report["collections"][0]["documents"]["masked"] == counters.masked() < 600
    assert f"`phimask resume {run}` goes on with it" in phimask("status").err

    for command in ("pause", "continue", "stop"):
        answer = phimask(command)
        assert answer.code == 2
        assert "no run is live; `phimask status` lists the last ones" in answer.err
        answer = phimask(command, run)
        assert answer.code == 2
        assert f"run {run} is not live: it is stopped" in answer.err

    answer = phimask("resume", "--json", f"--set=executor={executor}")
    assert answer.code == 0, answer.err
    assert counters.masked() == 600
    assert answer.json["collections"][0]["documents"]["masked"] == 600


def test_a_paused_run_is_stopped(counters: Counters, phimask: Callable[..., Any]) -> None:
    process = counters.begun("--yes", pace=0.02)
    phimask("pause")
    paused = _settled(counters)
    assert phimask("stop").code == 0
    process.communicate(timeout=60)
    assert process.returncode == 4
    assert counters.masked() == paused


def test_a_run_has_a_longest_duration(counters: Counters, phimask: Callable[..., Any]) -> None:
    process = counters.start("--yes", "--max-duration", "5s", pace=0.03)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 4, err
    run = counters.latest()["_id"]
    assert f"--max-duration is over; `phimask resume {run}` goes on" in err
    assert 0 < counters.masked() < 600
    answer = phimask("resume", "--max-duration", "soon")
    assert answer.code == 2
    assert "--max-duration" in answer.err
    assert phimask("resume", "--max-duration", "10m").code == 0
    assert counters.masked() == 600


def test_watching_ends_with_the_run(counters: Counters) -> None:
    hold = counters.folder / "hold"
    hold.touch()
    process = counters.start("--yes", "--set=throttle.flag_file=hold")
    wait_for(
        lambda: counters.ledger["masking_coordination.runs"].count_documents({"state": "paused"}) > 0, process
    )
    watching = counters.start("status", "--watch", "--json")
    assert watching.stdout is not None
    first = watching.stdout.readline()
    hold.unlink()
    rest, err = watching.communicate(timeout=120)
    assert watching.returncode == 0, err
    process.communicate(timeout=60)
    seen = [json.loads(line) for line in [first, *rest.splitlines()]]
    assert seen[0]["state"] == "paused"
    assert seen[-1]["state"] == "completed"
    read = [one["collections"][0]["documents"]["read"] for one in seen]
    assert read == sorted(read)
    assert read[-1] == 600


def test_collections_not_begun_yet_count_in_the_total(
    database: Database[dict[str, Any]], deployed: Path, phimask: Callable[..., Any]
) -> None:
    ledger = open_ledger(database.client, database.name, "ledger")
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ncoordination: {{database: {database.name}, prefix: ledger}}\n",
        "utf-8",
    )
    plain = record("20261126-1", "ehr.a", "ehr.b")
    pins = tuple(replace(pin, documents=most) for pin, most in zip(plain.pins, (1000, 3000), strict=True))
    runs = Runs(ledger)
    epoch = runs.begin(replace(plain, pins=pins))
    shown = phimask("status", "--json").json
    assert shown["documents"] == {"read": 0, "expected": 4000}
    partitions = Partitions(ledger, "20261126-1", "ehr.a")
    assert list(partitions.add([Partition(0, None, None, 1000)]))
    runs.all_cut("20261126-1", "ehr.a")
    ledger.partitions.update_one(
        {"_id.namespace": "ehr.a"},
        {"$set": {"state": "done", "tally": Tally(read=999, masked=999).document()}},
    )
    shown = phimask("status", "--json").json
    assert shown["documents"] == {"read": 999, "expected": 3999}
    assert [one["done"] for one in shown["collections"]] == [True, False]
    said = phimask("status").err
    assert "  in all: 999 of about 3,999 documents read (24.9 %), 2 collections\n" in said
    assert "  ehr.a: 999 of 999 documents read, 999 masked" in said
    assert "  ehr.b: 0 of about 3,000 documents read (0.0 %), 0 masked" in said
    assert list(Partitions(ledger, "20261126-1", "ehr.b").add([Partition(0, None, None, 3000)]))
    runs.all_cut("20261126-1", "ehr.b")
    runs.end("20261126-1", epoch, "stopped")
    runs.mark("20261126-1", "finalized")
    shown = phimask("status", "--json").json
    assert shown["documents"] == {"read": 999, "expected": 3999}
    assert [one["done"] for one in shown["collections"]] == [True, False]
    assert "partitions: 0 of 1 done, 0 leased, 1 withdrawn" in phimask("status").err
    _, looked = Looker(ledger).look(["20261126-1"])
    assert [one["done"] for one in looked["20261126-1"]["collections"]] == [True, False]


def test_a_killed_run_is_dead(counters: Counters, phimask: Callable[..., Any]) -> None:
    run = counters.killed("--yes")
    told = phimask("status")
    assert told.code == 0
    assert f"run {run}: dead, " in told.err
    assert f"`phimask resume {run}` goes on with it" in told.err
    answer = phimask("pause", run)
    assert answer.code == 2
    assert f"run {run} is not live: it is dead" in answer.err
    report = phimask("report", run)
    assert report.code == 2
    assert f"run {run} has no report yet, since it never ended: it is dead" in report.err
    assert phimask("resume").code == 0
    assert f"run {run}: completed, " in phimask("status").err


def test_a_ledger_without_runs(counters: Counters, phimask: Callable[..., Any]) -> None:
    answer = phimask("status", "--json")
    assert (answer.code, answer.json) == (0, {"runs": []})
    assert "the ledger knows no run" in phimask("status").err
    for command in ("status", "pause", "report"):
        answer = phimask(command, "nobody")
        assert answer.code == 2
        assert "the ledger knows no run nobody" in answer.err
    assert phimask("plan").code == 0
    assert counters.told().keys() == {"counters"}  # nothing of all this made a ledger


def test_the_ledger_keeps_the_report(counters: Counters, phimask: Callable[..., Any]) -> None:
    process = counters.begun("--yes", "--json", pace=0.02)
    phimask("stop")
    report = json.loads(process.communicate(timeout=60)[0])
    run = report["run_id"]
    kept = phimask("report", run, "--json")
    assert kept.code == 0, kept.err
    assert kept.json == report
    conforms(kept.json, "report")
    text = phimask("report", run)
    assert f"run {run}" in text.err
    assert "phimask stopped" in text.err
    resumed = phimask("resume", "--json")
    assert phimask("report", run, "--json").json == resumed.json
    assert resumed.json["started"] <= report["started"]  # the run's beginning, as the ledger noted it
    assert resumed.json["finished"] > report["finished"]
    speed = resumed.json["throughput"]
    assert speed["documents_per_second"] * speed["seconds"] == pytest.approx(
        resumed.json["collections"][0]["batches"]["documents"], rel=0.01
    )
    assert ", resumed once, " in " ".join(phimask("report", run).err.split())


def test_a_ledger_of_a_newer_schema(counters: Counters, phimask: Callable[..., Any]) -> None:
    meta = counters.ledger["masking_coordination.meta"]
    meta.insert_one({"_id": "schema", "version": 99})
    before = counters.told()
    undoing = (("rollback", "nobody", "--yes"), ("finalize", "nobody", "--yes"))
    for command in (
        ("--yes",),
        ("plan",),
        ("resume",),
        ("status",),
        ("stop",),
        ("report", "nobody"),
        *undoing,
    ):
        answer = phimask(*command)
        assert answer.code == 2
        assert f"{counters.ledger.name}.masking_coordination.* is of schema 99" in answer.err
        assert "a newer phimask wrote it; use that version" in answer.err
    assert counters.told() == before


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("meta", ["findAndModify"]),
        ("partitions", ["createIndexes"]),
        ("runs", ["insert"]),
        ("claims", ["update"]),
    ],
)
def test_a_ledger_that_may_not_be_written(
    name: str, commands: list[str], counters: Counters, phimask: Callable[..., Any]
) -> None:
    admin = counters.database.client.admin
    namespace = f"{counters.ledger.name}.masking_coordination.{name}"
    data = {"failCommands": commands, "errorCode": 13, "namespace": namespace}
    admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        answer = phimask("--yes")
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")
    assert answer.code == 2, answer.err
    assert f"the ledger {counters.ledger.name}.masking_coordination.*" in answer.err
    assert "code 13 (Unauthorized); the user needs readWrite on the database" in answer.err
    assert counters.counts() == {0: 600}


def test_a_ledger_out_of_reach(
    counters: Counters, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.store.connect.SELECTION_SECONDS", 0.2)
    counters.settings("counters", more="coordination: {uri: 'mongodb://127.0.0.1:9/'}\n")
    undoing = (("rollback", "nobody", "--yes"), ("finalize", "nobody", "--yes"))
    for command in (("--yes",), ("plan",), ("resume",), ("status",), ("stop",), *undoing):
        answer = phimask(*command)
        assert answer.code == 2
        assert "the ledger (coordination.uri): 127.0.0.1:9: no server answered" in answer.err
    assert counters.counts() == {0: 600}


@pytest.mark.soak
def test_a_ledger_whose_server_is_locked(
    counters: Counters, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is while files are copied for a backup: a write waits until it is unlocked, be it hours."""
    # Without transactions: locking would wait a minute for the one that the killed run left open.
    run = counters.killed("--yes", "--set=write.guard=none")
    before = counters.counts()
    monkeypatch.setattr("phimask.ledger.opening.ANSWER_SECONDS", 0.5)
    admin = counters.database.client.admin
    admin.command("fsync", lock=True)
    try:
        assert phimask("status").code == 0
        for command in (("--yes",), ("resume",), ("rollback", run, "--yes"), ("finalize", run, "--yes")):
            answer = phimask(*command)
            assert answer.code == 2, answer.err
            assert f"the ledger {counters.ledger.name}.masking_coordination.*: no answer within" in answer.err
            assert "check that its server is not locked (fsyncLock)" in answer.err
    finally:
        admin.command("fsyncUnlock")
    assert counters.counts() == before
    assert phimask("resume").code == 0
    assert counters.masked() == 600


@pytest.fixture
def elsewhere(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedMongod]:
    """A deployment of the ledger's own."""
    with EmbeddedMongod(find_mongod(os.environ)) as server:
        monkeypatch.setenv("PHIMASK_LEDGER_URI", server.uri)
        counters.settings("counters", more="coordination: {uri: '${PHIMASK_LEDGER_URI}', database: led}\n")
        with MongoClient(server.uri) as client:
            counters.ledger = client["led"]
            yield server


@pytest.mark.parametrize("guard", ["changed", pytest.param("none", marks=pytest.mark.soak)])
def test_the_ledger_is_on_another_deployment(
    guard: str, counters: Counters, elsewhere: EmbeddedMongod, phimask: Callable[..., Any]
) -> None:
    run = counters.killed("--yes", f"--set=write.guard={guard}")
    assert f"{counters.database.name}_ledger" not in counters.database.client.list_database_names()
    assert phimask("plan").code == 2
    assert phimask("resume", run).code == 0
    assert counters.masked() == 600


@pytest.mark.parametrize(
    ("executor", "guard"),
    [
        ("local", "changed"),
        *(
            pytest.param(*one, marks=pytest.mark.soak)
            for one in (("local", "none"), ("inline", "changed"), ("inline", "none"))
        ),
    ],
)
def test_the_ledger_goes_away_for_some_seconds(
    executor: str, guard: str, counters: Counters, elsewhere: EmbeddedMongod, phimask: Callable[..., Any]
) -> None:
    process = counters.begun(
        "--yes", "--json", f"--set=write.guard={guard}", f"--set=executor={executor}", pace=0.005
    )
    server = _server_of(elsewhere)
    server.suspend()
    try:
        _settled(counters)  # what was announced may still be written
        before = counters.counts()
        time.sleep(4)
        assert counters.counts() == before
        assert process.poll() is None
    finally:
        server.resume()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert counters.masked() == 600
    assert json.loads(out)["collections"][0]["documents"]["masked"] == 600


def _server_of(server: EmbeddedMongod) -> psutil.Process:
    port = int(server.uri.split("/")[2].rpartition(":")[2])
    for process in psutil.Process().children(recursive=True):
        if process.name().startswith("mongod") and str(port) in process.cmdline():
            return process
    raise AssertionError("no mongod of this port is ours")
