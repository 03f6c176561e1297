"""Every kind of hazard: found where it is, absent where it is not, and nothing written by looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import bson
import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from oracle import build
from phimask import Finding
from phimask.config.data import shipped_schema
from phimask.config.profile import load_profile
from phimask.errors import UsageError
from phimask.planning import oplog, preflight, privileges, room, server_cache, vault_room
from phimask.planning import planner as planning
from phimask.planning.hazard_kinds import KINDS
from phimask.planning.hazards import Hazard, acceptable, checked_ids
from phimask.planning.namespace import Namespace
from phimask.planning.oplog import Oplog
from phimask.planning.plan import CollectionPlan, Scope
from phimask.planning.planner import plan_collection
from phimask.planning.shadow import shadow_plan
from phimask.plugins.registry import Registry

MAIL = "zebulon@example.com"
NAME = "{path: Name, masker: redact}"
HASHED = "{path: Name, masker: hash}"
GERMAN = {"locale": "de", "strength": 2}

Looked = Callable[..., CollectionPlan]


@pytest.fixture
def looked(
    tmp_path: Path,
    client: MongoClient[dict[str, Any]],
    database: Database[dict[str, Any]],
    registry: Registry,
    written: Any,
    key: Any,
) -> Looked:
    """Plans a collection under some rules; fails where anything in the database was written by that."""

    def call(
        *rules: str,
        collection: str = "people",
        target: str | None = None,
        target_database: str = database.name,
        shadow: str | None = None,
        catch_up: bool = False,
        settings: tuple[str, ...] = (),
        subject: str = "PatientId",
    ) -> CollectionPlan:
        profile = load_profile(
            "parallel", directory=tmp_path, settings=settings, environ={}, components=registry
        )
        source = Namespace(client, database.name, collection)
        before = database.command("dbHash"), client.list_database_names()
        plan = plan_collection(
            written(*(rules or (NAME,)), subject=subject), profile, registry, (key,), source,
            Namespace(client, target_database, target) if target else None, Scope(),
            shadow=shadow_plan(source, shadow, keep=not catch_up, catch_up=catch_up) if shadow else None,
        )  # fmt: skip
        after = database.command("dbHash"), client.list_database_names()
        assert (before[0]["md5"], before[1]) == (after[0]["md5"], after[1])
        return plan

    return call


def ids(plan: CollectionPlan) -> set[str]:
    return {one.id for one in (*plan.hazards, *plan.unmatched)}


def person(number: int, **more: Any) -> dict[str, Any]:
    return {"_id": number, "PatientId": number, "Name": f"n{number}", **more}


@pytest.fixture
def people(database: Database[dict[str, Any]]) -> Any:
    database["people"].insert_many(person(number) for number in range(60))
    return database["people"]


def test_nothing_is_found_where_nothing_is(people: Any, looked: Looked) -> None:
    assert ids(looked()) == set()
    assert ids(looked(target="elsewhere")) == set()


INDEXES: Mapping[str, tuple[str, Any, dict[str, Any]]] = {
    "unique-index": (NAME, "Name", {"unique": True}),
    "unique-index-collation": ("{path: Name, masker: fpe}", "Name", {"unique": True, "collation": GERMAN}),
    "ttl-index": (NAME, "Name", {"expireAfterSeconds": 10**6}),
    "text-index": (NAME, [("Name", "text")], {}),
    "geo-index": (NAME, [("Name", "2d")], {}),
    "partial-index": (NAME, "Other", {"partialFilterExpression": {"Name": {"$gt": "a"}}}),
    "wildcard-index": (NAME, "$**", {}),
    "indexes-on-masked-paths": (NAME, "Name", {}),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_indexes(kind: str, database: Database[dict[str, Any]], looked: Looked) -> None:
    rule, keys, options = INDEXES[kind]
    for collection, paths in (("people", keys), ("others", "Other" if isinstance(keys, str) else keys)):
        database.create_collection(collection)
        database[collection].create_index(paths, **options, name="mine")
    plan = looked(rule)
    assert kind in ids(plan)
    (found,) = (one for one in plan.hazards if one.id == kind)
    assert found.where == f"{database.name}.people"
    if kind != "indexes-on-masked-paths":
        assert (found.index, found.path) == ("mine", "$**" if keys == "$**" else "Name")
    assert kind not in ids(looked("{path: Unlike, masker: redact}", collection="others"))
    # A copy is held against the indexes of what it goes into.
    database.create_collection("bare")
    assert kind in ids(looked(rule, collection="bare", target="people"))
    assert kind not in ids(looked(rule, target="bare"))


def test_a_collation_that_tells_all_texts_apart_is_no_hazard(
    database: Database[dict[str, Any]], looked: Looked
) -> None:
    database["people"].create_index("Name", unique=True, collation={"locale": "de", "strength": 3})
    assert ids(looked("{path: Name, masker: fpe}")) == {"indexes-on-masked-paths"}


KIND_OPTIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "view": ("people", {"viewOn": "others", "pipeline": []}),
    "time-series": ("people", {"timeseries": {"timeField": "At"}}),
    "capped": ("people", {"capped": True, "size": 10_000}),
    "collation": ("people", {"collation": GERMAN}),
    "gridfs-contents": ("kept.chunks", {}),
}


@pytest.mark.parametrize("kind", KIND_OPTIONS)
def test_kinds_of_collections(kind: str, database: Database[dict[str, Any]], looked: Looked) -> None:
    name, options = KIND_OPTIONS[kind]
    database.command("create", name, **options)
    assert kind in ids(looked(collection=name))
    if kind == "gridfs-contents":
        database.create_collection("kept.files")
        assert kind in ids(looked(collection="kept.files"))
        database.create_collection("other.files")  # somebody's own, without chunks
        assert ids(looked(collection="other.files")) == set()
    if kind == "capped":
        assert kind in ids(looked(collection=name, shadow="r"))
        assert kind not in ids(looked(collection=name, target="copy"))


def test_a_collection_of_the_server(database: Database[dict[str, Any]], looked: Looked) -> None:
    database.command("create", "seen", viewOn="people", pipeline=[])
    assert "system-collection" in ids(looked(collection="system.views"))


def test_what_a_sample_shows(people: Any, looked: Looked) -> None:
    people.insert_many(
        [
            {"_id": MAIL, "PatientId": 1, "Name": "x"},
            {"_id": {"mail": MAIL}, "PatientId": 1, "Name": "x"},
            person(100, Other={"Mail": [MAIL]}),
            person(101, Stamp=bson.Timestamp(1, 1), Large=bytes(15_100_000)),
        ]
    )
    people.update_one({"_id": 100}, {"$set": {"Stamp": bson.Timestamp(0, 0)}})
    double = build([(0x10, b"_id", (102).to_bytes(4, "little")), (0x0A, b"a", b""), (0x0A, b"a", b"")])
    people.insert_one(bson.raw_bson.RawBSONDocument(double))
    odd = {"_id": 103, "PatientId": 1, "At": bson.datetime_ms.DatetimeMS(2**60)}
    people.insert_one(odd)
    plan = looked(NAME, "{path: Nme, masker: redact}")
    found = {one.id: one for one in (*plan.hazards, *plan.unmatched)}
    assert set(found) >= {"phi-in-id", "unmapped-phi", "unmatched-rule", "mixed-ids", "large-documents"}
    assert found["unmapped-phi"].path == "Other.Mail"
    assert {one.path for one in plan.hazards if one.id == "phi-in-id"} == {"_id", "_id.mail"}
    assert found["unmatched-rule"].path == "Nme"
    assert "int" in found["mixed-ids"].what
    assert "string" in found["mixed-ids"].what
    assert "empty-timestamps" not in found
    assert "empty-timestamps" in ids(looked(target="copy"))
    assert MAIL not in repr(plan.hazards)
    named = looked(NAME, "{path: Other.Mail, masker: keep}")
    assert "unmapped-phi" not in ids(named)


def test_a_rule_that_a_later_one_makes_useless(people: Any, looked: Looked) -> None:
    (one,) = looked("{path: Nme, masker: redact}", NAME, HASHED).unmatched[1:]
    assert one.path == "Name"
    assert "a later rule of the same path wins (" in one.what
    assert one.what.endswith("$.rules[2]), so take one of the two out")
    some = "{path: Name, masker: hash, when: {PatientId: -1}}"
    assert [one.what for one in looked(NAME, some).unmatched if "wins" in one.what] == []


def test_documents_that_only_the_exact_walk_can_treat(people: Any, looked: Looked) -> None:
    assert "exact-walk" not in ids(looked())
    twice = [(0x02, b"Name", b"\2\0\0\0x\0")] * 2
    document = build([(0x10, b"_id", (1000).to_bytes(4, "little")), *twice])
    people.insert_one(bson.raw_bson.RawBSONDocument(document))
    plan = looked()
    (found,) = plan.hazards
    assert found.id == "exact-walk"
    assert "1 of 61 documents masked on trial" in found.what
    assert "exact-walk" not in ids(looked(target="copy"))
    people.insert_one({"_id": 1001, "At": bson.datetime_ms.DatetimeMS(2**60)})
    assert len([one for one in looked().hazards if one.id == "exact-walk"]) >= 1


VALIDATORS: tuple[tuple[dict[str, Any], dict[str, Any], str, str | None], ...] = (
    ({"Name": {"$regex": "^n"}}, {}, NAME, "validator-refuses"),
    ({"Name": {"$regex": "^n"}}, {}, HASHED, "validator-refuses"),
    ({"Name": {"$type": "string"}}, {}, NAME, "validator"),
    ({"$jsonSchema": {"required": ["Name"], "additionalProperties": True}}, {}, NAME, "validator"),
    (
        {"$jsonSchema": {"properties": {"Name": {"maxLength": 5}}}},
        {},
        "{path: Name, masker: {name: redact, options: {text: longer than five}}}",
        "validator-refuses",
    ),
    ({"$jsonSchema": {"required": ["Name"]}}, {}, "{path: Name, masker: remove}", "validator-refuses"),
    ({"$expr": {"$gt": ["$PatientId", 59]}}, {}, NAME, "validator-refused-already"),
    ({"$expr": {"$gt": ["$PatientId", 59]}}, {"validationLevel": "moderate"}, NAME, "validator"),
    ({"Name": {"$regex": "^n"}}, {"validationAction": "warn"}, NAME, None),
)


@pytest.mark.parametrize(("validator", "options", "rule", "kind"), VALIDATORS)
def test_validators_are_tried_on_masked_samples(
    validator: dict[str, Any],
    options: dict[str, Any],
    rule: str,
    kind: str | None,
    people: Any,
    looked: Looked,
    registry: Registry,
) -> None:
    if "remove" in rule and "remove" not in registry.names("masker"):
        pytest.skip("no masker takes fields away")
    people.database.command("collMod", "people", validator=validator, **options)
    assert ids(looked(rule)) == ({kind} if kind else set())


def test_a_validator_under_a_condition(people: Any, looked: Looked) -> None:
    people.database.command("collMod", "people", validator={"Name": {"$regex": "^n"}})
    assert ids(looked("{path: Name, masker: redact, when: {PatientId: -1}}")) == {"validator"}
    assert "validator-refuses" in ids(looked("{path: Name, masker: redact, when: {PatientId: {$lt: 9}}}"))


def test_the_target_s_validator_is_tried(people: Any, looked: Looked) -> None:
    people.database.create_collection("copy", validator={"Name": {"$regex": "^n"}})
    plan = looked(target="copy")
    (found,) = plan.hazards
    assert (found.id, found.where) == ("validator-refuses", f"{people.database.name}.copy")
    assert "refuses 50 of 50 masked samples" in found.what
    people.database.command("collMod", "copy", validator={"Name": {"$type": "string"}})
    assert ids(looked(target="copy")) == {"validator"}


def test_targets(people: Any, looked: Looked) -> None:
    database = people.database
    assert ids(looked(target="people")) == {"target-is-source"}
    database.command("create", "seen", viewOn="people", pipeline=[])
    assert ids(looked(target="seen")) == {"target-kind"}
    database.create_collection("copy", collation=GERMAN)
    database["copy"].insert_one({})
    assert ids(looked(target="copy")) == {"target-not-empty", "target-collation"}


def test_shadows(people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(looked(shadow="r")) == {"shadow-writers"}
    people.create_index("Other", expireAfterSeconds=10**6)
    assert ids(looked(shadow="r")) == {"shadow-writers", "shadow-ttl"}
    assert ids(looked(shadow="r", catch_up=True)) == {"shadow-closing"}
    assert "shadow-impossible" in ids(looked(shadow="r", settings=("write.journal=false",)))
    people.database.create_collection("people.phimask_original_q")
    assert "shadow-left" in ids(looked(shadow="r"))
    assert "shadow-left" in ids(looked(collection="people.phimask_original_q"))


def test_ways_of_writing(people: Any, looked: Looked) -> None:
    assert "write-path" in ids(looked(HASHED, settings=("write.path=server",)))
    assert "write-path" not in ids(looked(NAME, settings=("write.path=server",)))


def test_many_rules_stand_in_the_servers_way_for_one_reason(people: Any, looked: Looked) -> None:
    many = [f'{{path: "**.Field{number}", masker: redact}}' for number in range(50)]
    plan = looked(*many, HASHED, settings=("write.path=server",))
    told = [one.what for one in plan.hazards if one.id == "write-path"]
    assert len(told) == 2
    assert "by **.Field0, **.Field1, **.Field2 and 47 more: a path with a wildcard" in told[0]
    assert "by Name: MongoDB has no exact expression for the masker hash" in told[1]
    assert len(plan.write_path.unserved) == 51


def test_rules_that_the_server_refuses(people: Any, looked: Looked) -> None:
    plan = looked(
        NAME,
        "{path: Name, masker: keep, when: {PatientId: {$gt: 7}}}",
        "{path: Name, masker: hash, when: {PatientId: {$nonsense: 1}}}",
        "{path: PatientId, masker: hash, when: {$or: 3}}",
    )
    assert ids(plan) == {"rule-query"}
    assert [(one.path, ".rules[2].when: " in one.what) for one in plan.hazards] == [
        ("Name", True),
        ("PatientId", False),
    ]
    assert f"{plan.file.rules[2].origin.file}:{plan.file.rules[2].origin.line}: " in plan.hazards[0].what


def test_where_no_random_sample_can_be_taken(
    people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Iterator[bytes]:
        raise OperationFailure("no", 28799)
        yield b""

    monkeypatch.setattr(planning, "sampled_documents", failing)
    assert ids(looked()) == {"sample"}


def test_maskers_and_validators_that_have_something_to_say(
    people: Any, looked: Looked, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.masker("redact"), "before", lambda self: ["its vault is another's"])
    count = registry.classes("validator")["count"].cls
    monkeypatch.setattr(count, "phases", frozenset({"before", "after"}))
    monkeypatch.setattr(count, "before", lambda self, known: [Finding("odd", "Name", 1)])
    assert ids(looked()) == {"masker", "validator-finding"}


def test_the_server_s_age(people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    real = preflight.server_version
    monkeypatch.setattr(preflight, "server_version", lambda client: (4, 4, 29))
    assert ids(looked()) == {"server-version"}
    version = real(people.database.client)
    monkeypatch.setattr(preflight, "server_version", lambda client: (version[0] + 1, 0, 0))
    assert ids(looked()) == {"feature-compatibility"}


def test_the_server_s_cache(people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = looked()
    assert ids(plan) == set()
    assert (server_cache.cache_bytes(people.database.client) or 0) > 10 * plan.bytes
    monkeypatch.setattr(server_cache, "cache_bytes", lambda client: 1000)
    found = looked()
    assert ids(found) == {"server-cache"}
    (told,) = found.hazards
    assert told.severity == "told"
    assert "the server's cache has 1.0 kB" in told.what
    assert "batch_sizer.options.bytes=1MB" in told.what
    assert ids(looked(settings=("write.guard=none",))) == set()
    assert ids(looked(target="copy")) == set()
    monkeypatch.setattr(server_cache, "cache_bytes", lambda client: None)
    assert ids(looked()) == set()


def test_room(people: Any, looked: Looked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = looked()
    assert plan.room.oplog is not None
    assert plan.room.oplog.bytes > 100_000_000
    assert plan.room.free is not None
    assert plan.room.needed is not None
    assert plan.room.free > plan.room.needed > 0

    with monkeypatch.context() as patch:
        patch.setattr(room, "read_oplog", lambda client: Oplog(1000, 86_400.0))
        found = looked()
        assert ids(found) == {"oplog-window"}
        assert "24.0 h now" in found.hazards[0].what
        patch.setattr(room, "read_oplog", lambda client: Oplog(10**12, 86_400.0))
        assert ids(looked()) == set()
        patch.setattr(room, "read_oplog", lambda client: Oplog(1000, None))
        assert "h now" not in looked().hazards[0].what

    with monkeypatch.context() as patch:
        patch.setattr(room, "free_disk", lambda *_: 10)
        assert ids(looked()) == {"disk"}
        assert ids(looked(target="copy")) == {"disk"}
        patch.setattr(room, "free_disk", lambda *_: None)
        assert ids(looked()) == {"disk-unknown"}

    into_none_yet = looked(target="copy", target_database=f"{people.database.name}_copy")
    assert ids(into_none_yet) == set()
    assert into_none_yet.room.free is not None

    vault = (f"undo.vault={(tmp_path / 'not' / 'yet').as_posix()}",)
    assert ids(looked(settings=vault)) == set()
    assert ids(looked(settings=(f"undo.vault={'a' * 300}",))) <= {
        "vault-unreachable"
    }  # too long a name, or no error
    monkeypatch.setattr(vault_room.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    assert ids(looked(settings=vault)) == {"vault-disk"}
    assert ids(looked()) == set()


def test_an_oplog_that_cannot_be_seen_is_told_where_it_matters(
    people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "read_oplog", lambda client: None)
    assert ids(looked()) == set()  # the smallest that MongoDB makes has room for what is written
    monkeypatch.setattr(oplog, "_SMALLEST", 100)
    monkeypatch.setattr(oplog, "privileges_granted", lambda where: {"find"})
    (found,) = looked().hazards
    assert (found.id, found.severity) == ("oplog-unknown", "told")
    assert "the user may not collStats on local.oplog.rs" in found.what
    assert "{resource: {db: 'local', collection: 'oplog.rs'}, actions: ['collStats']}" in found.what
    people.delete_many({})
    assert "oplog-unknown" not in ids(looked())


class Refusing:
    """A client whose user may do only so much."""

    def __init__(self, client: Any, *refused: str) -> None:
        self._client = client
        self._refused = refused

    def __getitem__(self, name: str) -> Any:
        return _RefusingDatabase(self._client[name], self._refused)

    @property
    def admin(self) -> Any:
        return self["admin"]


class _RefusingDatabase:
    def __init__(self, database: Any, refused: tuple[str, ...]) -> None:
        self._database = database
        self._refused = refused

    def command(self, name: str, *arguments: Any, **more: Any) -> Any:
        if name in self._refused:
            raise OperationFailure("not authorized", 13)
        return self._database.command(name, *arguments, **more)

    def __getitem__(self, name: str) -> Any:
        if "find" in self._refused:
            return SimpleNamespace(find_one=lambda *_, **__: self.command("find"))
        return self._database[name]


def test_what_is_seen_of_an_oplog_by_other_ways(client: Any) -> None:
    whole = oplog.read_oplog(client)
    assert whole is not None
    assert whole.seconds is not None
    by_status = oplog.read_oplog(cast("Any", Refusing(client, "find")))
    assert by_status is not None
    assert (by_status.bytes, by_status.seconds) == (whole.bytes, pytest.approx(whole.seconds, abs=5))
    assert oplog.read_oplog(cast("Any", Refusing(client, "find", "serverStatus"))) == Oplog(whole.bytes, None)
    assert oplog.read_oplog(cast("Any", Refusing(client, "collStats"))) is None


def test_a_cluster_s_oplogs_are_its_shards(
    people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = {"shards": {"rs0": {"size": 300}, "rs1": {"size": 700}}}
    assert oplog.fullest(reply) == ("rs1", 0.7)
    assert oplog.fullest({"count": 3}) == (None, 1.0)
    source = looked().source
    monkeypatch.setattr(oplog, "fullest", lambda statistics: ("rs1", 0.7))
    assert oplog._of_shards(source, source, 1e9) == []
    (found,) = oplog._of_shards(source, source, 2e9)
    assert "a mongos does not show" in found.what
    assert (
        ", 1.4 GB of it on shard 'rs1'; compare with rs.printReplicationInfo() on each shard's primary"
        in found.what
    )


def test_room_for_a_vault_on_a_deployment(
    people: Any, looked: Looked, mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = (f"undo.vault={mongo_uri}",)
    plan = looked(settings=vault)
    assert ids(plan) == set()
    assert plan.room.vault.free is not None
    assert plan.room.vault.needed is not None
    assert plan.room.vault.free > plan.room.vault.needed > 0
    assert plan.room.vault.beside == plan.room.needed  # it is the deployment that is masked

    with monkeypatch.context() as patch:
        patch.setattr(vault_room, "free_disk", lambda *_: plan.room.needed)
        assert ids(found := looked(settings=vault)) == {"vault-disk"}
        assert "for the documents on the same disk" in found.hazards[0].what
        patch.setattr(vault_room, "same_deployment", lambda one, other: False)
        assert looked(settings=vault).room.vault.beside == 0
        patch.setattr(vault_room, "free_disk", lambda *_: None)
        assert ids(looked(settings=vault)) == {"vault-unknown"}
    people.update_many({}, {"$set": {"Name": "n" * 5000}})  # an original is longer than its mask
    needed = looked(settings=vault).room.vault.needed
    assert needed is not None
    assert 60 * 5000 < needed < 2 * 60 * 5000
    monkeypatch.setattr("phimask.store.connect.SELECTION_SECONDS", 0.2)
    found = looked(settings=("undo.vault=mongodb://127.0.0.1:9/",))
    assert ids(found) == {"vault-unreachable"}
    assert "no server answered" in found.hazards[0].what


def test_a_user_who_may_not_do_all_that_is_needed(
    people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        privileges, "privileges_granted", lambda where, of_cluster=False: {"find"} if of_cluster else None
    )
    assert ids(looked()) == {"throttle-blind"}
    assert ids(looked(settings=("throttle.replica_lag=null", "throttle.flow_control=false"))) == set()
    monkeypatch.setattr(privileges, "privileges_granted", lambda where, of_cluster=False: {"find"})
    assert ids(looked()) == {"privileges"}


def test_shard_keys(people: Any, looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    people.update_many({}, {"$set": {"Mail": MAIL}})
    monkeypatch.setattr(preflight, "shard_key", lambda source: ("Mail", "Name"))
    plan = looked()
    assert ids(plan) == {"shard-key", "phi-in-shard-key"}
    assert {one.path for one in plan.hazards} == {"Mail", "Name"}


ELSEWHERE = {
    "standalone": "tests/cli/test_resuming.py",
    "no-transactions": "tests/cli/test_resuming.py",
    "other-run": "tests/cli/test_resume.py",
    "ledger": "tests/cli/test_bad_input.py",
}
"""Hazards of the ledger and of runs, which a plan of a collection alone cannot meet, and where they are tried."""


def test_every_kind_is_tried() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    tried = {kind for kind in KINDS if f'"{kind}"' in here.partition("ELSEWHERE = {")[0]}
    assert tried | set(ELSEWHERE) == set(KINDS)
    for path in ELSEWHERE.values():
        assert (Path(__file__).parents[2] / path).is_file()


def test_the_collection_file_s_schema_knows_what_can_be_accepted() -> None:
    known = shipped_schema("collection")["properties"]["accept"]["items"]["enum"]
    assert list(known) == list(acceptable())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ttl-indx", ("there is no such hazard", "did you mean 'ttl-index'?")),
        ("unique-index", ("nobody can accept it", "use an injective masker")),
        ("mixed-ids", ("nothing waits for it",)),
    ],
)
def test_what_cannot_be_accepted(given: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        checked_ids([given, "ttl-index"])
    assert all(word in str(caught.value) for word in words)
    assert checked_ids(["ttl-index", "ttl-index"]) == {"ttl-index"}


def test_who_may_decide_is_said_and_heeded() -> None:
    told, open_, refused = (Hazard(kind, "W") for kind in ("mixed-ids", "ttl-index", "view"))
    assert [str(one) for one in (told, open_, refused)] == [
        "W",
        "W, or accept it as it is: --accept ttl-index",
        "W",
    ]
    assert [one.stops(()) for one in (told, open_, refused)] == [False, True, True]
    assert [one.stops({"ttl-index", "view"}) for one in (told, open_, refused)] == [False, False, True]
    assert not Hazard("unmatched-rule", "W", demoted=True).stops(())
