"""Whatever is asked for wrongly ends with one message, exit code 2, and nothing written."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from pymongo import MongoClient
from pymongo.database import Database

import phimask.store.connect
from phimask.config.data import shipped
from phimask.planning import planner
from users import as_user, deployment_with_users

BORN = datetime.datetime(1951, 2, 3)  # noqa: DTZ001
CANARY = "Zebulon Quagmire-Canary"
PASSWORD = "s3same/Öffne@dich"

HEAD = "version: 1\ncollection: people\nsubject: PatientId\nrules:\n"
NAME_RULE = "  - {path: Name, masker: {name: fake, options: {kind: full_name}}}\n"


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    """Forty people who never were."""
    collection = database["people"]
    collection.insert_many(
        {
            "_id": number,
            "PatientId": f"P{number}",
            "Name": CANARY,
            "Born": BORN,
            "Visits": [{"Note": f"{CANARY} came"}],
            "Address": {"Zip": "02139", "Place": {"type": "Point", "coordinates": [1.5, 2.5]}},
        }
        for number in range(40)
    )
    return collection


def stored(database: Database[dict[str, Any]]) -> dict[str, list[Any]]:
    names = [
        one["name"] for one in database.list_collections() if not one["name"].startswith("system.buckets")
    ]
    return {name: list(database[name].find()) for name in names}


def check_message(answer: Any, *words: str, lines: int | None = 1) -> None:
    """One message, for a person, with all the words and none of the secrets."""
    assert answer.out == ""
    told = answer.err.strip()
    for word in words:
        assert word in told
    assert "Traceback" not in told
    assert "fault of phimask" not in told
    for secret in (CANARY, PASSWORD, quote_plus(PASSWORD), os.environ.get("PHIMASK_KEY") or "no key is set"):
        assert secret not in told
    if lines is not None:
        assert len(told.splitlines()) == lines, told


@pytest.fixture
def refused(deployed: Path, people: Any, phimask: Callable[..., Any]) -> Callable[..., None]:
    """Calls a run in place over `people` with some more arguments, and expects it to be refused with these words."""

    def call(*arguments: str, words: tuple[str, ...], base: tuple[str, ...] | None = None) -> None:
        before = stored(people.database)
        where = ("-d", people.database.name, "-c", "people", "--yes") if base is None else base
        answer = phimask(*where, *arguments)
        assert answer.code == 2, answer.err
        check_message(answer, *words)
        assert stored(people.database) == before

    return call


def rules(deployed: Path, text: str) -> None:
    (deployed / "collections" / "people.yaml").write_text(text, encoding="utf-8")


# --- names that there are not -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--profile", "emergancy"), ("--profile", "'emergancy'", "did you mean 'emergency'?")),
        (("--profile", "no/such.yaml"), ("no/such.yaml", "looked for")),
        (("--set", "breaker.tripz=1"), ("--set", "tripz", "trips")),
        (("--set", "no.such.thing=1"), ("--set", "no")),
        (("--set", "breaker.trips"), ("--set", "is no setting", "key.path=value")),
        (("--set", "partitioner=singel"), ("there is no partitioner 'singel'", "did you mean 'single'?")),
        (("--set", "retry.attempts=0"), ("$.retry.attempts",)),
        (
            ("--set", "memory_governor={name: rss, options: {soft: 3GB, hard: 2GB}}"),
            ("soft is not below hard",),
        ),
        (
            ("--set", "batch_sizer={name: fixed, options: {bytes: 0}}"),
            ("batch_sizer", "bytes is no size"),
        ),
        (
            ("--set", "partitioner={name: sample, options: {target_size: 0}}"),
            ("partitioner", "target_size is no size"),
        ),
    ],
)
def test_settings_that_there_are_not(
    arguments: tuple[str, ...], words: tuple[str, ...], refused: Callable[..., None]
) -> None:
    refused(*arguments, words=words)


def test_no_such_collection_file(people: Any, refused: Callable[..., None]) -> None:
    base = ("-d", people.database.name, "--yes", "-c", "poeple")
    refused(base=base, words=("there is no collection file 'poeple'", "did you mean 'people'?"))


def test_no_such_database(people: Any, refused: Callable[..., None]) -> None:
    meant = people.database.name
    wrong = f"{meant[:-1]}~"
    words = (f"there is no database {wrong!r}", f"did you mean {meant!r}?")
    refused(base=("-d", wrong, "-c", "people", "--yes"), words=words)


def test_no_such_collection(deployed: Path, people: Any, refused: Callable[..., None]) -> None:
    rules(deployed, HEAD.replace("people", "peple") + NAME_RULE)
    refused(words=("there is no collection 'peple'", "did you mean 'people'?"))


def test_no_such_masker(deployed: Path, refused: Callable[..., None]) -> None:
    rules(deployed, HEAD + "  - {path: Name, masker: redakt}\n")
    refused(words=("collections/people.yaml:5: $.rules[0].masker", "'redakt'", "did you mean 'redact'?"))


def test_no_database_is_named(deployed: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("-c", "people", "--yes")
    assert answer.code == 2
    check_message(answer, "no database is named", "--db")


def test_no_deployment_is_named(project: Path, phimask: Callable[..., Any]) -> None:
    answer = phimask("verify", "-d", "ehr", "-c", "container")
    assert answer.code == 2
    check_message(answer, "no deployment is named", "PHIMASK_URI")


# --- rules that match nothing -----------------------------------------------------------------------------------


def test_a_rule_that_matches_nothing_is_a_hazard_for_plan_and_for_a_strict_run(
    deployed: Path, people: Any, phimask: Callable[..., Any], refused: Callable[..., None]
) -> None:
    rules(deployed, HEAD + NAME_RULE + "  - {path: name, masker: redact}\n")
    words = ("collections/people.yaml:6", "name matches nothing in 40 sampled documents", "spelling")
    where = ("-d", people.database.name, "-c", "people")
    answer = phimask("plan", *where)
    assert answer.code == 2
    assert all(word in answer.err for word in ("hazard: ", *words))
    refused("--set", "strict=true", "--accept", "unmapped-phi", words=words)
    refused("--safe-mode", "--accept", "unmapped-phi", words=words)
    assert people.count_documents({"Name": CANARY}) == 40

    answer = phimask(*where, "--yes", "--json")
    assert answer.code == 0, answer.err
    assert any("name matches nothing" in one for one in answer.json["warnings"])
    assert people.count_documents({"Name": CANARY}) == 0


# --- deployments ------------------------------------------------------------------------------------------------


def test_server_down(
    project: Path, deployed: Path, monkeypatch: pytest.MonkeyPatch, phimask: Callable[..., Any]
) -> None:
    monkeypatch.setattr(phimask_connect(), "SELECTION_SECONDS", 0.3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("PHIMASK_URI", f"mongodb://user:{quote_plus(PASSWORD)}@127.0.0.1:{port}/")
    for command in ((), ("plan",), ("verify",)):
        answer = phimask(*command, "-d", "ehr", "-c", "people")
        assert answer.code == 2
        check_message(answer, f"127.0.0.1:{port}", "no server answered within 0.3 s")


def phimask_connect() -> Any:
    return phimask.store.connect


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb//user:{PASSWORD}@localhost",
        f"mongodb://user:{PASSWORD}@localhost",
        "localhost:27017",
        "mongodb://localhost:70000",
        "mongodb://",
        "mongodb://localhost/?tlsCAFile=/no/such/file&tls=true",
    ],
)
def test_malformed_uri(
    uri: str, deployed: Path, monkeypatch: pytest.MonkeyPatch, phimask: Callable[..., Any]
) -> None:
    monkeypatch.setenv("PHIMASK_URI", uri)
    answer = phimask("-d", "ehr", "-c", "people", "--yes")
    assert answer.code == 2
    check_message(answer, "URI")


def test_password_in_a_flag(refused: Callable[..., None]) -> None:
    uri = f"mongodb://user:{quote_plus(PASSWORD)}@localhost"
    refused("--uri", uri, words=("--uri", "credential", "PHIMASK_URI"))
    refused("--target-uri", uri, words=("--target-uri", "credential", "PHIMASK_TARGET_URI"))


def test_password_where_no_flag_takes_it(phimask: Callable[..., Any], project: Path) -> None:
    uri = f"mongodb://user:{quote_plus(PASSWORD)}@localhost"
    for arguments in ((uri,), ("run", uri), ("plan", uri), ("run", f"--url={uri}"), ("--limit", uri)):
        answer = phimask(*arguments)
        assert answer.code == 2
        check_message(answer, lines=None)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, MongoClient[dict[str, Any]]]]:
    """Host and port of a deployment with users, and its root's client; `ehr.people` has documents."""
    with (
        deployment_with_users(tmp_path_factory.mktemp("guarded"), PASSWORD) as host,
        MongoClient(as_user(host, "root", PASSWORD)) as client,
    ):
        client["ehr"]["people"].insert_many({"_id": n, "PatientId": n, "Name": CANARY} for n in range(5))
        for name, roles in (
            ("reader", [{"role": "read", "db": "ehr"}]),
            ("blind", []),
            ("copier", [{"role": "read", "db": "ehr"}, {"role": "read", "db": "copy"}]),
        ):
            client.admin.command("createUser", name, pwd=PASSWORD, roles=roles)
        narrow = [
            {"resource": {"db": "ehr", "collection": "people"}, "actions": ["find", "update"]},
            {"resource": {"db": "ehr", "collection": ""}, "actions": ["listCollections"]},
        ]
        client.admin.command("createRole", "narrow", privileges=narrow, roles=[])
        client.admin.command("createUser", "narrow", pwd=PASSWORD, roles=["narrow"])
        yield host, client


