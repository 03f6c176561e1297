"""Each document's outcome is known, writing can be repeated, and nobody's change is lost."""

from __future__ import annotations

import struct
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import InsertOne, MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect, BulkWriteError, PyMongoError

from identities import IDENTITIES, NAME, text, with_id
from oracle import Node, build, parse
from phimask import DocumentId
from phimask.store import writing
from phimask.store.connect import raw_collection
from phimask.store.raw import identity
from phimask.store.reading import whole_documents
from phimask.store.retry import classify, error_name
from phimask.store.writing import (
    Written,
    empty_timestamps,
    insert,
    replace,
    replace_unchanged,
    server_digest,
    update,
    why_not_replaced,
)

CANARY = "Quillfeather"
ONE = (0x10, b"\1\0\0\0")
BEAS: list[Node] = [(0x02, b"Name", text(b"Bea"))] * 2
ZERO: Node = (0x11, b"t", bytes(8))


@pytest.fixture
def collection(client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]) -> Any:
    return raw_collection(client, database.name, "c")


def numbered(*numbers: int, **fields: Any) -> list[bytes]:
    return [bson.encode({"_id": number, **fields}) for number in numbers]


def ids(*numbers: int) -> list[DocumentId]:
    return [identity(raw) for raw in numbered(*numbers)]


def there(collection: Any) -> dict[DocumentId, bytes]:
    return {identity(one.raw): bytes(one.raw) for one in collection.find({})}


def by_identity(documents: list[bytes]) -> dict[DocumentId, bytes]:
    return {identity(raw): raw for raw in documents}


def put(collection: Any, *documents: bytes) -> None:
    collection.bulk_write([InsertOne(RawBSONDocument(raw)) for raw in documents])


def sets(**fields: Any) -> bytes:
    return bson.encode({"$set": fields})


@contextmanager
def failing(client: MongoClient[dict[str, Any]], **fault: Any) -> Iterator[None]:
    """The server fails one command as told."""
    client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fault)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_inserting_and_inserting_again(collection: Any) -> None:
    documents = numbered(1, 2, 3, x="old")
    assert insert(collection, by_identity(documents)) == Written(3)
    again = numbered(1, 2, 3, 4, x="new")
    assert insert(collection, by_identity(again)) == Written(4, set(ids(1, 2, 3)))
    assert there(collection) == by_identity(again)


def test_inserting_after_a_part_was_inserted(collection: Any) -> None:
    documents = numbered(*range(10), x="x")
    put(collection, *documents[2:5])
    assert insert(collection, by_identity(documents)) == Written(10, set(ids(2, 3, 4)))
    assert there(collection) == by_identity(documents)


def test_nothing_to_insert(collection: Any) -> None:
    assert insert(collection, {}) == Written()


def test_any_id_is_inserted_replaced_and_updated(collection: Any) -> None:
    documents = [with_id(one, NAME) for one in IDENTITIES]
    found = set(by_identity(documents))
    assert insert(collection, by_identity(documents)) == Written(len(documents))
    assert insert(collection, by_identity(documents)) == Written(len(documents), found)
    assert whole_documents(collection, list(found)) == by_identity(documents)
    assert update(collection, [(one, sets(Name="Bea")) for one in found]) == Written(len(documents))
    after = [with_id(one, (0x02, b"Name", text(b"Bea"))) for one in IDENTITIES]
    assert whole_documents(collection, list(found)) == by_identity(after)


def test_whole_replacement_by_any_id(collection: Any) -> None:
    insert(collection, by_identity([with_id(one, NAME, NAME) for one in IDENTITIES]))
    for one in IDENTITIES:
        masked = with_id(one, *BEAS)
        assert replaced(collection, masked) == (True, None)
    after = [with_id(one, *BEAS) for one in IDENTITIES]
    assert whole_documents(collection, list(by_identity(after))) == by_identity(after)


ODD: dict[str, list[Node]] = {
    "duplicates": [NAME, NAME, (0x10, b"Name", bytes(4))],
    "text that is no UTF-8": [(0x02, b"x", text(b"\xff"))],
    "key that is no UTF-8": [(0x02, b"\xff", text(b"x"))],
    "date past 9999": [(0x09, b"x", struct.pack("<q", 2**62))],
    "deprecated types": [(0x06, b"u", b""), (0x0E, b"s", text(b"x")), (0x0C, b"p", text(b"x") + bytes(12))],
    "dollar": [(0x02, b"$set", text(b"x")), NAME],
    "dollar first": [(0x03, b"$x", [NAME])],
    "dots and nothing": [(0x02, b"a.b", text(b"x")), (0x02, b"", text(b"y"))],
    "empty timestamp": [(0x10, b"a", bytes(4)), ZERO, (0x11, b"other", bytes(8)), NAME],
    "empty timestamp deeper": [(0x03, b"a", [ZERO]), (0x04, b"l", [(0x11, b"0", bytes(8))])],
    "other timestamps": [(0x11, b"t", b"\1" + bytes(7)), (0x11, b"a.b", bytes(7) + b"\1")],
    "empty timestamp beside a dollar key": [ZERO, (0x02, b"$set", text(b"x"))],
}


