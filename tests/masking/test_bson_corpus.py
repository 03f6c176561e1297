"""Every valid case of the BSON corpus beside a masked field: its bytes stay as they are, however it is written."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from masking_trials import DEEP, NULLIFY, TILDE, Rules, core, told
from oracle import Node, build, expected, parse
from partition_runs import WAYS, Room, Way, store, wanted
from phimask.masking.outcomes import Masked
from phimask.store.raw import identity

pytestmark = pytest.mark.usefixtures("walk")

CORPUS = Path(__file__).resolve().parents[2] / "../shared/testdata/bson_corpus.jsonl"

NAME: Node = (0x02, b"Name", b"\4\0\0\0Ada\0")
MASKED: Node = (0x02, b"Name", b"\5\0\0\0Ada~\0")
RULES: Rules = [(("P", "Name"), TILDE)]


@pytest.fixture(scope="module")
def cases() -> list[bytes]:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    lines = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    found = [bytes.fromhex(one["canonical_bson"]) for one in lines if one["kind"] == "valid"]
    found += [bytes.fromhex(one["degenerate_bson"]) for one in lines if one.get("degenerate_bson")]
    assert len(found) > 728
    return found


@pytest.fixture
def room(client: MongoClient[dict[str, Any]]) -> Iterator[Room]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield Room(client, name)
    client.drop_database(name)


def wrapped(cases: list[bytes], around: Node) -> list[bytes]:
    """Each case as the field `case`, and its fields at the top, before and behind the masked one."""
    documents = []
    for case in cases:
        for nodes in ([(0x03, b"case", parse(case)), around], [*parse(case), around], [around, *parse(case)]):
            number = struct.pack("<i", len(documents))
            documents.append(build([(0x10, b"_id", number), *nodes]))
    return documents


def test_an_update_names_nothing_else(cases: list[bytes]) -> None:
    documents = wrapped(cases, (0x03, b"P", [NAME]))
    whole = 0
    for raw, outcome in zip(documents, core(RULES).mask(documents, "update").outcomes, strict=True):
        if isinstance(outcome, Masked):
            assert parse(outcome.bson) == [(0x03, b"$set", [(0x02, b"P.Name", MASKED[2])])]
        else:
            names = [key for _, key, _ in parse(raw)]
            assert len(set(names)) < len(names)
            whole += 1
    assert whole < 20


def test_whole_documents(cases: list[bytes]) -> None:
    documents = wrapped(cases, (0x03, b"P", [NAME]))
    for raw, outcome in zip(documents, core(RULES).mask(documents, "whole").outcomes, strict=True):
        assert isinstance(outcome, Masked)
        assert outcome.bson == expected(raw, told(RULES))
        assert outside(outcome.bson, MASKED) == outside(raw, NAME)


def test_masked_themselves(cases: list[bytes]) -> None:
    documents = wrapped(cases, NAME)
    for rules in ([((DEEP,), TILDE)], [((DEEP,), NULLIFY)]):
        batch = core(rules).mask(documents, "whole")
        for raw, outcome in zip(documents, batch.outcomes, strict=True):
            assert isinstance(outcome, Masked)
            assert outcome.bson == expected(raw, told(rules))


@pytest.mark.parametrize("whole", [False, True], ids=["projected", "whole"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "walk", ["compiled"], indirect=True
)  # what the other makes of them, the tests above say
def test_on_a_server(cases: list[bytes], room: Room, way: Way, whole: bool) -> None:
    documents = wrapped(cases, (0x03, b"P", [NAME]))
    taken = store(room.source, documents)
    assert taken > 0.95 * len(documents)
    rules = [*RULES, ((DEEP, "no such key"), TILDE)] if whole else RULES
    run = room.run(rules, way=way)
    assert (run.projection is None) == (whole or way == "copy")
    assert run.quarantined == {}
    assert len(run.before) == taken
    assert run.after == wanted(run, rules, way=way)
    assert run.written == taken
    for raw in documents:
        after = run.after.get(identity(raw))
        if after is not None:
            assert outside(after, MASKED) == outside(run.before[identity(raw)], NAME)


def outside(raw: bytes, name: Node) -> list[Node]:
    """All of a document but the masked field, which has to be there once."""
    nodes = parse(raw)
    assert nodes.count((0x03, b"P", [name])) == 1
    return [node for node in nodes if node[1] != b"P"]