@pytest.mark.parametrize(
    ("user", "password", "arguments", "words"),
    [
        ("reader", "wrong" + PASSWORD, (), ("refused the user or the password",)),
        ("nobody", PASSWORD, (), ("refused the user or the password",)),
        ("reader", PASSWORD, (), ("ehr.people: the user may not update", "readWrite on database 'ehr'")),
        ("blind", PASSWORD, (), ("ehr", "may not list collections")),
        ("copier", PASSWORD, ("--target-db", "copy"), ("copy.people: the user may not insert or update",)),
        ("reader", PASSWORD, ("--target-db", "copy"), ("copy.people: the user may not",)),
        ("narrow", PASSWORD, (), ("ehr.people: the user may not", "readWrite on database 'ehr'")),
    ],
)
def test_users_who_may_not(
    user: str,
    password: str,
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    guarded: tuple[str, MongoClient[dict[str, Any]]],
    deployed: Path,
    monkeypatch: pytest.MonkeyPatch,
    phimask: Callable[..., Any],
) -> None:
    host, root = guarded
    rules(deployed, HEAD + NAME_RULE)
    monkeypatch.setenv("PHIMASK_URI", f"mongodb://{user}:{quote_plus(password)}@{host}&authSource=admin")
    before = stored(root["ehr"])
    for command in (("run", "--yes"), ("plan",)):
        answer = phimask(*command, "-d", "ehr", "-c", "people", *arguments)
        assert answer.code == 2, answer.err
        if command == ("plan",):
            assert all(word in answer.err for word in words), answer.err
            assert CANARY not in answer.err
        else:
            check_message(answer, *words)
    assert stored(root["ehr"]) == before
    assert root["copy"].list_collection_names() == []


