from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from phimask.config.model import Secret
from phimask.engine.throttle import members
from phimask.engine.throttle.members import (
    behind_by_status,
    direct_uri,
    named_by_configuration,
    named_by_hello,
)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mongodb://db1", "mongodb://db9:27018/?directConnection=true"),
        ("mongodb://db1,db2:1/?replicaSet=rs", "mongodb://db9:27018/?directConnection=true"),
        (
            "mongodb://u:p%40ss@db1:1,db2:2/ehr?replicaSet=rs&authSource=admin&tls=true&tlsCAFile=%2Fca.pem&w=majority",
            "mongodb://u:p%40ss@db9:27018/ehr?directConnection=true&authSource=admin&tls=true&tlsCAFile=%2Fca.pem",
        ),
        (
            "mongodb://u:p@db1/?readPreference=secondary;readPreferenceTags=dc:a;maxStalenessSeconds=90;ssl=true",
            "mongodb://u:p@db9:27018/?directConnection=true&ssl=true",
        ),
        (
            "mongodb://CN%3Dme@db1/?authMechanism=MONGODB-X509&tls=true&DIRECTCONNECTION=false",
            "mongodb://CN%3Dme@db9:27018/?directConnection=true&authMechanism=MONGODB-X509&tls=true",
        ),
    ],
)
def test_a_direct_connection_keeps_user_and_tls_and_leaves_the_set(uri: str, expected: str) -> None:
    assert direct_uri(Secret(uri), "db9:27018").reveal() == expected


def test_an_anonymous_one_keeps_tls_alone() -> None:
    uri = Secret("mongodb://u:p@db1,db2/ehr?authSource=admin&authMechanism=PLAIN&tls=true&replicaSet=rs")
    assert (
        direct_uri(uri, "db9:1", anonymous=True).reveal()
        == "mongodb://db9:1/ehr?directConnection=true&tls=true"
    )


def test_what_a_seed_list_s_dns_records_say_is_said_in_the_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "parse_uri", lambda text: {"options": {"authsource": "admin", "tls": True}})
    found = direct_uri(Secret("mongodb+srv://u:p@cluster.example.org/?srvMaxHosts=2"), "db9:1").reveal()
    assert found == "mongodb://u:p@db9:1/?directConnection=true&tls=true&authSource=admin"
    found = direct_uri(Secret("mongodb+srv://u:p@c.example.org/?authSource=x&tls=false"), "db9:1").reveal()
    assert found == "mongodb://u:p@db9:1/?directConnection=true&authSource=x&tls=false"


def test_pymongo_takes_it_and_nobody_sees_the_password() -> None:
    found = direct_uri(Secret("mongodb://u:p%40ss@db1,db2/ehr?replicaSet=rs&authSource=admin"), "[::1]:27018")
    assert "p%40ss" not in f"{found} {found!r}"
    parts = parse_uri(found.reveal())
    assert (parts["username"], parts["password"], parts["nodelist"]) == ("u", "p@ss", [("::1", 27018)])
    with MongoClient[dict[str, Any]](found.reveal(), connect=False) as client:
        assert client.options.pool_options is not None


def test_hello_names_members_with_data() -> None:
    hello = {"hosts": ["a:1", "b:1"], "passives": ["c:1"], "arbiters": ["d:1"]}
    assert named_by_hello(hello) == {"a:1", "b:1", "c:1"}
    assert named_by_hello({"hosts": ["a:1"]}) == {"a:1"}


def test_the_configuration_names_more_but_none_that_is_meant_to_be_behind_and_unseen() -> None:
    configuration = {
        "members": [
            {"host": "a:1", "secondaryDelaySecs": 0, "hidden": False, "arbiterOnly": False},
            {"host": "delayed:1", "secondaryDelaySecs": 10, "hidden": False},
            {"host": "hidden:1", "secondaryDelaySecs": 0, "hidden": True},
            {"host": "backup:1", "secondaryDelaySecs": 3600, "hidden": True},
            {"host": "old:1", "slaveDelay": 3600, "hidden": True},
            {"host": "arbiter:1", "arbiterOnly": True},
        ]
    }
    assert named_by_configuration(configuration) == {"a:1", "delayed:1", "hidden:1"}


def test_the_primary_s_status_tells_the_lag_of_secondaries_that_it_hears() -> None:
    now = datetime(2026, 1, 5, 12, tzinfo=timezone.utc)

    def member(name: str, behind: float, **fields: Any) -> dict[str, Any]:
        return {
            "name": name,
            "health": 1,
            "state": 2,
            "lastAppliedWallTime": now - timedelta(seconds=behind),
        } | fields

    status = {
        "members": [
            member("primary:1", 0, state=1, self=True),
            member("near:1", 0.25),
            member("far:1", 7.5),
            member("ahead:1", -0.1),
            member("dead:1", 900, health=0, state=8),
            member("syncing:1", 900, state=5),
            {"name": "older:1", "health": 1, "state": 2, "optimeDate": now - timedelta(seconds=3)},
        ]
    }
    assert behind_by_status(status) == {"near:1": 0.25, "far:1": 7.5, "ahead:1": 0.0, "older:1": 3.0}
    assert behind_by_status({"members": [member("a:1", 0), member("b:1", 9)]}) == {}
