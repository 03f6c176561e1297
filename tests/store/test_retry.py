from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bson import encode
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient, UpdateOne
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    CursorNotFound,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from phimask.config.model import Retry
from phimask.errors import StoreError
from phimask.store.retry import classify, error_name, pause, retrying, terminal_error

SECRET = "Ada Lovelace 912-34-5678"
QUICK = Retry(attempts=4, initial=0.001, longest=0.002)


def failure(code: int, name: str = "Whatever", **details: Any) -> OperationFailure:
    return OperationFailure(SECRET, code, {"code": code, "codeName": name, "errmsg": SECRET, **details})


def bulk(*codes: int, concern: tuple[int, ...] = ()) -> BulkWriteError:
    return BulkWriteError(
        {
            "writeErrors": [
                {
                    "index": i,
                    "code": code,
                    "errmsg": SECRET,
                    "op": {"q": {"name": SECRET}},
                    "keyValue": SECRET,
                }
                for i, code in enumerate(codes)
            ],
            "writeConcernErrors": [{"code": code, "errmsg": SECRET} for code in concern],
            "nMatched": 3,
        }
    )


PASSING = [6, 7, 64, 89, 91, 112, 175, 189, 262, 9001, 10107, 11600, 11602, 13435]


@pytest.mark.parametrize(
    "error",
    [
        AutoReconnect(SECRET),
        NetworkTimeout(SECRET),
        NotPrimaryError(SECRET, {"code": 10107}),
        ServerSelectionTimeoutError(SECRET),
        WaitQueueTimeoutError(SECRET),
        ExecutionTimeout(SECRET, 50, {"code": 50}),
        CursorNotFound(SECRET, 43, {"code": 43}),
        WTimeoutError(SECRET, 64, {"code": 64}),
        failure(999, errorLabels=["RetryableWriteError"]),
        failure(251, errorLabels=["TransientTransactionError"]),
        PyMongoError(SECRET, error_labels=["RetryableError"]),
        *map(failure, PASSING),
        bulk(112),
        bulk(concern=(64,)),
        bulk(concern=(91,)),
        bulk(121, 11000, 189),
        bulk(121, concern=(64,)),
    ],
    ids=error_name,
)
def test_what_passes_by_itself_is_transient(error: PyMongoError) -> None:
    assert classify(error) == "transient"


@pytest.mark.parametrize(
    "error",
    [
        failure(13),
        failure(18),
        failure(121),
        failure(10334),
        failure(17280),
        failure(17419),
        failure(67),
        failure(11601),
        DuplicateKeyError(SECRET, 11000, {"code": 11000}),
        OperationFailure(SECRET),
        DocumentTooLarge(SECRET),
        ConfigurationError(SECRET),
        InvalidOperation(SECRET),
        bulk(121),
        bulk(11000, 17280),
        bulk(concern=(100,)),
        ValueError(SECRET),
        KeyboardInterrupt(),
    ],
    ids=error_name,
)
def test_what_stays_is_terminal(error: BaseException) -> None:
    assert classify(error) == "terminal"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (failure(13, "Unauthorized"), "code 13 (Unauthorized)"),
        (failure(4711, "NewInTown"), "code 4711 (NewInTown)"),
        (failure(4711, "two words"), "code 4711"),
        (failure(13, SECRET), "code 13 (Unauthorized)"),
        (
            failure(13, errmsg=f"not authorized on led_1 to execute command {{ find: {SECRET} }}"),
            "code 13 (Whatever) on database 'led_1'",
        ),
        (failure(13, errmsg=f"not authorized on {SECRET} to execute command {{}}"), "code 13 (Whatever)"),
        (failure(4711, errmsg="not authorized on led to execute command {}"), "code 4711 (Whatever)"),
        (OperationFailure(SECRET, 18), "code 18 (AuthenticationFailed)"),
        (OperationFailure(SECRET), "OperationFailure"),
        (ServerSelectionTimeoutError(SECRET), "ServerSelectionTimeoutError"),
        (NotPrimaryError(SECRET, {"code": 10107}), "code 10107 (NotWritablePrimary)"),
        (bulk(11000, 121, 11000, 5555), "code 11000 (DuplicateKey), code 121 (DocumentValidationFailure), code 5555"),
        (bulk(concern=(100,)), "code 100 (UnsatisfiableWriteConcern)"),
        (bulk(), "BulkWriteError"),
        (RuntimeError(SECRET), "RuntimeError"),
    ],
)  # fmt: skip
def test_an_error_is_named_by_code_alone(error: BaseException, name: str) -> None:
    assert error_name(error) == name


@given(st.integers(min_value=1, max_value=100_000), st.text(max_size=30))
def test_no_message_of_the_server_gets_through(code: int, said: str) -> None:
    error = terminal_error(failure(code, f"{SECRET}{said}"), "writing a batch")
    assert isinstance(error, StoreError)
    assert str(error).startswith(f"writing a batch: MongoDB answered code {code}")
    assert "Ada" not in str(error)


def test_transient_errors_are_tried_again_until_it_works() -> None:
    waits: list[tuple[str, float]] = []
    outcomes: Iterator[Exception | None] = iter([AutoReconnect(SECRET), failure(112, "WriteConflict"), None])

    def ask() -> str:
        if (error := next(outcomes)) is not None:
            raise error
        return "done"

    assert retrying(QUICK, lambda *told: waits.append(told), lambda: False)(ask) == "done"
    assert [reason for reason, _ in waits] == ["retry: AutoReconnect", "retry: code 112 (WriteConflict)"]