def test_a_user_who_only_looks_needs_no_more_than_to_look(
    guarded: tuple[str, MongoClient[dict[str, Any]]],
    deployed: Path,
    monkeypatch: pytest.MonkeyPatch,
    phimask: Callable[..., Any],
) -> None:
    host, root = guarded
    rules(deployed, HEAD + "  - {path: Name, masker: redact}\n")
    before = stored(root["ehr"])
    monkeypatch.setenv("PHIMASK_URI", f"{as_user(host, 'reader', PASSWORD)}&authSource=admin")
    answer = phimask("verify", "-d", "ehr", "-c", "people")
    assert answer.code == 3, answer.err
    assert "read on the database phimask" in answer.err
    assert "no_original: 5 checked, FOUND" in answer.err
    assert CANARY not in answer.err
    answer = phimask("bench", "-d", "ehr", "-c", "people", "--yes")
    assert answer.code == 2
    check_message(answer, "phimask_bench.*: the user may not", "the role dbOwner on database 'phimask_bench'")

    monkeypatch.setenv("PHIMASK_URI", f"{as_user(host, 'blind', PASSWORD)}&authSource=admin")
    where = ("-d", "ehr", "-c", "people")
    for arguments, code, words in (
        (("discover", *where), 2, "ehr.people: the user may not read it; grant the role read"),
        (("sample", *where), 1, "ehr.people: MongoDB answered code 13 (Unauthorized) on database 'ehr'"),
        (("status",), 2, "the user needs read on the database phimask (a run readWrite)"),
        (("verify", *where), 2, "ehr.people: the user may not list collections"),
    ):
        answer = phimask(*arguments)
        assert answer.code == code, answer.err
        check_message(answer, words)
    assert stored(root["ehr"]) == before


