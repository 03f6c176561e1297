"""`phimask resume`, after whatever ended a run: each document is masked exactly once, by maskers that show it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from counters import BORN, Counters, wait_for

from phimask.masking.keys import MaskingKey
from shipped import conforms

GUARDS = ("changed", "none")
EXECUTORS = ("inline", "local")
WAYS = [
    ("inline", "none"),
    ("local", "changed"),
    pytest.param("inline", "changed", marks=pytest.mark.soak),
    pytest.param("local", "none", marks=pytest.mark.soak),
]


def _documents(answer: Any, at: int = 0) -> tuple[int, int]:
    """Total and masked, as the report counts them."""
    conforms(answer.json, "report")
    documents = answer.json["collections"][at]["documents"]
    return documents["total"], documents["masked"]


@pytest.mark.parametrize(("executor", "guard"), WAYS)
def test_each_document_is_masked_once_though_the_run_was_killed(
    guard: str, executor: str, counters: Counters, phimask: Callable[..., Any]
) -> None:
    run = counters.killed("--yes", f"--set=write.guard={guard}", f"--set=executor={executor}")
    assert phimask("status", "--json").json["state"] == "dead"
    assert counters.masked() < 600
    answer = phimask("resume", "--json", f"--set=executor={executor}")
    assert answer.code == 0, answer.err
    assert f"going on with run {run}" in answer.err
    assert counters.masked() == 600
    assert _documents(answer) == (600, 600)
    assert answer.json["run_id"] == run
    assert answer.json["resumed"] == 1
    # Of the sample that was taken when the run began.
    assert answer.json["collections"][0]["complexity"]["simple"] == 20
    assert answer.json["collections"][0]["rules"][0]["masked"] == 600
    assert answer.json["collections"][0]["batches"]["documents"] <= 600


@pytest.mark.parametrize("guard", ["changed", pytest.param("none", marks=pytest.mark.soak)])
def test_a_run_is_killed_again_and_again(
    guard: str, counters: Counters, phimask: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    chance = random.Random(request.config.getoption("--seed"))
    counters.killed("--yes", f"--set=write.guard={guard}", least=1)
    for _ in range(request.config.getoption("--trials") or 2):
        before = counters.masked()
        process = counters.start("resume", pace=0.005)
        more = before + chance.randrange(1, 60)
        wait_for(lambda more=more: counters.counts().get(1, 0) >= min(more, 500), process)  # type: ignore[misc]
        process.kill()
        process.communicate()
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    assert counters.masked() == 600
    assert _documents(answer) == (600, 600)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_kill_between_the_announcement_and_the_write(
    guard: str, counters: Counters, phimask: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    admin = counters.database.client.admin
    counters.killed("--yes", f"--set=write.guard={guard}", least=1)
    stuck = {
        "failCommands": ["update"],
        "namespace": counters.collection.full_name,
        "blockConnection": True,
        "blockTimeMS": 600,
    }
    for _ in range(request.config.getoption("--trials") or 2):
        set_up = admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=stuck)
        try:
            process = counters.start("resume", pace=0.0)
            entered = {"timesEntered": set_up["count"] + 1, "maxTimeMS": 60_000}
            admin.command({"waitForFailPoint": "failCommand", **entered})
            process.kill()
            process.communicate()
        finally:
            admin.command("configureFailPoint", "failCommand", mode="off")
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    assert counters.masked() == 600
    assert _documents(answer) == (600, 600)


@pytest.mark.parametrize("executor", [pytest.param("inline", marks=pytest.mark.soak), "local"])
def test_a_copy_is_resumed(executor: str, counters: Counters, phimask: Callable[..., Any]) -> None:
    target = counters.database.client[f"{counters.database.name}_masked"]
    into = ("--target-db", target.name)
    try:
        process = counters.start(*into, f"--set=executor={executor}", pace=0.005)
        wait_for(lambda: target["counters"].count_documents({}, limit=40) >= 40, process)
        process.kill()
        process.communicate()
        other = phimask("resume", "--target-db", "somewhere")
        assert other.code == 2
        assert f"went into {target.name}.counters, and now somewhere.counters is named" in other.err
        none = phimask("resume")
        assert none.code == 2
        assert f"went into {target.name}.counters, and now no target is named" in none.err
        answer = phimask("resume", *into, "--json")
        assert answer.code == 0, answer.err
        assert _documents(answer) == (600, 600)
        assert target["counters"].count_documents({"Count": 1}) == 600
        assert {abs((one["Born"] - BORN).days) for one in target["counters"].find()} == {1}
        assert counters.counts() == {0: 600}
    finally:
        target.client.drop_database(target)


@pytest.mark.parametrize("guard", [pytest.param("changed", marks=pytest.mark.soak), "none"])
def test_the_query_is_the_runs_own(guard: str, counters: Counters, phimask: Callable[..., Any]) -> None:
    # It asks for what the run itself changes, so that fewer and fewer documents match.
    counters.killed("--yes", f"--set=write.guard={guard}", '--query={"Count": 0, "Ward": {"$ne": 2}}')
    refused = phimask("resume", "--query", "{}")
    assert refused.code == 2
    assert "--query and --limit are the run's own" in refused.err
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    assert counters.masked() == 400
    assert counters.collection.count_documents({"Ward": 2, "Count": 0}) == 200
    assert _documents(answer)[1] == 400


@pytest.mark.parametrize(("executor", "guard"), list(zip(EXECUTORS, GUARDS, strict=True)))
def test_a_limit_is_met_exactly(
    guard: str, executor: str, counters: Counters, phimask: Callable[..., Any]
) -> None:
    counters.killed("--yes", f"--set=write.guard={guard}", f"--set=executor={executor}", "--limit=333")
    answer = phimask("resume", "--json", f"--set=executor={executor}")
    assert answer.code == 0, answer.err
    assert counters.masked() == 333
    assert _documents(answer) == (333, 333)
    assert counters.collection.count_documents({"_id": {"$lt": 333}, "Count": 1}) == 333


def test_a_collection_that_was_not_begun_is_masked_too(
    counters: Counters, phimask: Callable[..., Any]
) -> None:
    counters.file("more")
    counters.fill("more", 200)
    counters.settings("counters", "more")
    counters.killed("--yes")
    assert counters.counts("more") == {0: 200}
    counters.database["more"].insert_one({"_id": 1000, "Count": 0, "Born": BORN, "Ward": 0})
    answer = phimask("resume", "--json")
    assert answer.code == 0, answer.err
    assert counters.masked() == 600
    assert counters.masked("more") == 200  # what came after the run began is not the run's
    assert _documents(answer) == (600, 600)
    assert _documents(answer, 1)[1] == 200


def test_the_profile_may_be_another(counters: Counters, phimask: Callable[..., Any]) -> None:
    counters.killed("--yes", "--set=write.guard=none")
    answer = phimask("resume", "--profile", "emergency", "--json")
    assert answer.code == 0, answer.err
    assert counters.masked() == 600
    assert answer.json["profile"] == "emergency"


def _rules(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    counters.file("counters", "  - {path: Ward, masker: keep}\n")


def _key(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del counters
    monkeypatch.setenv("PHIMASK_KEY", MaskingKey.generate().text())


def _version(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del counters
    monkeypatch.setattr("phimask.__version__", "99.1")


def _dropped(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    counters.let_go()
    counters.collection.drop()
    counters.fill("counters")


def _gone(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    counters.let_go()
    counters.collection.rename("elsewhere")


def _target(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    with (counters.folder / "phimask.yaml").open("a", encoding="utf-8") as file:
        file.write("target: {database: somewhere}\n")


def _collections(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    name = counters.folder / "collections" / "counters.yaml"
    name.write_text(name.read_text(encoding="utf-8").replace("collection: counters", "collection: more"))
    counters.fill("more", 10)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_rules, "the rules of {0}.counters (counters) have changed; put back those it began with"),
        (_key, "it began under the key"),
        (_version, "began it, and this is 99.1; install that version to go on"),
        (_dropped, "{0}.counters was dropped or replaced since: it is another collection now"),
        (_gone, "there is no collection 'counters' in database '{0}'"),
        (_target, "{0}.counters went into no target, and now somewhere.counters is named"),
        (_collections, "it masks {0}.counters, and the configuration names {0}.more"),
    ],
)
def test_what_has_changed_is_said_and_nothing_is_written(
    change: Callable[[Counters, pytest.MonkeyPatch], None],
    told: str,
    counters: Counters,
    phimask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = counters.killed("--yes")
    change(counters, monkeypatch)
    before = counters.told()
    answer = phimask("resume")
    assert answer.code == 2, answer.err
    assert told.format(counters.database.name) in answer.err
    if change is not _gone:
        assert f"run {run} cannot be resumed" in answer.err
    assert counters.told() == before


def test_another_vault_is_refused(counters: Counters, phimask: Callable[..., Any], tmp_path: Path) -> None:
    counters.killed("--yes", f"--set=undo.vault={tmp_path / 'vault'}")
    before = counters.told()
    for setting in ((), (f"--set=undo.vault={tmp_path / 'other'}",)):
        answer = phimask("resume", *setting)
        assert answer.code == 2, answer.err
        assert "its originals are kept in" in answer.err
    assert counters.told() == before
    answer = phimask("resume", "--json", f"--set=undo.vault={tmp_path / 'vault'}")
    assert answer.code == 0, answer.err
    assert counters.masked() == 600


def test_a_vault_cannot_be_begun_in_the_middle(
    counters: Counters, phimask: Callable[..., Any], tmp_path: Path
) -> None:
    run = counters.killed("--yes", pace=0.02)
    before = counters.told()
    answer = phimask("resume", f"--set=undo.vault={tmp_path / 'vault'}")
    assert answer.code == 2, answer.err
    assert f"run {run} cannot be resumed: it began without a vault" in answer.err
    assert "--set undo.vault=null" in answer.err
    assert counters.told() == before
    assert not (tmp_path / "vault").exists()
    assert phimask("resume", "--set=undo.vault=null").code == 0
    assert counters.masked() == 600


def test_a_resume_that_fails_before_it_knows_what_was_done_can_be_made_again(
    counters: Counters, phimask: Callable[..., Any]
) -> None:
    # Slowly, so that it is killed while it masks a batch: the one before is written, and nobody has closed it.
    run = counters.killed("--yes", "--set=write.guard=none", pace=0.05)
    admin = counters.database.client.admin
    refused = {"failCommands": ["find"], "errorCode": 13, "namespace": counters.collection.full_name}
    # What is asked of the collection before its documents are: which `_id`s there are.
    admin.command("configureFailPoint", "failCommand", mode={"skip": 1}, data=refused)
    try:
        answer = phimask("resume", run)
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")
    assert answer.code == 1, answer.err
    assert "masking" in answer.err
    partitions = counters.ledger["masking_coordination.partitions"]
    assert [one["fence"] for one in partitions.find(sort=[("_id", 1)])] == [2, 0, 0, 0]
    answer = phimask("resume", run)
    assert answer.code == 0, answer.err
    assert counters.masked() == 600


def test_a_run_without_a_journal_is_not_resumed(counters: Counters, phimask: Callable[..., Any]) -> None:
    run = counters.killed("--yes", "--set=write.journal=false")
    answer = phimask("resume")
    assert answer.code == 2
    assert f"run {run} was made without a journal" in answer.err


def test_there_has_to_be_a_run(counters: Counters, phimask: Callable[..., Any]) -> None:
    answer = phimask("resume")
    assert answer.code == 2
    assert "no run is unfinished; `phimask status` lists the last ones" in answer.err
    answer = phimask("resume", "20260101-000000-abcdef")
    assert answer.code == 2
    assert "the ledger knows no run 20260101-000000-abcdef" in answer.err
    assert counters.counts() == {0: 600}


def test_a_second_run_is_refused_and_offered_what_it_can_do(
    counters: Counters, phimask: Callable[..., Any]
) -> None:
    process = counters.begun("--yes", pace=0.05)
    run = counters.latest()["_id"]
    for command, told in (
        (("--yes",), (f"run {run} is masking it", f"process {process.pid}", "`pause` and `stop`")),
        (("plan",), (f"hazard: {counters.collection.full_name}: run {run} is masking it",)),
        (("resume", run), (f"run {run} is live on", f"`phimask status {run}`")),
    ):
        answer = phimask(*command)
        assert answer.code == 2, answer.err
        assert all(text in answer.err for text in told), answer.err
    process.kill()
    process.communicate()
    for command in ("run", "plan"):
        answer = phimask(command)
        assert answer.code == 2
        assert f"run {run} is not finished (dead); go on with `phimask resume {run}`" in answer.err
    assert phimask("resume", run).code == 0
    assert counters.masked() == 600
    for command in ("run", "plan"):
        answer = phimask(command)
        assert answer.code == 2
        assert f"run {run} has masked it already" in answer.err
    assert phimask("resume", run).code == 2
    assert phimask("--dry-run", "--again").code == 0
    assert counters.masked() == 600
    assert phimask("--yes", "--again").code == 0
    assert counters.counts() == {2: 600}
    counters.let_go()
    counters.collection.drop()
    counters.fill("counters")
    assert phimask("--yes").code == 0
    assert counters.masked() == 600
