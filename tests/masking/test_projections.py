"""What the pre-scan leaves out of what is read is never anything that a rule masks, whatever the keys are called."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from pymongo import MongoClient

from effort import examples
from masking_trials import TILDE, Path, Rules, Trial, batches
from oracle import build, parse
from partition_runs import Room, store, wanted

pytestmark = pytest.mark.usefixtures("walk")

LONG = "x" * 20_000


@pytest.fixture(scope="module")
def room(client: MongoClient[dict[str, Any]]) -> Iterator[Room]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield Room(client, name)
    client.drop_database(name)


RULES: Rules = [(("Patient", "Name"), TILDE), (("Patient", "Bio"), TILDE)]


@pytest.mark.parametrize(
    "odd",
    [
        {"Patient.Bio": LONG},
        {"Patient": {"Name": "Bea", "a.b": LONG}},
        {"Patient": {"Name": "Bea", "": LONG}},
        {"Patient": {"Name": "Bea", "x": {"": LONG}}},
        {"Patient": {"Name": "Bea", "x": {".": LONG}}},
        {"Patient": {"Name": "Bea", "x": LONG, "x.": LONG}},
        {"Patient": {"Name": "Bea", "$x": LONG, "x$": LONG}},
        {"Patient": {"Name": "Bea", "0": LONG, "1": {"y": LONG}}},
        {"Patient": [{"Name": "Bea", "x": LONG}, {"Name": "Cy", "x": {"y": LONG}}]},
        {"Patient": {"Name": "Bea", "x": {"y": LONG}, "x.y": LONG}},
        {"": LONG, "Patient": {"Name": "Bea", "x": LONG}},
        {".": LONG, "Patient": {"Name": "Bea", "x": LONG}},
        {"$x": LONG, "Patient": {"Name": "Bea", "x": LONG}},
    ],
    ids=lambda odd: (
        ",".join(odd) + ":" + ",".join(odd["Patient"]) if isinstance(odd.get("Patient"), dict) else ""
    ),
)
def test_by_excluding_bulk(room: Room, odd: dict[str, Any]) -> None:
    room.clear()
    usual = {"Patient": {"Name": "Ada", "Bio": "was ill", "x": 1}}
    documents = [bson.encode({"_id": 1, **odd}), bson.encode({"_id": 2, **usual})]
    assert store(room.source, documents) == 2
    run = room.run(RULES, way="transaction")
    assert run.quarantined == {}
    assert run.after == wanted(run, RULES, way="transaction")


def test_the_subject_is_read(room: Room) -> None:
    room.clear()
    document = {"_id": 1, "Who": {"Id": "7", "x": LONG}, "Patient": {"Name": "Ada", "y": LONG}}
    store(room.source, [bson.encode(document)])
    run = room.run(RULES, way="transaction", subject=("Who", "Id"))
    assert run.projection == {"Patient.y": 0}


Batch = tuple[list[bytes], list[tuple[Path, Trial]]]


@settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches(odd=True, most=8))
def test_any_documents_by_any_projection(room: Room, batch: Batch) -> None:
    documents, rules = batch
    room.clear()
    fields = [[node for node in parse(raw) if node[1] != b"_id"] for raw in documents]
    store(
        room.source,
        [
            build([(0x10, b"_id", number.to_bytes(4, "little")), *nodes, (0x02, b"bulk", b"\2\0\0\0x\0")])
            for number, nodes in enumerate(fields)
        ],
    )
    run = room.run(rules, way="transaction")
    for found, reason in run.quarantined.items():
        # What no update can name is replaced, which the server refuses where a key at the top begins with $.
        dollar = any(key.startswith(b"$") for _, key, _ in parse(run.before[found]))
        assert reason == "the server refused the write (code 52)" if dollar else "timestamp" in reason
    assert run.after == wanted(run, rules, way="transaction")