def test_a_user_who_may_only_read_the_ledger(
    guarded: tuple[str, MongoClient[dict[str, Any]]],
    deployed: Path,
    people: Any,
    monkeypatch: pytest.MonkeyPatch,
    phimask: Callable[..., Any],
) -> None:
    host, root = guarded
    root.admin.command(
        "createUser", "looker", pwd=PASSWORD, roles=[{"role": "read", "db": "ledger_of_others"}]
    )
    rules(deployed, HEAD + NAME_RULE)
    led = f"mongodb://looker:{quote_plus(PASSWORD)}@{host}&authSource=admin"
    monkeypatch.setenv("PHIMASK_LEDGER_URI", led)
    text = "version: 1\ncoordination: {uri: '${PHIMASK_LEDGER_URI}', database: ledger_of_others}\n"
    (deployed / "phimask.yaml").write_text(text, encoding="utf-8")
    where = ("-d", people.database.name, "-c", "people")
    answer = phimask(*where, "--yes")
    assert answer.code == 2
    check_message(answer, "the ledger ledger_of_others.masking_coordination.*", "readWrite")
    answer = phimask("plan", *where)
    assert answer.code == 2
    assert (
        "ledger_of_others.masking_coordination.runs: the user may not createIndex, insert, remove or update"
        in answer.err
    )
    assert people.count_documents({"Name": CANARY}) == 40


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "  - {path: Name, masker: redact\n", ("collections/people.yaml:",)),
        (
            HEAD.replace("rules:", "ruls:") + NAME_RULE,
            ("collections/people.yaml", "ruls", "did you mean 'rules'?"),
        ),
        (HEAD + NAME_RULE.replace("path: Name,", "path: Name, path: Born,"), ("people.yaml:5", "path")),
        ("version: 1\nrules:\n" + NAME_RULE, ("names no collection", "rule pack")),
        (
            HEAD + "  - {path: _id, masker: redact}\n",
            ("people.yaml:5: $.rules[0]", "_id cannot be masked"),
        ),
        (HEAD + "  - {path: _id.ssn, masker: redact}\n", ("people.yaml:5: $.rules[0]", "_id")),
        (
            HEAD + "  - {path: Name, masker: {name: partial, options: {kep: 1}}}\n",
            ("people.yaml:5: $.rules[0].masker.options", "kep"),
        ),
        (
            HEAD.replace("subject: PatientId\n", "") + "  - {path: Born, masker: date_shift}\n",
            ("date_shift", "subject"),
        ),
    ],
)
def test_collection_files(
    text: str, words: tuple[str, ...], deployed: Path, refused: Callable[..., None]
) -> None:
    rules(deployed, text)
    refused(words=words)


def test_every_fault_of_every_file_is_told_at_once(
    deployed: Path, people: Any, phimask: Callable[..., Any]
) -> None:
    rules(deployed, HEAD + "  - {path: Name, masker: redakt}\n  - {path: A..B, masker: keep}\n")
    (deployed / "calm.yaml").write_text("version: 1\nextends: parallel\nretry: {attempts: some}\n", "utf-8")
    answer = phimask("-d", people.database.name, "-c", "people", "--profile", "calm.yaml", "--yes")
    assert answer.code == 2
    check_message(answer, "calm.yaml:3", "people.yaml:5", "people.yaml:6", lines=3)


def test_two_files_for_one_collection(deployed: Path, people: Any, refused: Callable[..., None]) -> None:
    (deployed / "collections" / "again.yaml").write_text(HEAD + NAME_RULE, encoding="utf-8")
    refused("-c", "again", words=("people and again both mask the collection 'people'",))


