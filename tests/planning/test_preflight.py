from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from pymongo.errors import AutoReconnect, OperationFailure

from phimask.config.model import CollectionFile
from phimask.errors import PreflightError
from phimask.planning.binding import bind
from phimask.planning.namespace import Namespace
from phimask.planning.preflight import examine
from phimask.plugins.registry import Registry
from phimask.store.connect import Client

READ = ["find", "listIndexes", "collStats", "listCollections"]


class FakeClient:
    """A deployment with `ehr.people` in it, whose server says what a test wants to hear."""

    def __init__(
        self,
        privileges: Sequence[dict[str, Any]] | None = None,
        version: Sequence[int] = (6, 0, 5),
        indexes: Sequence[dict[str, Any]] = (),
        hello: dict[str, Any] | None = None,
        shard_key: Sequence[str] = (),
        failing: Exception | None = None,
    ) -> None:
        self.privileges = privileges
        self.version = version
        self.indexes = indexes
        self.hello = hello or {}
        self.shard_key = shard_key
        self.failing = failing
        self.admin = self

    def list_database_names(self) -> list[str]:
        return ["admin", "ehr"]

    def __getitem__(self, name: str) -> Any:
        return self

    def list_collections(self, filter: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: A002
        there = {"name": "people", "type": "collection", "options": {}, "info": {"uuid": b"1"}}
        return [there] if filter["name"] == "people" else []

    def list_collection_names(self) -> list[str]:
        return ["people"]

    def list_indexes(self) -> Sequence[dict[str, Any]]:
        if self.failing is not None:
            raise self.failing
        return self.indexes

    def find_one(self, query: dict[str, Any]) -> dict[str, Any]:
        return {"_id": query["_id"], "key": dict.fromkeys(self.shard_key, 1)}

    def command(self, name: str, **_: Any) -> dict[str, Any]:
        users = [] if self.privileges is None else [{"user": "u", "db": "admin"}]
        return {
            "buildInfo": {"versionArray": [*self.version, 0]},
            "hello": self.hello,
            "getParameter": {},
            "connectionStatus": {
                "authInfo": {
                    "authenticatedUsers": users,
                    "authenticatedUserPrivileges": self.privileges or [],
                }
            },
        }[name]


@pytest.fixture
def look(written: Callable[..., CollectionFile], registry: Registry) -> Callable[..., Any]:
    def call(client: FakeClient, *paths: str, collection: str = "people") -> Any:
        rules = bind(
            written(*(f"{{path: '{path}', masker: redact}}" for path in paths or ("Name",))), registry, ()
        )
        return examine(Namespace(cast("Client", client), "ehr", collection), None, rules)

    return call


def test_nothing_stands_in_the_way(look: Callable[..., Any]) -> None:
    found = look(FakeClient())
    assert found.hazards == []


@pytest.mark.parametrize(
    ("resource", "actions", "missing"),
    [
        ({"db": "ehr", "collection": "people"}, [*READ, "update"], None),
        ({"db": "ehr", "collection": ""}, [*READ, "update"], None),
        ({"db": "", "collection": ""}, [*READ, "update"], None),
        ({"anyResource": True}, [*READ, "update"], None),
        ({"db": "ehr", "collection": ""}, READ, "update"),
        ({"db": "ehr", "collection": ""}, ["update", "find", "collStats"], "listIndexes"),
        ({"db": "ehr", "collection": ""}, ["listCollections"], "collStats, find, listIndexes or update"),
        ({"db": "ehr", "collection": "other"}, [*READ, "update"], "collStats, find, listIndexes or update"),
        ({"db": "other", "collection": ""}, [*READ, "update"], "collStats, find, listIndexes or update"),
        ({"cluster": True}, [*READ, "update"], "collStats, find, listIndexes or update"),
    ],
)
def test_privileges(
    resource: dict[str, Any], actions: list[str], missing: str | None, look: Callable[..., Any]
) -> None:
    found = look(FakeClient(privileges=[{"resource": resource, "actions": actions}]))
    if missing is None:
        assert found.hazards == []
    else:
        (hazard,) = found.hazards
        assert f"ehr.people: the user may not {missing}; grant the role readWrite" in hazard.what


def test_privileges_of_several_roles_add_up(look: Callable[..., Any]) -> None:
    granted = [
        {"resource": {"db": "ehr", "collection": ""}, "actions": READ},
        {"resource": {"db": "", "collection": "people"}, "actions": ["update"]},
    ]
    assert look(FakeClient(privileges=granted)).hazards == []


def test_an_old_server(look: Callable[..., Any]) -> None:
    (hazard,) = look(FakeClient(version=(4, 4, 29))).hazards
    assert "MongoDB 4.4.29 is too old; phimask needs 5.0 or later" in hazard.what
    assert look(FakeClient(version=(8, 2, 0))).hazards == []


def test_a_masked_shard_key(look: Callable[..., Any]) -> None:
    sharded = FakeClient(hello={"msg": "isdbgrid"}, shard_key=["Ward", "Name"])
    (hazard,) = look(sharded, "Name").hazards
    assert "Name is in the shard key and masked by Name" in hazard.what
    assert look(sharded, "Other").hazards == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationFailure("Zebulon may not", 13, {"codeName": "Unauthorized"}), "code 13 (Unauthorized)"),
        (AutoReconnect("Zebulon closed"), "AutoReconnect"),
    ],
)
def test_an_error_on_the_way_is_told_without_its_message(
    error: Exception, told: str, look: Callable[..., Any]
) -> None:
    with pytest.raises(PreflightError) as caught:
        look(FakeClient(failing=error))
    assert told in str(caught.value)
    assert "Zebulon" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "keys", "touched"),
    [
        ("Name", {"Name": 1}, True),
        ("Name", {"Names": 1}, False),
        ("Patient", {"Patient.Name": 1}, True),
        ("Patient.Name", {"Patient": 1}, True),
        ("Patient.*", {"Patient": 1}, True),
        ("*.Name", {"Patient": 1}, True),
        ("**.Name", {"Patient.Name": 1}, True),
        ("**.Name", {"Patient": 1}, False),
        ("**.Name", {"$**": 1}, True),
        ("Patient.Name", {"Patient.$**": 1}, True),
        ("Other.Name", {"Patient.$**": 1}, False),
        ("Name", {"_id": 1}, False),
    ],
)
def test_which_indexes_a_rule_touches(
    path: str, keys: dict[str, Any], touched: bool, look: Callable[..., Any]
) -> None:
    found = look(FakeClient(indexes=[{"name": "i", "key": keys}]), path)
    assert not any(one.stops(()) for one in found.hazards)
    assert ["1 index(es)" in one.what for one in found.hazards if one.id != "wildcard-index"] == (
        [True] if touched else []
    )


def test_names_that_are_nearly_right(look: Callable[..., Any]) -> None:
    with pytest.raises(
        PreflightError, match="there is no collection 'peple' in database 'ehr'; did you mean 'people'"
    ):
        look(FakeClient(), collection="peple")
