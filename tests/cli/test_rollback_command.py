"""A way back from the command line: a run with a vault, its rollback, its end; and all that stands in the way."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from phimask.masking.keys import MaskingKey
from phimask.vault.directory import DirectoryStorage
from phimask.vault.storing import cannot_keep

PROFILE = """\
version: 1
extends: parallel
description: small batches, with a way back
partitioner: single
executor: inline
batch_sizer: {name: fixed, options: {documents: 20}}
observers: []
check: {sample: 0}
undo: {vault: vault}
"""

PROJECT = """\
version: 1
uri: ${PHIMASK_URI}
database: DATABASE
profile: careful
collections: [people]
coordination: {database: DATABASE_ledger}
"""

Phimask = Callable[..., Any]


@pytest.fixture
def database(client: MongoClient[dict[str, Any]], deployed: Path) -> Iterator[str]:
    """A collection of 100 people, in a project that keeps what it masks."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    (deployed / "profiles").mkdir()
    (deployed / "profiles" / "careful.yaml").write_text(PROFILE, encoding="utf-8")
    (deployed / "phimask.yaml").write_text(PROJECT.replace("DATABASE", name), encoding="utf-8")
    people = [
        {
            "_id": n,
            "PatientId": n % 30,
            "Name": f"Quillfeather {n}",
            "Born": None,
            "Visits": [{"Note": "a", "n": n}],
        }
        for n in range(100)
    ]
    client[name]["people"].insert_many(people)
    yield name
    client.drop_database(name)
    client.drop_database(f"{name}_ledger")


def stored(client: MongoClient[dict[str, Any]], name: str, collection: str = "people") -> list[bytes]:
    options = client.codec_options.with_options(document_class=RawBSONDocument)
    return [
        bytes(one.raw) for one in client[name].get_collection(collection, options).find({}, sort=[("_id", 1)])
    ]


@pytest.fixture
def before(client: MongoClient[dict[str, Any]], database: str) -> list[bytes]:
    return stored(client, database)


@pytest.fixture
def run(phimask: Phimask, before: list[bytes], client: MongoClient[dict[str, Any]], database: str) -> str:
    """A run that is done."""
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["undo"]["state"] == "kept"
    assert all(one != other for one, other in zip(stored(client, database), before, strict=True))
    return str(answer.json["run_id"])


def test_there_and_back(
    phimask: Phimask,
    run: str,
    before: list[bytes],
    client: MongoClient[dict[str, Any]],
    database: str,
    project: Path,
) -> None:
    assert b"Quillfeather" not in b"".join(path.read_bytes() for path in (project / "vault" / run).iterdir())
    answer = phimask("rollback", run, "--yes", "--json", "--report", "back.json")
    assert answer.code == 0, answer.err
    assert stored(client, database) == before
    (one,) = answer.json["collections"]
    assert one["documents"] == {"restored": 100, "already_original": 0, "conflicts": 0}
    assert json.loads((project / "back.json").read_text(encoding="utf-8")) == answer.json
    # And once more from the beginning.
    again = phimask("run", "--yes")
    assert again.code == 0, again.err


def test_what_others_changed_is_listed(
    phimask: Phimask, run: str, client: MongoClient[dict[str, Any]], database: str
) -> None:
    client[database]["people"].update_one({"_id": 7}, {"$set": {"Name": "Quillfeather the younger"}})
    answer = phimask("rollback", run, "--yes", "--json")
    assert answer.code == 3
    (one,) = answer.json["collections"]
    assert one["conflicts"] == [
        {"_id": '{"$numberInt": "7"}', "reason": "changed by others since it was masked"}
    ]
    assert "1 left as they are: changed by others" in answer.err
    assert "younger" not in answer.err + answer.out
    assert "numberInt" not in answer.err


def test_what_was_put_back_is_masked_anew_once_the_vault_is_destroyed(phimask: Phimask, run: str) -> None:
    assert phimask("rollback", run, "--yes").code == 0
    for _ in range(2):
        assert phimask("finalize", run, "--yes").code == 0
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert phimask("run", "--yes").code == 2
    assert phimask("rollback", answer.json["run_id"], "--yes").code == 0


def test_nobody_is_asked_without_a_terminal(
    phimask: Phimask, run: str, client: MongoClient[dict[str, Any]], database: str
) -> None:
    masked = stored(client, database)
    for command, question in (
        ("rollback", f"originals of run {run} back into {database}.people (about 100 documents)?"),
        ("finalize", f"Make run {run} final?"),
    ):
        answer = phimask(command, run)
        assert answer.code == 2
        assert question in answer.err
        assert "give --yes" in answer.err.lower()
    assert stored(client, database) == masked


