"""The lag of a real replica set's members. The clock is the tests' own, so that no machine is too slow for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from throttle_fakes import Client, Clock, Documents

from phimask.config.model import ReplicaLag, Secret, ThrottleSettings
from phimask.engine.throttle import Throttle
from phimask.engine.throttle.lag import Lag
from replica_set import ReplicaSet, wait_until

SETTINGS = ReplicaLag(pause=2.0, resume=1.0)


@pytest.fixture
def own(replica_set: ReplicaSet) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](replica_set.uri) as client:
        yield client
        client.drop_database("lag")


def lag(replica_set: ReplicaSet, client: Any, heartbeats: Any, clock: Clock) -> Lag:
    return Lag(SETTINGS, client, heartbeats, Secret(replica_set.uri), clock)


def beat_of(heartbeats: Any) -> int:
    found = heartbeats.find_one(sort=[("at", -1)])
    return int(found["beat"]) if found else 0


def some_beats(heartbeats: Any) -> None:
    """Let a few heartbeats go by, and so a few questions to each member."""
    before = beat_of(heartbeats)
    wait_until(lambda: beat_of(heartbeats) >= before + 4, "nothing beats")


def told(source: Lag, detail: str) -> None:
    """It says this, at last: a member asked just as the clock was moved may be told for a moment, too."""
    wait_until(lambda: source.detail() == detail, "something else is told")


def test_it_stands_still_from_two_seconds_on_and_goes_on_at_one(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]]
) -> None:
    clock, heartbeats = Clock(), own["lag"]["heartbeats"]
    with closing(lag(replica_set, own, heartbeats, clock)) as source:
        some_beats(heartbeats)
        assert not source.holds()
        with replica_set.stalled_secondary() as stalled:
            some_beats(heartbeats)
            clock.now += 1.9
            some_beats(heartbeats)
            assert not source.holds()
            clock.now += 0.2
            wait_until(source.holds, "it does not hold")
            told(source, f"{stalled.address} is 2.1 s behind")
            clock.now += 5
            told(source, f"{stalled.address} is 7.1 s behind")
            assert source.holds()
        wait_until(lambda: not source.holds(), "it holds on")
        assert source.detail() == ""
        some_beats(heartbeats)
        assert not source.holds()


def test_a_member_that_is_set_to_be_behind_counts_and_is_told(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    settings = ThrottleSettings(SETTINGS, False, (), None)
    uri = Secret(replica_set.uri)
    with closing(Throttle(settings, own, own["lag"]["heartbeats"], uri=uri, directory=tmp_path)) as throttle:
        with replica_set.delayed_secondary(10) as late:
            wait_until(lambda: throttle.reasons() == ("replica lag",), "it does not hold")
            assert throttle.detail().startswith(f"replica lag: {late.address} is ")
        wait_until(lambda: throttle.reasons() == (), "it holds on")


def test_a_member_that_does_not_answer_is_no_lag_and_is_told(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    dead = replica_set.secondaries()[0]
    dead.kill()
    heartbeats = own["lag"]["heartbeats"]
    with closing(lag(replica_set, own, heartbeats, Clock())) as source:
        wait_until(lambda: dead.address in source.unseen(), "the silent one is not told")
        assert source.unseen().startswith(f"{dead.address} does not answer (")
        some_beats(heartbeats)
        assert not source.holds()
        wait_until(lambda: dead.address in caplog.text, "nobody is warned")
        replica_set.restart(dead)
        wait_until(lambda: not source.unseen(), "it stays silent")
    assert len([one for one in caplog.messages if "is not watched as long as" in one]) == 1


def test_it_goes_on_through_an_election(replica_set: ReplicaSet, own: MongoClient[dict[str, Any]]) -> None:
    clock, heartbeats = Clock(), own["lag"]["heartbeats"]
    with closing(lag(replica_set, own, heartbeats, clock)) as source:
        some_beats(heartbeats)
        replica_set.step_down()
        replica_set.wait_for_primary()
        some_beats(heartbeats)
        assert not source.holds()
        with replica_set.stalled_secondary() as stalled:
            some_beats(heartbeats)
            clock.now += 2.5
            wait_until(source.holds, "it does not hold")
            assert stalled.address in source.detail()


def test_of_a_member_out_of_reach_the_primary_tells(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]]
) -> None:
    clock, heartbeats = Clock(), own["lag"]["heartbeats"]
    now = datetime.now(timezone.utc)
    hidden = "127.0.0.1:1"  # a port on which nobody answers
    configuration = {"config": {"members": [{"host": hidden, "hidden": True}]}}
    status = {
        "members": [
            {"name": "primary", "self": True, "health": 1, "state": 1, "lastAppliedWallTime": now},
            {"name": hidden, "health": 1, "state": 2, "lastAppliedWallTime": now - timedelta(seconds=5)},
        ]
    }
    asked = Client(own, {"replSetGetConfig": configuration, "replSetGetStatus": status})
    with closing(lag(replica_set, asked, heartbeats, clock)) as source:
        wait_until(source.holds, "it does not hold")
        assert source.detail() == f"{hidden} is 5.0 s behind"
        status["members"][1]["lastAppliedWallTime"] = now
        wait_until(lambda: not source.holds(), "it holds on")
        assert source.unseen() == ""


def test_without_the_privilege_for_more_the_members_of_hello_are_watched(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    clock, heartbeats = Clock(), own["lag"]["heartbeats"]
    asked = Client(own, {"replSetGetConfig": 13, "replSetGetStatus": 13})
    with closing(lag(replica_set, asked, heartbeats, clock)) as source:
        some_beats(heartbeats)
        with replica_set.stalled_secondary():
            some_beats(heartbeats)
            clock.now += 2.5
            wait_until(source.holds, "it does not hold")
        wait_until(lambda: not source.holds(), "it holds on")
        wait_until(lambda: asked.admin.asked.count("hello") > 2, "nobody looks around")
    assert asked.admin.asked.count("replSetGetConfig") == 1
    assert caplog.messages == []


def test_its_own_document_goes_with_it_and_old_ones_before(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]]
) -> None:
    heartbeats = own["lag"]["heartbeats"]
    now = datetime.now(timezone.utc)
    other = {"_id": "other", "text": "not a heartbeat"}
    living = {"_id": "living", "beat": 7, "at": now}
    heartbeats.insert_many([{"_id": "old", "beat": 7, "at": now - timedelta(days=2)}, living, other])
    with closing(lag(replica_set, own, heartbeats, Clock())):
        wait_until(lambda: heartbeats.find_one({"_id": "old"}) is None, "the old one stays")
        assert heartbeats.count_documents({"beat": {"$exists": True}}) == 2
    assert sorted(one["_id"] for one in heartbeats.find()) == ["living", "other"]
    assert not [one for one in threading.enumerate() if one.name == "phimask-throttle"]


def test_a_user_who_may_not_write_the_heartbeat_is_told_once(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    refused = {"failCommands": ["update"], "errorCode": 13, "namespace": "lag.heartbeats"}
    with replica_set.wait_for_primary().client() as primary:
        primary.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=refused)
        try:
            with closing(lag(replica_set, own, own["lag"]["heartbeats"], Clock())) as source:
                wait_until(lambda: bool(caplog.messages), "nobody is told")
                assert not source.holds()
        finally:
            primary.admin.command("configureFailPoint", "failCommand", mode="off")
    assert caplog.messages == [
        "throttle: replica lag: is not watched: the user may not write to lag.heartbeats"
    ]


def test_behind_a_mongos_the_members_of_each_shard_are_asked(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]]
) -> None:
    clock = Clock()
    hosts = ",".join(member.address for member in replica_set.members)
    shards = {("config", "shards"): Documents([{"_id": "shard0", "host": f"faults/{hosts}"}])}
    router = Client(None, {"hello": {"msg": "isdbgrid"}}, shards)
    # The user's password means nothing to a shard, which here has no users at all.
    uri = Secret("mongodb://somebody:hunter2@127.0.0.1/?authSource=admin")
    written = own["lag"]["written"]

    def work() -> None:
        for _ in range(10):
            written.insert_one({})
            time.sleep(0.1)

    with closing(Lag(SETTINGS, router, own["lag"]["heartbeats"], uri, clock)) as source:  # type: ignore[arg-type]
        work()
        assert not source.holds()
        with replica_set.stalled_secondary() as stalled:
            work()
            clock.now += 2.5
            wait_until(source.holds, "it does not hold")
            told(source, f"{stalled.address} is 2.5 s behind")
        wait_until(lambda: not source.holds(), "it holds on")
        assert source.unseen() == ""
    assert own["lag"]["heartbeats"].find_one() is None


def test_a_mongos_that_does_not_tell_its_shards_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = Client(None, {"hello": {"msg": "isdbgrid"}}, {("config", "shards"): Documents(13)})
    with closing(Lag(SETTINGS, router, None, Secret("mongodb://127.0.0.1"), Clock())) as source:  # type: ignore[arg-type]
        wait_until(lambda: bool(caplog.messages), "nobody is told")
        assert not source.holds()
    assert caplog.messages == [
        "throttle: replica lag: is not watched: the user may not read config.shards; grant clusterMonitor"
    ]


def test_a_server_alone_has_no_lag(caplog: pytest.LogCaptureFixture) -> None:
    alone = Client(None, {"hello": {"isWritablePrimary": True}})
    with closing(Lag(SETTINGS, alone, None, Secret("mongodb://127.0.0.1"), Clock())) as source:  # type: ignore[arg-type]
        wait_until(lambda: bool(alone.admin.asked), "nobody looks around")
        assert not source.holds()
    assert caplog.messages == []


def test_the_server_s_flow_control_is_seen(
    replica_set: ReplicaSet, own: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    """Both secondaries hold still, so that the majority lags; the primary is told to mind that early."""
    settings = ThrottleSettings(SETTINGS, True, (), None)
    written = own["lag"]["written"]
    written.insert_one({"_id": 0})
    with ExitStack() as stack:
        primary = stack.enter_context(replica_set.wait_for_primary().client())
        # It thinks in samples of so many operations; here there are few.
        early = {"flowControlTargetLagSeconds": 1, "flowControlSamplePeriod": 1}
        usual = {"flowControlTargetLagSeconds": 10, "flowControlSamplePeriod": 1000}
        primary.admin.command("setParameter", 1, **early)
        stack.callback(primary.admin.command, "setParameter", 1, **usual)
        uri = Secret(replica_set.uri)
        heartbeats = own["lag"]["heartbeats"]
        throttle = stack.enter_context(
            closing(Throttle(settings, own, heartbeats, uri=uri, directory=tmp_path))
        )
        with ExitStack() as stalled:
            for member in replica_set.secondaries():
                client = stalled.enter_context(member.client())
                client.admin.command("configureFailPoint", "rsSyncApplyStop", mode="alwaysOn")
                stalled.callback(client.admin.command, "configureFailPoint", "rsSyncApplyStop", mode="off")
            wait_until(
                lambda: throttle.reasons() == ("replica lag", "flow control"), "flow control is not seen"
            )
            text = throttle.detail()
            assert text.count(" s behind") == 2
            assert "flow control: the server lets through " in text
        wait_until(lambda: throttle.reasons() == (), "it holds on")
