"""Documents that end or hang whoever masks them, that are as large, deep, full or broken as can be, and any `_id`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from people import CANARY, compare, frozen, identities, person
from trials import Trial

from oracle import Node, build, parse
from phimask.ledger.opening import Ledger
from phimask.ledger.runs import Runs

DOCUMENTS = 300
LARGEST = 16 * 1024 * 1024
NODES = 1_000_000


@pytest.mark.parametrize(
    "poison", [pytest.param("crash", marks=pytest.mark.strikes(3)), pytest.param("hang")]
)
def test_poisoned_document(poison: str, trial: Trial, chance: random.Random) -> None:
    """They are left out, by their `_id`s; the rest is masked."""
    patience = "4s" if poison == "hang" else "5m"
    options = f"{{workers: 2, backoff: 10ms, restarts: 1000, period: 1s, patience: {patience}}}"
    trial.project.settings["executor"] = f"{{name: local, options: {options}}}"
    bad = chance.sample(range(DOCUMENTS), 3 if poison == "crash" else 1)
    trial.people.insert_many(
        person(chance, number, f"poison-{poison}" if number in bad else "") for number in range(DOCUMENTS)
    )
    trial.freeze()
    run = trial.project.run()
    run.wait()
    for _ in bad:
        trial.strike(poison)
    trial.judge(run, left_out=tuple(bad))
    assert run.report["restarts"] >= len(bad)


@pytest.mark.parametrize(
    "poison", [pytest.param("crash", marks=pytest.mark.strikes(2)), pytest.param("hang")]
)
def test_poisoned_document_that_was_set_aside(poison: str, trial: Trial, chance: random.Random) -> None:
    """Its process is tried twice; then it is listed, and other documents of its size are masked."""
    patience = "4s" if poison == "hang" else "5m"
    trial.project.settings["executor"] = (
        f"{{name: local, options: {{workers: 2, backoff: 10ms, restarts: 3, patience: {patience}}}}}"
    )
    trial.project.settings["memory__oversize"] = "1MB"
    large = chance.sample(range(DOCUMENTS), 5)
    bad = large[: 2 if poison == "crash" else 1]
    for number in range(DOCUMENTS):
        one = person(chance, number, f"poison-{poison}" if number in bad else "")
        trial.people.insert_one({**one, "Name": one["Name"] + "x" * 1_100_000} if number in large else one)
    trial.freeze()
    run = trial.project.run()
    run.wait()
    for _ in bad:
        trial.strike(poison)
    trial.judge(run, left_out=tuple(bad))
    assert run.report["restarts"] == 2 * len(bad)


Shape = Callable[[random.Random, list[Node]], None]
"""Makes of a document what no tool expects."""


def as_large_as_can_be(chance: random.Random, nodes: list[Node]) -> None:
    """Masked values are shorter, so that there is room."""
    _text(nodes, b"Name", CANARY.encode() + bytes([chance.randrange(97, 123)]) * 100)
    _fill_up(nodes)


def too_large_once_masked(chance: random.Random, nodes: list[Node]) -> None:
    """Masked values are longer, and there is no room."""
    _text(nodes, b"Name", CANARY.encode())
    nodes[:] = [one for one in nodes if one[1] != b"Visits"]
    _fill_up(nodes)


def deep(chance: random.Random, nodes: list[Node]) -> None:
    """As deep as servers take it, with something to be masked on each level."""
    inner: list[Node] = []
    for level in range(chance.choice([100, 177])):
        inner = [(0x02, b"Note", _string(b"%s %d" % (CANARY.encode(), level))), (0x03, b"d", inner)]
    nodes.append((0x03, b"Deep", inner))


def full(chance: random.Random, nodes: list[Node]) -> None:
    """A million numbers to be masked in one document."""
    first = chance.randrange(1000)
    values: list[Node] = [
        (0x10, b"%d" % place, (first + place).to_bytes(4, "little")) for place in range(NODES)
    ]
    nodes.append((0x04, b"Numbers", values))


def not_text(chance: random.Random, nodes: list[Node]) -> None:
    """Bytes that are no UTF-8, in what is masked and in what stays."""
    _text(nodes, b"Name", CANARY.encode() + chance.choice([b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"]))
    _text(nodes, b"Ward", b"north\xff")


def keys_twice(chance: random.Random, nodes: list[Node]) -> None:
    """The same keys again, in what is masked and in what stays."""
    for key in (b"Name", b"Ward"):
        nodes.insert(chance.randrange(2, len(nodes)), (0x02, key, _string(CANARY.encode() + b" again")))


def _text(nodes: list[Node], key: bytes, value: bytes) -> None:
    nodes[:] = [(0x02, key, _string(value)) if one[1] == key else one for one in nodes]


def _string(value: bytes) -> bytes:
    return (len(value) + 1).to_bytes(4, "little") + value + b"\0"


def _fill_up(nodes: list[Node]) -> None:
    nodes[:] = [one for one in nodes if one[1] != b"Pad"]
    size = LARGEST - len(build(nodes)) - len(b"\5Pad\0") - 5
    nodes.append((0x05, b"Pad", size.to_bytes(4, "little") + b"\0" + bytes(size)))


SHAPES: dict[str, tuple[list[Shape], list[Shape]]] = {
    "large": ([as_large_as_can_be], [too_large_once_masked]),
    "deep": ([deep], []),
    "full": ([full], []),
    "broken": ([not_text, keys_twice], []),
}
"""By name: those that are masked, and those that cannot be."""


@pytest.mark.parametrize("shape", SHAPES)
def test_shape(shape: str, inside: Trial, chance: random.Random) -> None:
    """What can be masked is, what cannot is left out by its `_id`, and neither costs another document anything."""
    masked, left_out = SHAPES[shape]
    places = chance.sample(range(DOCUMENTS), len(masked) + len(left_out))
    makes = dict(zip(places, [*masked, *left_out], strict=True))
    documents: list[RawBSONDocument] = []
    for number in range(DOCUMENTS):
        raw = bson.encode(person(chance, number))
        if number in makes:
            nodes = parse(raw)
            makes[number](chance, nodes)
            raw = build(nodes)
        documents.append(RawBSONDocument(raw))
    inside.people.insert_many(documents)
    inside.freeze()
    run = inside.project.run()
    run.wait()
    inside.strike(shape)
    inside.judge(run, left_out=tuple(places[len(masked) :]))


COLLATIONS: dict[str, dict[str, Any] | None] = {
    "simple": None,
    "accents and case ignored": {"locale": "en", "strength": 1},
    "numeric": {"locale": "de", "numericOrdering": True, "caseFirst": "upper"},
}


@pytest.mark.parametrize("collation", COLLATIONS)
def test_identities_of_every_type(collation: str, inside: Trial, chance: random.Random) -> None:
    """In ranges that begin and end with any of them; the run is stopped in between, and resumed."""
    order = COLLATIONS[collation]
    if order is not None:
        inside.people.database.create_collection("people", collation=order)
    words = [f"{chance.choice('aAäÄzZ')}{number}" for number in range(60)]  # that differ in any order
    everyone = [*identities(chance, DOCUMENTS), *words, *({"ward": word} for word in words)]
    chance.shuffle(everyone)
    inside.people.insert_many(person(chance, one) for one in everyone)
    inside.freeze()
    run = inside.project.run(pace=0.002)
    seen = chance.randrange(1, DOCUMENTS)
    run.until(lambda: inside.masked() >= seen, "something is masked")
    stop(inside)
    assert run.wait() == 4, run.err
    inside.project.hurry()
    inside.strike("stopped")
    inside.judge(inside.resume())


def test_copied_into_another_order(inside: Trial, chance: random.Random) -> None:
    """Of `_id`s that are one to the target's collation it has one; the others are listed, and none is overwritten."""
    target = inside.people.database.client[f"{inside.project.database}_copy"]
    inside.databases.append(target)
    target.create_collection("people", collation=COLLATIONS["accents and case ignored"])
    words = [f"{word}{number}" for number in range(DOCUMENTS // 3) for word in ("anna", "Anna", "\u00e4NNA")]
    chance.shuffle(words)
    inside.people.insert_many(person(chance, word) for word in words)
    inside.freeze()
    run = inside.project.start("run", "--yes", "--json", *inside.project.set, f"--target-db={target.name}")
    assert run.wait() == 3, run.err
    inside.strike("copied")
    copied = frozen(target["people"])
    assert len(copied) == len(words) // 3
    listed = map(json.loads, run.report["collections"][0]["quarantined_ids"])
    assert sorted(listed) == sorted(word for word in words if bson.encode({"": word}) not in copied)
    masked = {one: raw for one, raw in inside.before.items() if one in copied}
    inside.conclude(compare(masked, copied), run)
    assert frozen(inside.people) == inside.before


def stop(trial: Trial) -> None:
    """As `phimask stop` does."""
    runs = Runs(Ledger(trial.ledger.client, trial.ledger.name, "masking_coordination"))
    runs.order(runs.latest()[0].id, "stop")