@pytest.mark.parametrize("nodes", ODD.values(), ids=ODD)
def test_what_is_inserted_is_there_byte_for_byte(collection: Any, nodes: list[Node]) -> None:
    raw = with_id(ONE, *nodes)
    for present in (set(), {identity(raw)}, {identity(raw)}):
        assert insert(collection, by_identity([raw])) == Written(1, present)
        assert whole_documents(collection, [identity(raw)]) == {identity(raw): raw}


@pytest.mark.parametrize(
    "nodes",
    [
        [(0x11, b"a.b", bytes(8))],
        [(0x11, b"", bytes(8))],
        [(0x11, b"$t", bytes(8))],
        [(0x11, b"\xff", bytes(8))],
        [ZERO, ZERO],
        [(0x10, b"t", bytes(4)), ZERO],
    ],
)
def test_an_empty_timestamp_that_cannot_be_restored_is_refused(collection: Any, nodes: list[Node]) -> None:
    odd, good = with_id(ONE, *nodes), bson.encode({"_id": 2})
    written = insert(collection, by_identity([odd, good]))
    assert written == Written(1, set(), {identity(odd): writing._NOT_RESTORABLE})
    assert there(collection) == {identity(good): good}
    assert insert(collection, by_identity([odd])).refused


def test_an_empty_timestamp_as_id(collection: Any) -> None:
    raw = with_id((0x11, bytes(8)), NAME, ZERO)
    insert(collection, by_identity([raw]))
    assert there(collection) == {identity(raw): raw}


def test_empty_timestamps() -> None:
    raw = with_id(
        (0x11, bytes(8)), ZERO, (0x11, b"u", b"\1" * 8), (0x12, b"n", bytes(8)), (0x03, b"d", [ZERO])
    )
    assert [element.key for element in empty_timestamps(raw)] == [b"t"]
    assert empty_timestamps(bson.encode({"t": Timestamp(1, 0)})) == []
    for key in (b"\x11", b"\x11a", b"a\x11", b"a\x11b\x11"):
        raw = build([NAME, (0x11, key, bytes(8)), NAME])
        assert [element.key for element in empty_timestamps(raw)] == [key]


def test_a_unique_index_refuses_and_is_not_taken_for_an_earlier_attempt(collection: Any) -> None:
    collection.create_index("Name", unique=True)
    put(collection, *numbered(1, Name=CANARY))
    documents = [*numbered(2, Name=CANARY), *numbered(3, Name="Bea"), *numbered(1, Name="Cy")]
    written = insert(collection, by_identity(documents))
    assert written.present == set(ids(1))
    assert written.matched == 2
    assert list(written.refused) == ids(2)
    assert written.refused[ids(2)[0]] == "the server refused the write (code 11000)"
    assert sorted(bson.decode(raw)["_id"] for raw in there(collection).values()) == [1, 3]


def test_a_replacement_that_a_unique_index_refuses(collection: Any) -> None:
    collection.create_index("Name", unique=True)
    put(collection, *numbered(1, Name="Ada"), *numbered(2, Name="Bea"))
    written = insert(collection, by_identity(numbered(1, Name="Bea")))
    assert (written.matched, written.present, list(written.refused)) == (0, set(ids(1)), ids(1))


def test_a_unique_index_on_values_that_nobody_decodes(collection: Any) -> None:
    collection.create_index("x", unique=True)
    values: list[Node] = [(0x02, b"x", text(b"\xff")), (0x09, b"x", struct.pack("<q", 2**62))]
    for number, value in enumerate(values):
        put(collection, with_id((0x10, struct.pack("<i", number)), value))
        again = with_id((0x10, struct.pack("<i", number + 10)), value)
        assert list(insert(collection, by_identity([again])).refused) == [identity(again)]