def test_project_file(deployed: Path, refused: Callable[..., None]) -> None:
    file = deployed / "phimask.yaml"
    for text, words in (
        ("version: 1\ndatabase: [\n", ("phimask.yaml:",)),
        ("version: 1\ndatabase: ehr\ndatabase: ehr\n", ("phimask.yaml:3", "database")),
        ("version: 1\nkey: {text: x}\n", ("phimask.yaml:2",)),
        (f"version: 1\nuri: mongodb://u:{quote_plus(PASSWORD)}@h\n", ("phimask.yaml:2", "credential")),
        ("version: 1\nuri: ${NO_SUCH_VARIABLE}\n", ("phimask.yaml:2", "NO_SUCH_VARIABLE is not set")),
    ):
        file.write_text(text, encoding="utf-8")
        refused(words=words)


# --- the collection itself --------------------------------------------------------------------------------------


def view(database: Database[dict[str, Any]]) -> None:
    database["patients"].insert_one({"Name": CANARY})
    database.command("create", "people", viewOn="patients", pipeline=[])


def capped(database: Database[dict[str, Any]]) -> None:
    database.create_collection("people", capped=True, size=100_000)
    database["people"].insert_one({"Name": CANARY})


def timeseries(database: Database[dict[str, Any]]) -> None:
    database.create_collection("people", timeseries={"timeField": "At"})
    database["people"].insert_one({"At": BORN, "Name": CANARY})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (view, ("people is a view", "(patients)")),
        (capped, ("people is a capped collection", "--target-db")),
        (timeseries, ("people is a time-series collection",)),
    ],
)
def test_what_is_no_ordinary_collection(
    make: Callable[[Database[dict[str, Any]]], None],
    words: tuple[str, ...],
    deployed: Path,
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
) -> None:
    make(database)
    before = stored(database)
    rules(deployed, HEAD + NAME_RULE)
    answer = phimask("-d", database.name, "-c", "people", "--yes")
    assert answer.code == 2
    check_message(answer, *words)
    assert stored(database) == before


def test_a_system_collection(deployed: Path, database: Database[dict[str, Any]], refused: Any) -> None:
    database.command("create", "overview", viewOn="people", pipeline=[])
    rules(deployed, HEAD.replace("people", "system.views") + NAME_RULE)
    refused(words=("system.views", "not beginning with system."))


def test_a_capped_collection_can_be_copied(
    deployed: Path, database: Database[dict[str, Any]], phimask: Callable[..., Any]
) -> None:
    capped(database)
    rules(deployed, HEAD + NAME_RULE)
    target = f"{database.name}_masked"
    try:
        answer = phimask("-d", database.name, "-c", "people", "--target-db", target)
        assert answer.code == 0, answer.err
        assert database.client[target]["people"].count_documents({"Name": {"$ne": CANARY}}) == 1
    finally:
        database.client.drop_database(target)


REDACT = HEAD + "  - {path: PatientId, masker: redact}\n  - {path: Address, masker: redact}\n" + NAME_RULE
DATES = HEAD + "  - {path: Born, masker: date_shift}\n"


@pytest.mark.parametrize(
    ("text", "keys", "options", "words"),
    [
        (REDACT, [("PatientId", 1)], {"unique": True}, ("is unique on PatientId", "redact")),
        (REDACT, [("X", 1), ("PatientId", 1)], {"unique": True}, ("is unique on PatientId", "redact")),
        (
            HEAD + "  - {path: '**.PatientId', masker: redact}\n",
            [("PatientId", 1)],
            {"unique": True},
            ("is unique on PatientId", "**.PatientId"),
        ),
        (
            HEAD + "  - {path: Address.Zip, masker: redact}\n",
            [("Address", 1), ("PatientId", 1)],
            {"unique": True},
            ("is unique on Address", "Address.Zip"),
        ),
        (
            HEAD + "  - {path: Address, masker: redact}\n",
            [("Address.Zip", 1), ("PatientId", 1)],
            {"unique": True},
            ("is unique on Address.Zip", "redact (Address)"),
        ),
        (DATES, [("Born", 1)], {"expireAfterSeconds": 10**9}, ("deletes documents by Born (TTL)",)),
    ],
)
def test_indexes_that_refuse_a_run_in_place(
    text: str,
    keys: list[tuple[str, Any]],
    options: dict[str, Any],
    words: tuple[str, ...],
    deployed: Path,
    people: Any,
    refused: Callable[..., None],
) -> None:
    people.create_index(keys, **options)
    rules(deployed, text)
    refused(words=words)