def test_a_terminal_error_comes_out_at_once() -> None:
    calls = itertools.count()

    def ask() -> None:
        next(calls)
        raise failure(13)

    with pytest.raises(OperationFailure):
        retrying(QUICK, lambda *_: None, lambda: False)(ask)
    assert next(calls) == 1


def test_attempts_count_in_all_and_the_error_itself_comes_out() -> None:
    calls = itertools.count()

    def ask() -> None:
        next(calls)
        raise AutoReconnect(SECRET)

    with pytest.raises(AutoReconnect):
        retrying(QUICK, lambda *_: None, lambda: False)(ask)
    assert next(calls) == QUICK.attempts


def test_waits_grow_to_the_longest_and_never_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr("phimask.store.retry.pause", lambda seconds, stop: asked.append(seconds) or seconds)
    monkeypatch.setattr("random.uniform", lambda low, high: high)

    def ask() -> None:
        raise AutoReconnect(SECRET)

    with pytest.raises(AutoReconnect):
        retrying(Retry(attempts=6, initial=1.0, longest=5.0), lambda *_: None, lambda: False)(ask)
    assert asked == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_jitter_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    lows: list[float] = []
    monkeypatch.setattr("phimask.store.retry.pause", lambda seconds, stop: seconds)
    monkeypatch.setattr("random.uniform", lambda low, high: lows.append(low) or low)

    def ask() -> None:
        raise AutoReconnect(SECRET)

    with pytest.raises(AutoReconnect):
        retrying(QUICK, lambda *_: None, lambda: False)(ask)
    assert set(lows) == {0.0}


def test_a_stop_ends_the_wait_and_leaves_no_attempt_more() -> None:
    calls = itertools.count()
    stopping = False

    def ask() -> None:
        nonlocal stopping
        next(calls)
        stopping = True
        raise AutoReconnect(SECRET)

    hours = Retry(attempts=9, initial=3600.0, longest=3600.0)
    with pytest.raises(AutoReconnect):
        retrying(hours, lambda *_: None, lambda: stopping)(ask)
    assert next(calls) == 1


def test_a_pause_looks_for_a_stop_every_fifth_of_a_second_at_least() -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    assert pause(1.05, lambda: False, lambda: now, sleep) == pytest.approx(1.05)
    assert max(slept) <= 0.2
    assert pause(60.0, lambda: now > 103.0, lambda: now, sleep) == pytest.approx(1.95, abs=0.2)
    assert pause(-1.0, lambda: False, lambda: now, sleep) == 0.0


@contextmanager
def failing(client: MongoClient[dict[str, Any]], times: int, **data: Any) -> Iterator[None]:
    """The server fails the next `times` commands as `data` says."""
    client.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_a_real_server_that_loses_its_primary_state_is_asked_again(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    database.people.insert_one({"_id": 1, "n": 0})
    waits: list[str] = []
    # Retryable writes of the driver take one failure each: three are more than it hides.
    with failing(client, 3, failCommands=["update"], errorCode=10107, errorLabels=["RetryableWriteError"]):
        result = retrying(QUICK, lambda reason, _: waits.append(reason), lambda: False)(
            lambda: database.people.bulk_write([UpdateOne({"_id": 1}, {"$set": {"n": 1}})], ordered=False)
        )
    assert result.matched_count == 1
    assert waits == ["retry: code 10107 (NotWritablePrimary)"]


def test_a_real_lost_connection_is_transient(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    with (
        failing(client, 2, failCommands=["find"], closeConnection=True),
        pytest.raises(PyMongoError) as caught,
    ):
        database.people.find_one({})
    assert classify(caught.value) == "transient"


def test_a_real_write_concern_failure_is_transient(
    client: MongoClient[dict[str, Any]], database: Database[dict[str, Any]]
) -> None:
    concern = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    with failing(client, 1, failCommands=["update"], writeConcernError=concern), pytest.raises(BulkWriteError) as caught:  # fmt: skip  # noqa: E501
        database.people.bulk_write([UpdateOne({"_id": 1}, {"$set": {"n": 1}})], ordered=False)
    assert classify(caught.value) == "transient"


def test_a_real_duplicate_key_is_terminal_and_keeps_its_value_to_itself(
    database: Database[dict[str, Any]],
) -> None:
    database.people.create_index("name", unique=True)
    database.people.insert_many([{"_id": 1, "name": SECRET}, {"_id": 2, "name": "x"}])
    with pytest.raises(BulkWriteError) as caught:
        database.people.bulk_write([UpdateOne({"_id": 2}, {"$set": {"name": SECRET}})], ordered=False)
    assert classify(caught.value) == "terminal"
    assert str(terminal_error(caught.value, "writing")) == (
        "writing: MongoDB answered code 11000 (DuplicateKey)"
    )


def test_a_real_document_that_grows_too_large_is_terminal(database: Database[dict[str, Any]]) -> None:
    half = "x" * (8 * 1024 * 1024 - len(encode({"_id": 1, "a": ""})))
    database.people.insert_one({"_id": 1, "a": half})
    with pytest.raises(PyMongoError) as caught:
        database.people.bulk_write([UpdateOne({"_id": 1}, {"$set": {"b": half + "y" * 1024}})], ordered=False)
    assert classify(caught.value) == "terminal"
