"""A deployment opens, or one message says why not; no credential is in it."""

from __future__ import annotations

import socket
import traceback
from typing import Any

import dns.resolver
import pytest
from bson.raw_bson import RawBSONDocument
from dns.resolver import NXDOMAIN
from pymongo import MongoClient, ReadPreference
from pymongo.database import Database

from phimask.config.model import Secret
from phimask.errors import PreflightError
from phimask.store import connect as connecting
from phimask.store.connect import connect, hosts, raw_collection, server_version

CANARY = "Quillfeather"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "SELECTION_SECONDS", 0.5)


def refusal(uri: str) -> str:
    """The one message for a URI that does not connect, after a look at all that the exception tells."""
    with pytest.raises(PreflightError) as raised:
        connect(Secret(uri))
    assert raised.value.exit_code == 2
    assert len(raised.value.hazards) == 1
    assert raised.value.__cause__ is None
    assert CANARY not in "".join(traceback.format_exception(raised.value))
    return str(raised.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_it_connects(mongo_uri: str) -> None:
    with connect(Secret(mongo_uri)) as client:
        assert client.options.retry_writes
        assert client.admin.command("ping")["ok"] == 1


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "localhost:27017",
        "127.0.0.1",
        f"me:{CANARY}@127.0.0.1:27017",
        f"http://me:{CANARY}@127.0.0.1",
        f"mongodb:/me:{CANARY}@127.0.0.1",
        "mongodb://",
        f"mongodb://me:{CANARY}@",
        f"mongodb://me:{CANARY}/x@127.0.0.1",
        f"mongodb://me:{CANARY}@x@127.0.0.1",
        f"mongodb://me:{CANARY}%zz@127.0.0.1",
        f"mongodb://me:{CANARY}@127.0.0.1:port",
        f"mongodb://me:{CANARY}@127.0.0.1:99999",
        f"mongodb+srv://me:{CANARY}@127.0.0.1:27017",
        f"mongodb+srv://me:{CANARY}",
    ],
)
def test_a_malformed_uri(uri: str) -> None:
    assert refusal(uri).startswith("the MongoDB URI is malformed; it looks like mongodb://USER:PASSWORD@HOST")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ("tls=True", "the option tls of the MongoDB URI has a value that it cannot have"),
        ("replicaSet=rs0&ssl=yes", "the option ssl of the MongoDB URI has a value that it cannot have"),
        ("readPreference=any", "the option readPreference of the MongoDB URI has a value"),
        (f"authMechanism={CANARY}", "the option authMechanism of the MongoDB URI has a value"),
        ("replicaSet=rs0&tlss=true", "option 2 of the MongoDB URI is none that is known"),
        (f"{CANARY}=1", "option 1 of the MongoDB URI is none that is known"),
    ],
)
def test_an_option_that_would_be_ignored(options: str, wrong: str) -> None:
    message = refusal(f"mongodb://me:{CANARY}@db.example.org/?{options}")
    assert message.startswith(f"db.example.org:27017: {wrong}")
    assert message.endswith(
        "would be ignored; write it as MongoDB's manual does under Connection String Options, such as tls=true"
    )


def test_an_option_that_stands_there_twice() -> None:
    message = refusal(f"mongodb://me:{CANARY}@db.example.org/?tls=true&w=1&TLS=false")
    assert message == (
        "db.example.org:27017: the option TLS stands in the MongoDB URI twice, and one would be ignored; keep one"
    )


@pytest.mark.parametrize(
    "extra", ["", "?replicaSet=rs0", "?directConnection=true", "?readPreference=nearest"]
)
def test_no_server(extra: str) -> None:
    port = free_port()
    message = refusal(f"mongodb://me:{CANARY}@127.0.0.1:{port}/{extra}")
    assert message.startswith(
        f"127.0.0.1:{port}: no server answered within 0.5 s; check that mongod runs there"
    )


def test_no_such_host() -> None:
    message = refusal(f"mongodb://me:{CANARY}@no-such-host.invalid/")
    assert message == (
        "no-such-host.invalid:27017: no-such-host.invalid is the name of no machine that is known here; check the URI"
    )