def test_an_update_changes_what_it_names(collection: Any) -> None:
    put(
        collection, with_id(ONE, (0x0E, b"s", text(b"x")), NAME, (0x03, b"d", [NAME, (0x10, b"n", bytes(4))]))
    )
    change = build(
        [(0x03, b"$set", [(0x02, b"d.Name", text(b"Bea"))]), (0x03, b"$unset", [(0x0A, b"Name", b"")])]
    )
    assert update(collection, [(identity(with_id(ONE)), change)]) == Written(1)
    inside: Node = (0x03, b"d", [BEAS[0], (0x10, b"n", bytes(4))])
    expected = with_id(ONE, (0x0E, b"s", text(b"x")), inside)
    assert list(there(collection).values()) == [expected]


def test_an_update_sent_again_changes_nothing_more(collection: Any) -> None:
    put(collection, *numbered(1, 2, a="x"))
    updates = [(found, sets(a="m")) for found in ids(1, 2)]
    assert update(collection, updates) == Written(2)
    assert update(collection, updates) == Written(2)
    assert there(collection) == by_identity(numbered(1, 2, a="m"))


def test_an_update_never_brings_a_deleted_document_back(collection: Any) -> None:
    put(collection, *numbered(1, 3, a="x"))
    written = update(collection, [(found, sets(a="m")) for found in ids(1, 2, 3)])
    assert written == Written(2)
    assert there(collection) == by_identity(numbered(1, 3, a="m"))


def test_an_update_that_the_server_refuses_stops_no_other(collection: Any) -> None:
    collection.create_index("a", unique=True, sparse=True)
    put(collection, *numbered(1, a=CANARY), *numbered(2, a="x"), *numbered(3, a="y", big="x" * 9_000_000))
    written = update(
        collection,
        [
            (ids(2)[0], sets(a=CANARY)),
            (ids(3)[0], sets(more="x" * 9_000_000)),
            (ids(1)[0], sets(a="z")),
        ],
    )
    assert written.matched == 1
    assert written.refused[ids(2)[0]] == "the server refused the write (code 11000)"
    too_large = [f"the server refused the write (code {code})" for code in (10334, 17419)]
    assert written.refused[ids(3)[0]] in too_large
    assert len(written.refused) == 2
    assert CANARY not in repr(written)


def test_validation_refuses(collection: Any, database: Database[dict[str, Any]]) -> None:
    database.create_collection("c", validator={"a": {"$type": "string"}})
    assert insert(collection, by_identity(numbered(1, a="x"))) == Written(1)
    assert update(collection, [(ids(1)[0], sets(a=1))]).refused == {
        ids(1)[0]: "the server refused the write (code 121)"
    }
    assert list(insert(collection, by_identity(numbered(2, a=1))).refused) == ids(2)