@pytest.mark.parametrize(
    ("text", "keys", "options", "words"),
    [
        (REDACT, [("Name", "text")], {}, ("text index 'Name_text' is on Name, which is masked",)),
        (REDACT, [("$**", "text")], {}, ("text index '$**_text'", "masked")),
        (REDACT, [("Address.Place", "2dsphere")], {}, ("geo index",)),
        (REDACT, [("$**", 1)], {}, ("1 index(es) are on masked paths",)),
        (
            REDACT,
            [("Other", 1)],
            {"partialFilterExpression": {"Name": "x"}},
            ("is partial", "which documents it holds may change"),
        ),
        (
            REDACT,
            [("Name", 1)],
            {"partialFilterExpression": {"Ward": "x"}},
            ("1 index(es) are on masked paths",),
        ),
        (DATES, [("PatientId", 1)], {"unique": True}, ()),
        (
            HEAD + "  - {path: PatientId, masker: keep}\n" + NAME_RULE,
            [("PatientId", 1)],
            {"unique": True},
            (),
        ),
    ],
)
def test_indexes_that_are_warned_of(
    text: str,
    keys: list[tuple[str, Any]],
    options: dict[str, Any],
    words: tuple[str, ...],
    deployed: Path,
    people: Any,
    phimask: Callable[..., Any],
) -> None:
    rules(deployed, text)
    where = ("-d", people.database.name, "-c", "people", "--json", "--accept=unmapped-phi")
    (without,) = phimask("plan", *where).json["collections"]
    people.create_index(keys, **options)
    accepting = [f"--accept={one}" for one in ("text-index", "geo-index", "partial-index")]
    answer = phimask("plan", *where, *accepting)
    assert answer.code == 0, answer.err
    (plan,) = answer.json["collections"]
    new = [one for one in plan["hazards"] if one not in without["hazards"]]
    assert bool(new) == bool(words), new
    for word in words:
        assert any(word in one["what"] for one in new), new
    asked = any(one["severity"] == "decide" for one in new)
    assert all(one["accepted"] for one in new if one["severity"] == "decide")
    assert phimask("plan", *where).code == (2 if asked else 0)


def test_a_validator_is_tried_and_what_it_refuses_is_quarantined(
    deployed: Path, people: Any, phimask: Callable[..., Any], refused: Callable[..., None]
) -> None:
    rules(deployed, HEAD + "  - {path: Born, masker: nullify}\n")
    people.database.command("collMod", "people", validator={"Born": {"$type": "date"}})
    refused(words=("its validator refuses 40 of 40 masked samples", "--accept validator-refuses"))
    answer = phimask(
        "-d", people.database.name, "-c", "people", "--yes", "--json", "--accept", "validator-refuses"
    )
    assert answer.code == 3
    assert [one["id"] for one in answer.json["accepted"]] == ["validator-refuses"]
    (one,) = answer.json["collections"]
    assert one["documents"]["quarantined"] == 40
    assert people.count_documents({"Born": BORN}) == 40


# --- the target -------------------------------------------------------------------------------------------------


def test_the_target_is_the_source(
    people: Any, mongo_uri: str, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., None]
) -> None:
    name = people.database.name
    refused("--target-db", name, words=("is the source itself",))
    other_name = mongo_uri.replace("127.0.0.1", "localhost").replace("?", "?directConnection=true&")
    assert other_name != mongo_uri
    monkeypatch.setenv("PHIMASK_TARGET_URI", other_name)
    refused(words=("the target is the source itself",))
    refused("--target-db", name, words=("the target is the source itself",))


def test_the_target_is_a_view(people: Any, refused: Callable[..., None]) -> None:
    target = people.database.client[f"{people.database.name}_masked"]
    try:
        target.command("create", "people", viewOn="patients", pipeline=[])
        refused("--target-db", target.name, words=("_masked.people is a view",))
        assert target.list_collection_names(filter={"type": "collection", "name": "people"}) == []
    finally:
        people.database.client.drop_database(target)


