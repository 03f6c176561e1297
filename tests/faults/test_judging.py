"""What judges a trial must be able to fail it: each planted fault is seen, and called what it is."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bson
import pytest
from canaries import in_database, in_files
from faulty import AddOne, DayLater, Stamp
from people import CANARY, compare, digest, fill, frozen, masked, person
from pymongo.database import Database

from phimask import Column, Masker


@pytest.fixture
def before() -> dict[bytes, bytes]:
    chance = random.Random(1)
    return {bson.encode({"": number}): bson.encode(person(chance, number)) for number in range(50)}


@pytest.fixture
def after(before: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {one: masked(raw) for one, raw in before.items()}


def edit(raw: bytes, **fields: Any) -> bytes:
    return bson.encode({**bson.decode(raw), **fields})


FAULTS: dict[str, Callable[[dict[bytes, bytes], dict[bytes, bytes], bytes], Any]] = {
    "lost": lambda before, after, one: after.pop(one),
    "unmasked": lambda before, after, one: after.update({one: before[one]}),
    "double": lambda before, after, one: after.update({one: masked(after[one])}),
    "wrong": lambda before, after, one: after.update({one: edit(after[one], Ward="east")}),
    "strange": lambda before, after, one: after.update({bson.encode({"": 99}): after[one]}),
}


def test_a_collection_masked_once_has_no_fault(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    assert compare(before, after).faults == {}
    assert digest(after) == digest(dict(reversed(after.items()))) != digest(before)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_seen(name: str, before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    FAULTS[name](before, after, bson.encode({"": 7}))
    assert compare(before, after).faults == {name: 1}


def test_one_field_masked_twice_is_no_document_masked_once(
    before: dict[bytes, bytes], after: dict[bytes, bytes]
) -> None:
    one = bson.encode({"": 7})
    after[one] = edit(after[one], Count=2)
    assert compare(before, after).faults == {"wrong": 1}


def test_a_document_left_out_must_be_as_it_was(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    assert compare(before, after, left_out=[7]).faults == {"wrong": 1}
    one = bson.encode({"": 7})
    after[one] = before[one]
    assert compare(before, after, left_out=[7]).faults == {}


def test_the_plugin_file_does_what_the_oracle_expects(database: Database[dict[str, Any]]) -> None:
    fill(database["people"], random.Random(2), 30)
    before = frozen(database["people"])

    def through(masker: type[Masker], value: Any) -> Any:
        (answer,) = masker({}).mask(Column("x", [value], []))
        return answer

    for one in database["people"].find():
        fields = {"Name": through(Stamp, one["Name"]), "Count": through(AddOne, one["Count"])}
        if "Born" in one:
            fields["Born"] = through(DayLater, one["Born"])
        for at, visit in enumerate(one["Visits"] or ()):
            fields[f"Visits.{at}.Date"] = through(DayLater, visit["Date"])
            fields[f"Visits.{at}.Note"] = through(Stamp, visit["Note"])
        database["people"].update_one({"_id": one["_id"]}, {"$set": fields})
    after = frozen(database["people"])
    assert compare(before, after).faults == {}
    assert not any(CANARY.encode() in raw for raw in after.values())
    assert all(CANARY.encode() in raw for raw in before.values())


@pytest.mark.parametrize(
    "leak",
    [
        f"Name: {CANARY}12".encode(),
        f"Name: {CANARY}12".encode("utf-16-le"),
        CANARY.encode().hex().encode(),
        *(base64.b64encode(bytes(offset) + f"{CANARY} 12".encode()) for offset in range(5)),
    ],
)
def test_a_canary_is_found_in_whatever_form(leak: bytes, tmp_path: Path, database: Database[Any]) -> None:
    assert list(in_files(tmp_path, CANARY)) == []
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(b"something " + leak + b" else")
    (tmp_path / "b.log").write_text(f"something {CANARY[:-1]} else")
    assert list(in_files(tmp_path, CANARY)) == [str(Path("logs", "a.log"))]
    database["runs"].insert_one({"note": "nothing"})
    assert list(in_database(database, CANARY)) == []
    database["intents"].insert_one({"deep": [{"value": leak}]})
    assert list(in_database(database, CANARY)) == [f"{database.name}.intents"]
