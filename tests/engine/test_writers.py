"""Who else writes: every kind of write is seen, also while nobody looks, and a rename is told from those before it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from phimask.config.model import Secret
from phimask.engine.writers import Watch, watch_writes
from phimask.planning.namespace import Namespace
from phimask.store.connect import connect

Watching = Callable[..., Watch]

WRITES: dict[str, Callable[[Any], object]] = {
    "insert": lambda collection: collection.insert_one({"a": 1}),
    "update": lambda collection: collection.update_one({"_id": 0}, {"$set": {"a": 1}}),
    "replace": lambda collection: collection.replace_one({"_id": 0}, {"a": 1}),
    "delete": lambda collection: collection.delete_one({"_id": 0}),
}


@pytest.fixture
def collection(database: Database[dict[str, Any]]) -> Any:
    database["watched"].insert_many([{"_id": number} for number in range(3)])
    return database["watched"]


@pytest.fixture
def watching(mongo_uri: str, collection: Any) -> Iterator[Watching]:
    """Begins a watch of the collection, which ends with the test."""
    with contextlib.ExitStack() as stack:
        source = Namespace(
            stack.enter_context(connect(Secret(mongo_uri))), collection.database.name, "watched"
        )

        def watch(mark: Any = None) -> Watch:
            return stack.enter_context(contextlib.closing(watch_writes(source, mark)))

        yield watch


@pytest.fixture(params=["replica set", "standalone"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches as on a server of this kind."""
    if request.param == "standalone":
        monkeypatch.setattr("phimask.engine.writers.has_transactions", lambda client: False)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_seen(write: str, watching: Watching, collection: Any) -> None:
    watch = watching()
    assert watch.look() is None
    list(collection.find())
    collection.database["other"].insert_one({})
    assert watch.look() is None
    mark = watch.mark()
    WRITES[write](collection)
    assert "somebody wrote to it" in str(watch.look())
    assert "somebody wrote to it" in str(watch.look())
    # It is seen by whoever comes later, too, whatever was noted meanwhile.
    for one in (mark, watch.mark()):
        assert "somebody wrote to it" in str(watching(one).look())


def test_what_nobody_can_tell_any_more(
    watching: Watching, collection: Any, client: MongoClient[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = watching().mark()
    lost = {"failCommands": ["aggregate"], "errorCode": 286, "namespace": collection.full_name}
    client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=lost)
    watch = watching(mark)
    assert "ended with code 286 (ChangeStreamHistoryLost)" in str(watch.look())
    assert "cannot be told any more" in str(watch.look())
    assert not watch.quiet_until_renamed()
    assert watch.mark() == mark
    monkeypatch.setattr("phimask.engine.writers.has_transactions", lambda client: False)
    mark = watching().mark()
    assert watching(mark).look() is None
    assert "was restarted" in str(watching({**mark, "server": "another"}).look())


def test_a_rename_is_waited_for(watching: Watching, collection: Any) -> None:
    watch = watching()
    watch.expect_rename()
    collection.rename("kept")
    assert watch.quiet_until_renamed()
    assert watch.look() is None


@pytest.mark.parametrize("again", [False, True])
def test_a_write_before_the_rename(again: bool, watching: Watching, collection: Any) -> None:
    watch = watching()
    watch.expect_rename()
    mark = watch.mark()
    collection.insert_one({})
    collection.rename("kept")
    assert not (watching(mark) if again else watch).quiet_until_renamed()


def test_a_rename_that_was_undone_is_not_the_one(
    watching: Watching, collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phimask.engine.writers._RENAME_SECONDS", 0.5)
    first = watching()
    mark = first.mark()
    collection.rename("kept")
    collection.database["kept"].rename("watched")
    watch = watching(mark)
    watch.expect_rename()
    assert not watch.quiet_until_renamed()  # nothing has been renamed since
    assert watch.look() is None
    after = watch.mark()
    collection.rename("kept")
    assert watch.quiet_until_renamed()
    assert watching(after).quiet_until_renamed()


def test_a_write_after_a_rename_was_undone(watching: Watching, collection: Any) -> None:
    watch = watching()
    collection.rename("kept")
    collection.database["kept"].rename("watched")
    collection.insert_one({})
    assert "somebody wrote to it" in str(watch.look())


@pytest.mark.parametrize("code", [286, 189, pytest.param(91, marks=pytest.mark.soak)])
def test_a_stream_that_broke_is_begun_again_where_it_was(
    code: int, watching: Watching, collection: Any, client: MongoClient[dict[str, Any]]
) -> None:
    watch = watching()
    assert watch.look() is None
    broken = {"failCommands": ["getMore", "aggregate"], "errorCode": code, "namespace": collection.full_name}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=broken)
    try:
        collection.insert_one({})
        for _ in range(3):
            if code == 286:
                assert "cannot be told any more" in str(watch.look())
            else:
                with pytest.raises(PyMongoError):
                    watch.look()
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert "somebody wrote to it" in str(watch.look())