# --- flags ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{", ("--query is not Extended JSON",)),
        (CANARY, ("--query is not Extended JSON",)),
        ("[]", ("--query must be a JSON object",)),
        (f'{{"Name": {{"$regx": "{CANARY}"}}}}', ("MongoDB refuses the --query", "BadValue")),
        ('{"$where": "this.Name"}', ("MongoDB refuses the --query",)),
        ('{"_id": {"$oid": "xyz"}}', ("--query is not Extended JSON",)),
        ('{"a": 99999999999999999999}', ("--query is not Extended JSON",)),
        ('{"a\\u0000b": 1}', ("--query is not Extended JSON",)),
        ('{"a": "\\ud800"}', ("--query is not Extended JSON",)),
    ],
)
def test_malformed_query(query: str, words: tuple[str, ...], refused: Callable[..., None]) -> None:
    refused("--query", query, words=words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--limit", "0"), ("--limit", "0")),
        (("--limit", "many"), ("--limit",)),
        (("--yse",), ("No such option", "--yse", "--yes")),
        (("--profil", "production"), ("No such option", "--profil", "--profile")),
        (("pla",), ("No such command", "'pla'", "'plan'")),
        (("verifiy", "-c", "people"), ("No such command", "Did you mean 'verify'?")),
        (("profiles", "lst"), ("No such command", "Did you mean 'list'?")),
        (("keygen", "now"), ("unexpected extra argument",)),
        (("plugins", "list", "--kind", "masks"), ("--kind", "masker")),
        (("report", "no-such.json"), ("no-such.json", "does not exist")),
        (("sample", "--mix", "simple"), ("--mix",)),
        (("--query",), ("--query",)),
        (("run", "-d", "a\udcff"), ("an argument is not text",)),
        (("report", "a\udcff"), ("an argument is not text",)),
        (("run", "--report", "r" * 300), ("--report rrr", "it may not be written")),
        (("run", "--report", f"{'r' * 300}/r.json"), ("--report rrr", "it may not be written")),
        (("rollback", "any", "--report", "no/r.json"), ("--report no", "there is no such directory")),
        (("rollback", "any", "--report", "r" * 300), ("--report rrr", "it may not be written")),
    ],
)
def test_flags_and_commands(
    arguments: tuple[str, ...], words: tuple[str, ...], project: Path, phimask: Callable[..., Any]
) -> None:
    answer = phimask(*arguments)
    assert answer.code == 2
    check_message(answer, *words, lines=None)
    assert list(project.iterdir()) == []


def test_a_rule_s_query_that_no_server_can_be_sent(deployed: Path, refused: Callable[..., None]) -> None:
    rules(deployed, HEAD + '  - {path: Name, masker: redact, when: {"a\\0b": 1}}\n')
    refused(words=("people.yaml:5: $.rules[0]", "`when` is no Extended JSON"))


def test_more_documents_than_any_server_has(deployed: Path, people: Any, phimask: Callable[..., Any]) -> None:
    most = str(10**23)
    target = people.database.client[f"{people.database.name}_masked"]
    where = ("-d", people.database.name, "-c", "people", "--target-db", target.name)
    try:
        answer = phimask("run", *where, "--limit", most)
        assert answer.code == 0, answer.err
        assert target["people"].count_documents({}) == 40
        answer = phimask("verify", *where, "--sample", most)
        assert answer.code == 0, answer.err
    finally:
        people.database.client.drop_database(target)


def test_report_into_a_directory_that_is_not_there(deployed: Path, refused: Callable[..., None]) -> None:
    refused("--report", "no/such/report.json", words=("--report", "there is no such directory"))
    assert not (deployed / "no").exists()


