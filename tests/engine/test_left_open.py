"""Transactions that killed processes left open are ended, and nobody else's."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import OperationFailure

from phimask.config.model import Configuration, Secret
from phimask.engine import left_open
from phimask.engine.job import MaskingJob, Where
from phimask.engine.left_open import end_left_open, end_transactions
from phimask.ledger.opening import Ledger
from phimask.ledger.rollbacks import Rollbacks
from phimask.ledger.run_record import Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.store.connect import application, connect
from replica_set import wait_until
from users import as_user, deployment_with_users

NO_SUCH_TRANSACTION = 251
UNAUTHORIZED = 13
PASSWORD = "synthetic"
Client = MongoClient[dict[str, Any]]


@dataclass
class Left:
    """A transaction that somebody began."""

    client: Client
    session: ClientSession

    def is_open(self) -> bool:
        """Asked once, since that ends it."""
        try:
            self.session.commit_transaction()
        except OperationFailure as error:
            if error.code != NO_SUCH_TRANSACTION:
                raise
            return False
        return True


def begun(uri: str, stack: ExitStack, database: str, *name: str, application: str = "") -> Left:
    client: Client = MongoClient(uri, appname=application) if application else connect(Secret(uri), *name)
    stack.enter_context(client)
    session = stack.enter_context(client.start_session())
    session.start_transaction()
    client[database].people.find_one({}, session=session)
    return Left(client, session)


@pytest.fixture
def run() -> str:
    return f"20260102-030405-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def begin(mongo_uri: str, database: Database[dict[str, Any]]) -> Iterator[Callable[..., Left]]:
    """Begins a transaction on people, under the name of a run's process or of another program."""
    database.people.insert_many({"_id": number} for number in range(10))
    with ExitStack() as stack:

        def one(*name: str, application: str = "") -> Left:
            return begun(mongo_uri, stack, database.name, *name, application=application)

        yield one


@pytest.fixture
def runs(client: Client, database: Database[dict[str, Any]], run: str) -> Runs:
    """A ledger with a run that nobody is at work on."""
    runs = Runs(Ledger(client, database.name, "ledger"))
    pin = Pin(f"{database.name}.people", "uuid", None, "people", "digest", None)
    runs.begin(
        RunRecord(
            run, "running", "run", "p", "0", None, (pin,), None, None, guard=True, journal=True, vault=None
        )
    )
    runs.ledger.runs.update_one({"_id": run}, {"$set": {"coordinator.seen": None}})
    return runs


def test_a_run_s_are_ended_and_no_others(
    begin: Callable[..., Left], client: Client, runs: Runs, run: str
) -> None:
    of_it = [begin(run), begin(run, "w1"), begin(run, "w1"), begin(run, "w2")]
    of_others = [
        begin(),
        begin(f"{run}0"),
        begin(f"{run}0", "w1"),
        begin(application="mongosh"),
        begin(application=f"not phimask {run}"),
    ]
    end_left_open(client, runs, run)
    assert [one.is_open() for one in of_it] == [False] * 4
    assert [one.is_open() for one in of_others] == [True] * 5


def test_what_was_left_open_keeps_no_index_from_being_built(
    begin: Callable[..., Left], client: Client, runs: Runs, run: str, database: Database[dict[str, Any]]
) -> None:
    begin(run, "w1")
    with pytest.raises(OperationFailure, match="exceeded time limit"):
        database.people.create_index("Name", maxTimeMS=200)
    end_left_open(client, runs, run)
    database.people.create_index("Name", maxTimeMS=60_000)


def test_of_a_run_that_is_alive_none_is_ended(
    begin: Callable[..., Left], client: Client, runs: Runs, run: str
) -> None:
    left = begin(run, "w1")
    runs.claim(run)
    end_left_open(client, runs, run)
    assert left.is_open()