def test_a_write_concern_that_passes_is_transient(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    fault = {"code": 64, "errmsg": CANARY}
    with (
        failing(client, failCommands=["insert"], writeConcernError=fault),
        pytest.raises(PyMongoError) as raised,
    ):
        insert(collection, by_identity(numbered(1)))
    assert classify(raised.value) == "transient"
    assert insert(collection, by_identity(numbered(1))) == Written(1, set(ids(1)))


def test_a_write_that_no_majority_has_is_no_success(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    put(collection, *numbered(1, a="x"))
    fault = {"code": 100, "errmsg": CANARY}
    for command, write in (
        ("insert", lambda: insert(collection, by_identity(numbered(2)))),
        ("update", lambda: update(collection, [(ids(1)[0], sets(a="m"))])),
    ):
        with (
            failing(client, failCommands=[command], writeConcernError=fault),
            pytest.raises(BulkWriteError) as raised,
        ):
            write()
        assert classify(raised.value) == "terminal"
        assert error_name(raised.value) == "code 100 (UnsatisfiableWriteConcern)"


def test_an_error_of_the_whole_command_comes_out(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    with failing(client, failCommands=["update"], errorCode=13), pytest.raises(PyMongoError) as raised:
        update(collection, [(ids(1)[0], sets(a="m"))])
    assert error_name(raised.value) == "code 13 (Unauthorized)"


def masks(raw: bytes) -> bytes:
    return raw.replace(b"Ada\0", b"Bea\0")


DOUBLED = with_id(ONE, NAME, NAME, (0x09, b"far", struct.pack("<q", 2**62)))


def replaced(collection: Any, masked: bytes) -> tuple[bool, str | None]:
    """As a document that nobody changes meanwhile."""
    found = identity(masked)
    return replace_unchanged(collection, found, server_digest(collection, found), masked)


def test_a_whole_document_is_replaced(collection: Any) -> None:
    put(collection, DOUBLED)
    assert replaced(collection, masks(DOUBLED)) == (True, None)
    assert list(there(collection).values()) == [masks(DOUBLED)]


def test_a_whole_document_that_is_gone(collection: Any) -> None:
    assert server_digest(collection, identity(DOUBLED)) is None
    assert replace_unchanged(collection, identity(DOUBLED), 1, masks(DOUBLED)) == (False, None)
    assert there(collection) == {}


def test_a_key_at_the_top_that_no_replacement_may_have(collection: Any) -> None:
    dollar = with_id(ONE, (0x02, b"$x", text(b"y")), NAME)
    put(collection, dollar)
    assert replaced(collection, masks(dollar)) == (False, "the server refused the write (code 52)")
    assert list(there(collection).values()) == [dollar]


def test_an_empty_timestamp_keeps_a_document_from_being_replaced() -> None:
    assert why_not_replaced(with_id(ONE, NAME, NAME, ZERO)) == (
        "holds an empty timestamp beside keys that no update can name"
    )
    assert why_not_replaced(DOUBLED) is None


def _nodes(raw: bytes) -> list[Node]:
    return parse(raw)[1:]


def test_a_change_while_a_document_is_masked_is_not_lost(collection: Any) -> None:
    put(collection, DOUBLED)
    digest = server_digest(collection, identity(DOUBLED))
    collection.update_one({"_id": 1}, {"$set": {"Other": "new"}})
    answer = replace_unchanged(collection, identity(DOUBLED), digest, masks(DOUBLED))
    assert answer == (False, "changed by others while it was masked")
    (after,) = there(collection).values()
    assert after == with_id(ONE, *_nodes(DOUBLED), (0x02, b"Other", text(b"new")))


def test_a_document_deleted_while_it_is_masked_stays_deleted(collection: Any) -> None:
    put(collection, DOUBLED)
    digest = server_digest(collection, identity(DOUBLED))
    collection.delete_one({"_id": 1})
    assert replace_unchanged(collection, identity(DOUBLED), digest, masks(DOUBLED)) == (False, None)
    assert there(collection) == {}


@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_replaces_no_document_twice(
    collection: Any, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    put(collection, DOUBLED)
    digest = server_digest(collection, identity(DOUBLED))
    bulk = writing._bulk

    def cut_off(*arguments: Any) -> Written:
        if arrived:
            bulk(*arguments)
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_bulk", cut_off)
        with pytest.raises(AutoReconnect):
            replace_unchanged(collection, identity(DOUBLED), digest, masks(DOUBLED))
    assert replace_unchanged(collection, identity(DOUBLED), digest, masks(DOUBLED)) == (True, None)
    assert list(there(collection).values()) == [masks(DOUBLED)]


def test_a_server_that_cannot_tell(client: MongoClient[dict[str, Any]], collection: Any) -> None:
    put(collection, DOUBLED)
    with failing(client, failCommands=["aggregate"], errorCode=168):
        assert server_digest(collection, identity(DOUBLED)) is None


def test_a_transient_error_of_the_guard_comes_out(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    put(collection, DOUBLED)
    with failing(client, failCommands=["aggregate"], errorCode=50), pytest.raises(PyMongoError) as raised:
        server_digest(collection, identity(DOUBLED))
    assert classify(raised.value) == "transient"
    assert "Ada" not in "".join(traceback.format_exception_only(raised.value))


def test_a_transaction_replaces_whole_documents(client: MongoClient[dict[str, Any]], collection: Any) -> None:
    put(collection, DOUBLED)
    with client.start_session() as session, session.start_transaction():
        assert replace(collection, [(identity(DOUBLED), masks(DOUBLED))], session) == Written(1)
        assert list(there(collection).values()) == [DOUBLED]
    assert list(there(collection).values()) == [masks(DOUBLED)]


def test_a_transaction_names_the_first_document_that_is_refused(
    client: MongoClient[dict[str, Any]], collection: Any
) -> None:
    collection.create_index("a", unique=True)
    for number in range(3):
        put(collection, bson.encode({"_id": number, "a": number}))
    with client.start_session() as session:
        session.start_transaction()
        written = update(collection, [(ids(0)[0], sets(a=1)), (ids(1)[0], sets(a=7))], session)
        assert written.refused == {ids(0)[0]: "the server refused the write (code 11000)"}
        assert not written.matched
    assert sorted(one["a"] for one in client[collection.database.name][collection.name].find()) == [0, 1, 2]