def test_report_that_cannot_be_written_is_shown_all_the_same(
    deployed: Path, people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    answer = phimask("-d", people.database.name, "-c", "people", "--yes", "--json", "--report", "r.json")
    assert answer.code == 1
    assert answer.json["status"] == "completed"
    assert "r.json" in answer.err
    assert "No space left on device" in answer.err
    assert "fault of phimask" not in answer.err


# --- the key ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, ("there is no masking key", "PHIMASK_KEY", "phimask keygen")),
        ("", ("there is no masking key", "PHIMASK_KEY")),
        ("secret", ("PHIMASK_KEY", "this is no masking key")),
        ("phimask-key-1:c2hvcnQ.00000000", ("PHIMASK_KEY", "cut short")),
        ("phimask-key-1:" + "A" * 43 + ".00000000", ("PHIMASK_KEY", "checksum")),
    ],
)
def test_keys(
    key: str | None, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, refused: Callable[..., None]
) -> None:
    if key is None:
        monkeypatch.delenv("PHIMASK_KEY")
    else:
        monkeypatch.setenv("PHIMASK_KEY", key)
    refused(words=words)


def test_no_key_is_asked_for_where_no_masker_uses_one(
    deployed: Path, people: Any, phimask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PHIMASK_KEY")
    rules(deployed, HEAD + "  - {path: Name, masker: redact}\n")
    answer = phimask("-d", people.database.name, "-c", "people", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["key_fingerprint"] is None


# --- plugins ----------------------------------------------------------------------------------------------------

TWIN = """\
from phimask import Masker, hookimpl


class Redact(Masker):
    \"\"\"Another of this name.\"\"\"

    name = "redact"
    types = frozenset({"string"})

    def mask(self, column):
        return ["" for _ in column.values]


@hookimpl
def phimask_register_maskers():
    return [Redact]
"""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, ("plugin mask.py: there is no file",)),
        (f"raise ValueError({CANARY!r})\n", ("plugin mask.py does not load: ValueError at", "mask.py:1")),
        ("import no_such_module\n", ("plugin mask.py", "no module named no_such_module")),
        ("def broken(:\n", ("plugin mask.py does not load: SyntaxError at", "mask.py:1")),
        ("x = 1\n", ("plugin mask.py: it registers nothing",)),
        (TWIN, ("two maskers are called redact", "builtin", "mask.py")),
        (TWIN.replace("phimask_register_maskers", "phimask_register_masks"), ("phimask_register_masks",)),
    ],
)
def test_plugin_files(
    source: str | None, words: tuple[str, ...], deployed: Path, refused: Callable[..., None]
) -> None:
    (deployed / "phimask.yaml").write_text("version: 1\nplugins: [mask.py]\n", encoding="utf-8")
    if source is not None:
        (deployed / "mask.py").write_text(source, encoding="utf-8")
    refused(words=words)


def test_disabled_plugins(
    deployed: Path, refused: Callable[..., None], people: Any, phimask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (deployed / "phimask.yaml").write_text("version: 1\nplugins: [mask.py]\n", encoding="utf-8")
    (deployed / "mask.py").write_text(TWIN, encoding="utf-8")
    monkeypatch.setenv("PHIMASK_DISABLED_PLUGINS", "mask")
    answer = phimask("plan", "-d", people.database.name, "-c", "people")
    assert answer.code == 0, answer.err
    monkeypatch.setenv("PHIMASK_DISABLED_PLUGINS", "mask,builtin")
    answer = phimask("-d", people.database.name, "-c", "people", "--yes")
    assert answer.code == 2
    check_message(answer, "there is no masker 'fake'", "there are none", lines=None)


# --- what nobody foresaw ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ValueError, SystemExit, GeneratorExit, BaseException])
def test_an_unforeseen_error_is_told_by_type_and_place_only(
    kind: type[BaseException],
    deployed: Path,
    people: Any,
    phimask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise kind(CANARY)

    monkeypatch.setattr(planner, "examine", broken)
    answer = phimask("-d", people.database.name, "-c", "people", "--yes")
    assert answer.code == 1
    assert answer.out == ""
    assert f"{kind.__name__} at" in answer.err
    assert "this is a fault of phimask or of a plugin" in answer.err
    assert CANARY not in answer.err
    assert "Traceback" not in answer.err


def test_every_shipped_profile_is_offered_where_a_name_is_none(
    deployed: Path, phimask: Callable[..., Any]
) -> None:
    answer = phimask("plan", "-d", "ehr", "-c", "people", "--profile", "zzz")
    assert answer.code == 2
    assert all(name in answer.err for name in shipped("profile"))