def test_of_a_rollback_that_is_at_work_none_is_ended(
    begin: Callable[..., Left], client: Client, runs: Runs, run: str
) -> None:
    left = begin(run)
    Rollbacks(runs.ledger, run).begin()
    runs.ledger.named("rollbacks").update_one({"_id": {"run": run}}, {"$set": {"host": "another"}})
    end_left_open(client, runs, run)
    assert left.is_open()


def test_of_a_run_that_nobody_knows_none_is_ended(
    begin: Callable[..., Left], client: Client, runs: Runs
) -> None:
    left = begin("unknown")
    end_left_open(client, runs, "unknown")
    assert left.is_open()


def test_a_worker_s_alone_are_ended(begin: Callable[..., Left], client: Client, run: str) -> None:
    dead, others = begin(run, "w1"), [begin(run), begin(run, "w10"), begin(run, "w2")]
    end_transactions(client, run, "w1")
    assert not dead.is_open()
    assert [one.is_open() for one in others] == [True] * 3


def test_a_worker_that_is_given_up_keeps_none(
    begin: Callable[..., Left], run: str, mongo_uri: str, database: Database[dict[str, Any]]
) -> None:
    where = Where(Secret(mongo_uri), database.name, "people")
    job = MaskingJob(
        run=run,
        configuration=cast("Configuration", None),
        collection=0,
        keys=(),
        source=where,
        target=None,
        ledger=where,
        query=None,
        uuid=None,
        projection=None,
        guard=True,
        journal=True,
        vault=False,
        remembers=False,
        salt=b"",
        partitions=None,
    )
    dead, other = begin(run, "w1"), begin(run, "w2")
    job.abandon("w1")
    assert not dead.is_open()
    assert other.is_open()


def test_what_was_sent_before_is_done_first(
    begin: Callable[..., Left], client: Client, run: str, database: Database[dict[str, Any]]
) -> None:
    left = begin(run, "w1")
    answered: list[Any] = []

    def ask() -> None:
        slow = {"_id": 1, "$where": "sleep(700) || true"}
        answered.append(left.client[database.name].people.find_one(slow, session=left.session))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(
        lambda: any(one["active"] for one in left_open._open(client, application(run))),
        "nothing is asked",
    )
    end_transactions(client, run)
    asking.join()
    assert answered == [{"_id": 1}]
    assert not left.is_open()


@pytest.mark.parametrize("command", ["aggregate", "killSessions"])
def test_where_the_server_does_not_let_it_they_are_left(
    command: str, begin: Callable[..., Left], client: Client, run: str, mongo_uri: str
) -> None:
    left = begin(run)
    fault = {"failCommands": [command], "errorCode": UNAUTHORIZED, "appName": application("looks")}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=fault)
    try:
        with connect(Secret(mongo_uri), "looks") as looking:
            end_transactions(looking, run)
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert left.is_open()


def test_whoever_may_write_may_end_their_own(tmp_path: Path, run: str) -> None:
    with ExitStack() as stack:
        host = stack.enter_context(deployment_with_users(tmp_path, PASSWORD))
        root = stack.enter_context(connect(Secret(as_user(host, "root", PASSWORD))))
        for name in ("masks", "other"):
            roles = [{"role": "readWrite", "db": "ehr"}]
            root.admin.command("createUser", name, pwd=PASSWORD, roles=roles)
        own = begun(as_user(host, "masks", PASSWORD), stack, "ehr", run)
        other = begun(as_user(host, "other", PASSWORD), stack, "ehr", run)
        end_transactions(
            stack.enter_context(connect(Secret(as_user(host, "masks", PASSWORD)))),
            run,
        )
        assert not own.is_open()
        assert other.is_open()


def test_a_name_is_as_long_as_the_server_takes(mongo_uri: str, client: Client, run: str) -> None:
    worker = "wörker" * 30
    with connect(Secret(mongo_uri), run, worker) as opened:
        left = begun(mongo_uri, ExitStack(), "admin", run, worker)
        assert opened.admin.command("ping")["ok"] == 1
        end_transactions(client, run, worker)
        assert not left.is_open()
        left.session.end_session()
        left.client.close()