def test_no_such_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise NXDOMAIN

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    message = refusal(f"mongodb+srv://me:{CANARY}@cluster.hospital.invalid/")
    assert message.startswith("cluster.hospital.invalid: DNS knows no MongoDB deployment of this name")


def test_what_listens_is_no_mongod() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        message = refusal(f"mongodb://me:{CANARY}@127.0.0.1:{port}/?connectTimeoutMS=200")
    assert message.startswith(f"127.0.0.1:{port}: no server answered")


def test_another_replica_set(client: MongoClient[dict[str, Any]]) -> None:
    host, port = client.address or ("", 0)
    told = refusal(f"mongodb://{host}:{port}/?replicaSet=another")
    assert told.startswith(f"{host}:{port}: no server answered")
    assert "the name that replicaSet gives" in told


@pytest.mark.parametrize("user", ["nobody", "reader"])
def test_a_wrong_password(client: MongoClient[dict[str, Any]], mongo_uri: str, user: str) -> None:
    client.admin.command("createUser", "reader", pwd="right", roles=["readAnyDatabase"])
    try:
        host, port = client.address or ("", 0)
        message = refusal(mongo_uri.replace("mongodb://", f"mongodb://{user}:{CANARY}@"))
        assert message.startswith(f"{host}:{port}: the server refused the user or the password; check")
        with connect(Secret(mongo_uri.replace("mongodb://", "mongodb://reader:right@"))) as opened:
            assert opened.admin.command("ping")["ok"] == 1
    finally:
        client.admin.command("dropUser", "reader")


def test_an_error_of_the_server_is_told_by_its_code(
    mongo_uri: str, client: MongoClient[dict[str, Any]]
) -> None:
    fault = {"failCommands": ["connectionStatus"], "errorCode": 13, "appName": "phimask"}
    client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fault)
    try:
        assert ": the server answered code 13 (Unauthorized); see its log" in refusal(mongo_uri)
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_without_a_replica_set_writes_are_not_retried(
    mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alone(*args: Any, **settings: Any) -> Any:
        made = MongoClient(*args, **settings)
        command = made.admin.command
        answers = {"hello": {"isWritablePrimary": True}}
        admin = made.admin
        monkeypatch.setattr(admin, "command", lambda name, *rest: answers.get(name) or command(name, *rest))
        monkeypatch.setattr(type(made), "admin", admin, raising=False)
        return made

    monkeypatch.setattr(connecting, "MongoClient", alone)
    with connect(Secret(mongo_uri)) as client:
        assert not client.options.retry_writes


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("mongodb://a.example", "a.example:27017"),
        (f"mongodb://me:{CANARY}@a.example:1,b.example:2/db?replicaSet=rs", "a.example:1, b.example:2"),
        ("mongodb://[::1]:5", "::1:5"),
        (f"mongodb+srv://me:{CANARY}@c.example/db", "c.example"),
        (f"mongodb+srv://me:{CANARY}@c.example?tlsCertificateKeyFilePassword={CANARY}", "c.example"),
        (f"mongodb+srv://me:{CANARY}", "?"),
        (f"mongodb+srv://{CANARY}:x/y@", "?"),
        (f"me:{CANARY}@a.example", "?"),
        ("", "?"),
    ],
)
def test_hosts_are_all_that_is_told_of_a_uri(uri: str, named: str) -> None:
    assert hosts(Secret(uri)) == named


def test_a_raw_collection(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> None:
    collection = raw_collection(client, database.name, "c")
    assert collection.write_concern.document == {"w": "majority"}
    assert collection.read_concern.document == {"level": "majority"}
    assert collection.read_preference == ReadPreference.PRIMARY
    database["c"].insert_one({"_id": 1})
    assert isinstance(collection.find_one({}), RawBSONDocument)


def test_the_servers_version(client: MongoClient[dict[str, Any]]) -> None:
    version = server_version(client)
    assert len(version) == 3
    assert version >= (4, 4, 0)