def test_the_wrong_key(
    phimask: Phimask,
    run: str,
    monkeypatch: pytest.MonkeyPatch,
    client: MongoClient[dict[str, Any]],
    database: str,
) -> None:
    masked = stored(client, database)
    other = MaskingKey.generate()
    monkeypatch.setenv("PHIMASK_KEY", other.text())
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    assert "was sealed under the masking key with the fingerprint" in answer.err
    assert f"the key given has {other.fingerprint}" in answer.err
    monkeypatch.delenv("PHIMASK_KEY")
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    assert "PHIMASK_KEY is not set" in answer.err
    assert stored(client, database) == masked


def test_an_older_key(
    phimask: Phimask, run: str, monkeypatch: pytest.MonkeyPatch, project: Path, before: list[bytes],
    client: MongoClient[dict[str, Any]], database: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("OLD_KEY", os.environ["PHIMASK_KEY"])
    monkeypatch.setenv("PHIMASK_KEY", MaskingKey.generate().text())
    with (project / "phimask.yaml").open("a", encoding="utf-8") as file:
        file.write("key: [{env: PHIMASK_KEY}, {env: OLD_KEY}]\n")
    assert phimask("rollback", run, "--yes").code == 0
    assert stored(client, database) == before


def test_a_vault_that_was_tampered_with(
    phimask: Phimask, run: str, project: Path, client: MongoClient[dict[str, Any]], database: str
) -> None:
    masked = stored(client, database)
    (file,) = (project / "vault" / run).glob("*.segments")
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    told, advice = answer.err.splitlines()
    assert told.startswith(f"error: {file}: segment 2 (batch 3 of {database}.people")
    assert advice.startswith("error: nothing was put back; restore the vault, or give --skip-damaged")
    assert stored(client, database) == masked
    answer = phimask("rollback", run, "--yes", "--skip-damaged", "--json")
    assert answer.code == 3
    assert answer.json["collections"][0]["documents"]["restored"] == 80
    assert len(answer.json["vault"]["damage"]) == 1


@pytest.mark.parametrize("what", ["folder", "another's", "cut", "gone"])
def test_verify_says_what_a_vault_has_not_got(
    what: str, phimask: Phimask, run: str, project: Path, client: MongoClient[dict[str, Any]], database: str
) -> None:
    masked = stored(client, database)
    (file,) = (project / "vault" / run).glob("*.segments")
    raw = file.read_bytes()
    file.unlink()
    if what == "folder":
        file.mkdir()
        told = "cannot be read"
    elif what == "another's":
        file.write_bytes(raw.replace(run.encode(), b"x" * len(run), 1))
        told = "its first line is not what was written there, or it is another file's"
    else:
        if what == "cut":
            file.write_bytes(raw[:-20])
        told = f"of its 5 batches are missing (batch {'5' if what == 'cut' else '1, 2, 3, 4, 5'})"
    answer = phimask("verify")
    assert answer.code == 2, answer.err
    assert told in answer.err
    assert "fault of phimask" not in answer.err
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2, answer.err
    assert told in answer.err
    assert stored(client, database) == masked


def test_what_was_masked_again_is_undone_from_the_last_run_on(
    phimask: Phimask, run: str, before: list[bytes], client: MongoClient[dict[str, Any]], database: str
) -> None:
    later = [phimask("run", "--yes", "--again", "--json").json["run_id"] for _ in range(2)]
    masked, ledger = (
        stored(client, database),
        stored(client, f"{database}_ledger", "masking_coordination.runs"),
    )
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    assert answer.err.splitlines() == [
        f"error: {database}.people: run {one} masked it again since; put that one's originals back first: `phimask "
        f"rollback {one}`"
        for one in reversed(later)
    ]
    assert stored(client, database) == masked
    assert stored(client, f"{database}_ledger", "masking_coordination.runs") == ledger
    for one in (*reversed(later), run):
        assert phimask("rollback", one, "--yes").code == 0
    assert stored(client, database) == before
    # And from a run that nothing undoes any more.
    (first, last) = [phimask("run", "--yes", "--again", "--json").json["run_id"] for _ in range(2)]
    assert phimask("finalize", last, "--yes").code == 0
    answer = phimask("rollback", first, "--yes", "--json")
    assert answer.code == 3
    assert (
        f"{database}.people: run {last} masked it again since, and there is no way back from that"
        in answer.err
    )
    assert answer.json["collections"][0]["documents"]["conflicts"] == 100


def test_what_a_shadow_took_the_place_of_is_undone_after_it(
    phimask: Phimask,
    run: str,
    before: list[bytes],
    client: MongoClient[dict[str, Any]],
    database: str,
    project: Path,
) -> None:
    settings = (project / "phimask.yaml").read_text("utf-8")
    (project / "phimask.yaml").write_text(f"{settings}target: {{shadow: {{keep_original: true}}}}\n", "utf-8")
    shadowed = phimask("run", "--yes", "--again", "--json").json["run_id"]
    (project / "phimask.yaml").write_text(settings, "utf-8")
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    assert f"run {shadowed} masked it again since" in answer.err
    assert phimask("rollback", shadowed, "--yes").code == 0
    assert phimask("rollback", run, "--yes").code == 0
    assert stored(client, database) == before


def test_a_vault_that_is_gone(phimask: Phimask, run: str, project: Path) -> None:
    (project / "vault").rename(project / "elsewhere")
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    assert f"holds no key of run {run} any more; put it back from a backup" in answer.err
    answer = phimask("rollback", run, "--yes", "--set", "undo.vault=another")
    assert answer.code == 2
    assert (
        f"which kept its originals in the vault {project / 'vault'}; name that with --set undo" in answer.err
    )
    answer = phimask("finalize", run, "--yes")
    assert answer.code == 2
    assert "give --vault-gone" in answer.err
    assert phimask("rollback", run, "--yes", "--set", "undo.vault=elsewhere").code == 0
    answer = phimask("finalize", run, "--yes", "--vault-gone", "--json")
    assert answer.json == {"run_id": run, "state": "finalized", "key_destroyed": False, "parts_removed": 0}


def test_a_run_that_nobody_knows(phimask: Phimask, run: str) -> None:
    for command in ("rollback", "finalize"):
        answer = phimask(command, "20200101-000000-ffffff", "--yes")
        assert answer.code == 2
        assert "the ledger knows no run '20200101-000000-ffffff'" in answer.err


def test_a_live_run(phimask: Phimask, run: str, client: MongoClient[dict[str, Any]], database: str) -> None:
    runs = client[f"{database}_ledger"]["masking_coordination.runs"]
    runs.update_one(
        {"_id": run}, {"$set": {"coordinator.host": "elsewhere"}, "$currentDate": {"coordinator.seen": True}}
    )
    for command in ("rollback", "finalize"):
        answer = phimask(command, run, "--yes")
        assert answer.code == 2
        assert f"is live on elsewhere (process {runs.find_one()['coordinator']['pid']})" in answer.err


def test_a_copy_has_nothing_to_roll_back(
    phimask: Phimask, before: list[bytes], client: MongoClient[dict[str, Any]], database: str, project: Path
) -> None:
    answer = phimask("run", "--target-db", f"{database}_masked", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["undo"] is None
    assert not (project / "vault").exists()
    said = phimask("rollback", answer.json["run_id"], "--yes")
    client.drop_database(f"{database}_masked")
    assert said.code == 2
    assert f"drop {database}_masked.people instead" in said.err


def test_where_nothing_was_changed_no_originals_are_kept(
    phimask: Phimask, client: MongoClient[dict[str, Any]], database: str
) -> None:
    client[database]["people"].delete_many({})
    answer = phimask("run", "--yes")
    assert answer.code == 0, answer.err
    assert "originals are in the vault" not in answer.err
    assert "the vault holds no originals" in answer.err


def test_a_run_without_a_vault(phimask: Phimask, before: list[bytes]) -> None:
    answer = phimask("run", "--yes", "--json", "--set", "undo.vault=null")
    said = phimask("rollback", answer.json["run_id"], "--yes")
    assert said.code == 2
    assert "kept no originals" in said.err


def test_a_vault_needs_a_key_even_where_no_rule_does(
    phimask: Phimask, before: list[bytes], project: Path, monkeypatch: pytest.MonkeyPatch,
    client: MongoClient[dict[str, Any]], database: str,
) -> None:  # fmt: skip
    (project / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nrules: [{path: Name, masker: redact}]\n", encoding="utf-8"
    )
    monkeypatch.delenv("PHIMASK_KEY")
    answer = phimask("run", "--yes")
    assert answer.code == 2
    assert "originals in the vault (undo.vault) are sealed under it" in answer.err
    assert stored(client, database) == before
    key = MaskingKey.generate()
    monkeypatch.setenv("PHIMASK_KEY", key.text())
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["key_fingerprint"] == key.fingerprint
    assert phimask("rollback", answer.json["run_id"], "--yes").code == 0
    assert stored(client, database) == before


def test_a_vault_that_cannot_be_made_stops_the_run_before_it_begins(
    phimask: Phimask, before: list[bytes], client: MongoClient[dict[str, Any]], database: str
) -> None:
    answer = phimask("run", "--yes", "--set", "undo.vault=not/there")
    assert answer.code == 2
    assert "cannot be written to" in answer.err
    assert stored(client, database) == before
    assert client[f"{database}_ledger"]["masking_coordination.runs"].count_documents({}) == 0


def test_a_full_vault_stops_before_the_batch(
    phimask: Phimask, before: list[bytes], client: MongoClient[dict[str, Any]], database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    really, kept = DirectoryStorage.append, []

    def append(self: DirectoryStorage, *arguments: Any) -> None:
        kept.append(1)
        if len(kept) == 3:
            raise cannot_keep(self.where, "No space left on device")
        really(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStorage, "append", append)
        answer = phimask("run", "--yes", "--json")
    assert answer.code == 4
    assert "cannot keep the originals (No space left on device), so the batch was not written" in answer.err
    run = answer.json["run_id"]
    masked = stored(client, database)
    assert [one == other for one, other in zip(masked, before, strict=True)] == [False] * 40 + [True] * 60
    assert phimask("resume", run).code == 0
    assert not set(stored(client, database)) & set(before)
    assert phimask("rollback", run, "--yes").code == 0
    assert stored(client, database) == before


def test_final(
    phimask: Phimask, run: str, project: Path, client: MongoClient[dict[str, Any]], database: str
) -> None:
    masked = stored(client, database)
    answer = phimask("finalize", run, "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.json == {"run_id": run, "state": "finalized", "key_destroyed": True, "parts_removed": 1}
    assert not (project / "vault" / run).exists()
    kept = client[f"{database}_ledger"]["masking_coordination.runs"].find_one({"_id": run})
    assert kept is not None
    assert kept["state"] == "finalized"
    assert kept["report"]["undo"]["state"] == "destroyed"
    answer = phimask("rollback", run, "--yes")
    assert answer.code == 2
    assert "is finalized" in answer.err
    assert stored(client, database) == masked
    assert phimask("finalize", run, "--yes").code == 0


def test_whoever_interrupts_finalize_is_not_told_that_nothing_was_written(
    phimask: Phimask, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DirectoryStorage, "delete_segments", interrupted)
        answer = phimask("finalize", run, "--yes")
    assert answer.code == 130
    assert f"interrupted while finalizing; `phimask status {run}` says" in answer.err
    assert "nothing was written" not in answer.err
    assert phimask("finalize", run, "--yes", "--json").json["parts_removed"] == 1


@pytest.mark.parametrize("command", ["rollback", "finalize"])
def test_nothing_is_undone_or_destroyed_that_the_ledger_cannot_be_told_of(
    command: str,
    phimask: Phimask,
    run: str,
    project: Path,
    before: list[bytes],
    client: MongoClient[dict[str, Any]],
    database: str,
) -> None:
    masked = stored(client, database)
    kept = {path.name: path.read_bytes() for path in (project / "vault" / run).iterdir()}
    writes = ["insert", "update", "findAndModify", "delete", "createIndexes"]
    data = {"failCommands": writes, "errorCode": 13, "appName": f"phimask {run}"}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        answer = phimask(command, run, "--yes")
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert answer.code == 2
    assert f"the ledger {database}_ledger.masking_coordination.*: MongoDB answered code 13" in answer.err
    assert f"the user needs readWrite on the database {database}_ledger" in answer.err
    assert stored(client, database) == masked
    assert {path.name: path.read_bytes() for path in (project / "vault" / run).iterdir()} == kept
    assert phimask("rollback", run, "--yes").code == 0
    assert stored(client, database) == before


def test_an_unfinished_run_is_given_up(
    phimask: Phimask, before: list[bytes], client: MongoClient[dict[str, Any]], database: str
) -> None:
    answer = phimask("run", "--yes", "--json", "--max-duration", "1ms")
    assert answer.code in (0, 4)
    client[f"{database}_ledger"]["masking_coordination.runs"].update_one(
        {"_id": answer.json["run_id"]}, {"$set": {"state": "stopped"}}
    )
    assert phimask("finalize", answer.json["run_id"], "--yes").code == 0
    assert phimask("resume", answer.json["run_id"]).code == 2
    assert phimask("run", "--yes").code == 0


def test_documents_of_every_shape(
    phimask: Phimask, client: MongoClient[dict[str, Any]], database: str, project: Path
) -> None:
    people = client[database]["people"]
    people.delete_many({})
    people.insert_many(
        [
            {"_id": 1, "Name": "Ada", "Born": 5, "z": 1},
            {
                "_id": "text",
                "Visits": [{"Note": {"a": 1}}, {"Note": None}, {"Note": [1, "b"]}],
                "Name": "Bea",
            },
            {"_id": {"a": 1}, "Name": ["Cid", 5, None, {"x": "y"}]},
            {"_id": 1.5},
            {"_id": None, "Name": "", "a.b": "Dee"},
        ]
    )
    (project / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nrules:\n  - {path: '**', masker: nullify}\n"
        "  - {path: Name, masker: remove}\n  - {path: z, masker: keep}\n",
        encoding="utf-8",
    )
    before = stored(client, database)
    answer = phimask("run", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert stored(client, database) != before
    assert phimask("rollback", answer.json["run_id"], "--yes").code == 0
    assert stored(client, database) == before
    assert bson.decode(before[0])
