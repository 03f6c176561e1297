"""The proxy forwards everything, and does what it is told at exactly the message it is told of."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from proxy import Command, Proxy, command_of
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect, ConnectionFailure, NetworkTimeout

from replica_set import Client, wait_until


@pytest.fixture
def proxy(client: Client) -> Iterator[Proxy]:
    assert client.address is not None
    with Proxy(client.address[1]) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: Proxy) -> Iterator[Client]:
    """A client through the proxy that tries nothing twice by itself."""
    with MongoClient[dict[str, Any]](
        proxy.uri, retryWrites=False, retryReads=False, serverSelectionTimeoutMS=500, socketTimeoutMS=2000
    ) as client:
        yield client


@pytest.fixture
def people(through: Client, database: Database[dict[str, Any]]) -> Any:
    return through[database.name]["people"]


def message(document: dict[str, Any], *, opcode: int = 2013, kind: int = 0) -> bytes:
    body = bytes(4) + bytes([kind]) + bson.encode(document)
    return (len(body) + 16).to_bytes(4, "little") + bytes(8) + opcode.to_bytes(4, "little") + body


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (message({"update": "people", "$db": "x"}), Command("update", "people")),
        (message({"update": "été", "$db": "x"}), Command("update", "été")),
        (message({"bulkWrite": 1, "$db": "admin"}), Command("bulkWrite", "")),
        (message({"update": "people"}, opcode=2004), None),
        (message({"update": "people"}, kind=1), None),
        (message({"update": "people"})[:20], None),
    ],
)
def test_a_command_is_known_by_its_first_element(sent: bytes, told: Command | None) -> None:
    assert command_of(sent) == told


def test_large_documents_pass_unchanged(people: Any, database: Database[dict[str, Any]]) -> None:
    large = [{"_id": number, "x": bytes([number]) * 3_000_000} for number in range(4)]
    people.insert_many(large)
    assert list(database["people"].find().sort("_id", 1)) == large
    assert list(people.find().sort("_id", 1)) == large


def test_commands_are_counted(people: Any, proxy: Proxy) -> None:
    for number in range(3):
        people.insert_one({"_id": number})
    people.update_one({"_id": 1}, {"$set": {"x": 1}})
    assert proxy.commands[Command("insert", "people")] == 3
    assert proxy.commands[Command("update", "people")] == 1
    assert proxy.commands[Command("update", "other")] == 0


def test_a_lost_reply_follows_a_write_that_was_done(people: Any, proxy: Proxy, database: Any) -> None:
    people.insert_many([{"_id": 1, "n": 0}, {"_id": 2, "n": 0}])
    trap = proxy.trap("update", "people", 2, at="reply", cut=True)
    people.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert not trap.sprung.is_set()
    with pytest.raises(AutoReconnect):
        people.update_one({"_id": 2}, {"$inc": {"n": 1}})
    trap.wait()
    assert [one["n"] for one in database["people"].find()] == [1, 1]
    people.update_one({"_id": 2}, {"$inc": {"n": 1}})  # a trap is sprung once
    assert database["people"].find_one({"_id": 2})["n"] == 2


def test_a_lost_request_is_a_write_that_was_not_done(people: Any, proxy: Proxy, database: Any) -> None:
    people.insert_one({"_id": 1, "n": 0})
    proxy.trap("update", "people", cut=True)
    with pytest.raises(AutoReconnect):
        people.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert database["people"].find_one({"_id": 1})["n"] == 0


def test_retryable_writes_outlast_a_lost_reply_and_are_done_once(
    proxy: Proxy, database: Database[dict[str, Any]]
) -> None:
    database["people"].insert_one({"_id": 1, "n": 0})
    proxy.trap("update", "people", at="reply", cut=True)
    with MongoClient[dict[str, Any]](proxy.uri) as client:
        client[database.name]["people"].update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert database["people"].find_one({"_id": 1}) == {"_id": 1, "n": 1}


def test_what_a_trap_does_is_done_before_the_message_goes_on(
    people: Any, proxy: Proxy, database: Any
) -> None:
    people.insert_one({"_id": 1, "n": 0})
    ports: list[int] = []
    seen: list[Any] = []

    def look(port: int) -> None:
        ports.append(port)
        seen.append(database["people"].find_one({"_id": 1})["n"])

    proxy.trap("update", "people", at="request", act=look)
    proxy.trap("update", "people", at="reply", act=look)
    people.update_one({"_id": 1}, {"$inc": {"n": 1}})
    assert seen == [0, 1]
    assert ports[0] == ports[1] != proxy.port


def test_a_trap_waits_for_the_one_it_is_for(people: Any, proxy: Proxy) -> None:
    asked: list[int] = []

    def third(port: int) -> bool:
        asked.append(port)
        return len(asked) == 3

    trap = proxy.trap("insert", "people", act=third, holding=b"wanted")
    for number in range(5):
        people.insert_one({"_id": number, "x": "wanted" if number else "other"})
        assert trap.sprung.is_set() == (number >= 3)
    assert len(asked) == 3


def test_a_cleared_trap_is_none(people: Any, proxy: Proxy) -> None:
    trap = proxy.trap("insert", "people", cut=True)
    proxy.clear()
    people.insert_one({"_id": 1})
    assert not trap.sprung.is_set()


def test_a_trap_that_is_not_sprung_says_how_far_it_came(people: Any, proxy: Proxy) -> None:
    trap = proxy.trap("insert", "people", 5)
    people.insert_one({"_id": 1})
    with pytest.raises(AssertionError, match="insert on people: seen 1 of 5"):
        trap.wait(0.01)


def inserted(people: Any, number: int) -> None:
    """Whether or not the client has noticed yet that its connection is gone."""
    try:
        people.insert_one({"_id": number})
    except ConnectionFailure:
        people.insert_one({"_id": number})


def test_cut_connections_are_made_anew(people: Any, proxy: Proxy) -> None:
    inserted(people, 1)
    with socket.create_connection(("127.0.0.1", proxy.port)) as idle:
        wait_until(lambda: idle.getsockname()[1] in proxy.ports(), "the connection is not taken")
        proxy.cut()
        assert idle.recv(1) == b""
    inserted(people, 2)
    assert people.count_documents({}) == 2


def test_nobody_listens_while_it_refuses(people: Any, proxy: Proxy) -> None:
    people.insert_one({"_id": 1})
    port = proxy.port
    with proxy.refusing(), pytest.raises(ConnectionFailure):
        people.insert_one({"_id": 2})
    assert proxy.port == port
    inserted(people, 2)
    assert people.count_documents({}) == 2


def test_nothing_passes_while_it_is_stalled(people: Any, proxy: Proxy) -> None:
    people.insert_one({"_id": 1})
    with proxy.stalled(), pytest.raises(NetworkTimeout):
        people.find_one()
    assert people.find_one() == {"_id": 1}


def test_each_message_is_delayed(people: Any, proxy: Proxy) -> None:
    people.insert_one({"_id": 1})
    proxy.delay = 0.1
    start = time.monotonic()
    people.insert_one({"_id": 2})
    assert time.monotonic() - start >= 0.2  # its request and its reply


def test_its_threads_end_with_it(client: Client, database: Database[dict[str, Any]]) -> None:
    assert client.address is not None
    before = set(threading.enumerate())
    with Proxy(client.address[1]) as proxy, MongoClient[dict[str, Any]](proxy.uri) as through:
        through[database.name]["people"].insert_one({"_id": 1})
        mine = {thread for thread in threading.enumerate() if "_forward" in thread.name} - before
        assert mine
    for thread in mine:
        thread.join(10)
        assert not thread.is_alive()
