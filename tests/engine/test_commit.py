"""A batch as masked is what the server then has, once and no more often, and each document is counted in one place."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from masking_trials import (
    AS_TEXT,
    DEEP,
    KEEP,
    TILDE,
    Path,
    Rules,
    Tilde,
    Trial,
    batches,
    core,
    told,
)
from oracle import Node, build, expected, parse
from partition_runs import Room, store, stored, wanted
from phimask import Column, DocumentId, DocumentPair, Finding, Totals, Validator
from phimask.engine import commit as committing
from phimask.engine.checking import Checks
from phimask.engine.commit import Batch, Committed, Committer
from phimask.masking.columns import OnError
from phimask.plugins.values import Phase
from phimask.store.raw import identity

stable = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NO_CHECKS = Checks("during", ())
NAME: Node = (0x02, b"Name", b"\4\0\0\0Ada\0")
RULES: Rules = [((DEEP, "Name"), TILDE)]
WAYS = pytest.mark.parametrize("copy", [False, True], ids=["in place", "copy"])


@pytest.fixture(scope="module")
def rooms(client: MongoClient[dict[str, Any]]) -> Iterator[Room]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    yield Room(client, name)
    client.drop_database(name)


@pytest.fixture
def room(rooms: Room) -> Room:
    rooms.source.drop()
    rooms.target.drop()
    return rooms


def plain(number: int, **fields: Any) -> bytes:
    return bson.encode({"_id": number, **fields})


def odd(number: int, *nodes: Node) -> bytes:
    return build([(0x10, b"_id", number.to_bytes(4, "little")), *nodes])


def of(*numbers: int) -> list[DocumentId]:
    return [identity(plain(number)) for number in numbers]


def committer(
    room: Room,
    rules: Rules = RULES,
    *,
    copy: bool,
    on_error: OnError = "redact",
    checks: Checks = NO_CHECKS,
    sample: int = 0,
) -> Committer:
    return Committer(
        room.source, room.target if copy else None, core(rules, on_error=on_error), checks, sample
    )


def prepared(made: Committer, documents: list[bytes]) -> Batch:
    return made.prepare(list(documents), whole=True, seconds=0.0)


def counts(done: Committed) -> tuple[int, int, int, int]:
    """Written, unchanged, missing, quarantined."""
    return done.written, done.unchanged, done.missing, len(done.quarantined)


Examples = tuple[list[bytes], list[tuple[Path, Trial]]]


@WAYS
@stable
@given(batches(odd=True, most=8))
def test_any_documents_are_as_the_oracle_has_them(rooms: Room, copy: bool, batch: Examples) -> None:
    documents, rules = batch
    rooms.clear()
    fields = [[node for node in parse(raw) if node[1] != b"_id"] for raw in documents]
    store(rooms.source, [odd(number, *nodes) for number, nodes in enumerate(fields)])
    run = rooms.run(rules, copy=copy)
    for found, reason in run.quarantined.items():
        nodes = parse(run.before[found])
        # The server refuses to replace what has a $ key at its top, and fills in an empty timestamp there.
        dollar = any(key.startswith(b"$") for _, key, _ in nodes)
        empty = any(value == bytes(8) for kind, _, value in nodes if kind == 0x11)
        assert (dollar and "code 52" in reason and not copy) or (empty and "empty timestamp" in reason)
    assert run.after == wanted(run, rules, copy=copy)
    assert run.written + run.unchanged + len(run.quarantined) == len(run.before)


@WAYS
def test_each_document_is_counted_in_one_place(room: Room, copy: bool) -> None:
    documents = [
        plain(1, Name="Ada"),
        plain(2, Other="x"),
        plain(3, Name=b"no text"),
        odd(4, NAME, NAME),
        plain(5, Name="Bea"),
        odd(6, (0x10, b"x", bytes(4)), (0x10, b"x", bytes(4))),
        plain(7, Name="x" * 10),
    ]
    store(room.source, documents)
    made = committer(room, copy=copy, on_error="quarantine")
    batch = prepared(made, documents)
    if not copy:
        room.source.delete_many({"_id": {"$in": [5]}})
    done = made.commit(batch)
    assert list(done.quarantined) == of(3)
    assert done.quarantined[of(3)[0]] == "a value at **.Name could not be masked"
    # In place, a key that stands twice has the document read again, though nothing in it is to be masked.
    assert counts(done) == ((4, 2, 0, 1) if copy else (4, 1, 1, 1))
    totals = done.totals()
    assert totals.read == 7 == totals.written + totals.unchanged + totals.missing + totals.quarantined


@WAYS
def test_a_quarantined_document_is_left_as_it_is_or_out(room: Room, copy: bool) -> None:
    documents = [plain(1, Name="Ada", Age=5), plain(2, Name=7), odd(3, NAME, (0x10, b"Name", bytes(4)))]
    store(room.source, documents)
    run = room.run(RULES, copy=copy, on_error="quarantine")
    assert set(run.quarantined) == set(of(2, 3))
    assert run.after == wanted(run, RULES, copy=copy)


@WAYS
def test_growth_past_what_a_document_may_hold(room: Room, copy: bool) -> None:
    documents = [
        plain(1, Name="Ada"),
        plain(2, Name="x", big="x" * (16 * 1024 * 1024 - 40)),
        plain(3, Name="Bea"),
    ]
    rules: Rules = [(("Name",), Trial(Lengthening, TILDE.mask))]
    store(room.source, documents)
    done = committer(room, rules, copy=copy).commit(prepared(committer(room, rules, copy=copy), documents))
    assert list(done.quarantined) == of(2)
    assert counts(done) == (2, 0, 0, 1)
    after = stored(room.target if copy else room.source)
    assert after.get(of(2)[0]) == (None if copy else documents[1])


class Lengthening(Tilde):
    """Makes strings a hundred letters longer."""

    def mask(self, column: Column) -> list[Any]:
        return [value + "~" * 100 for value in column.values]


@WAYS
def test_a_batch_committed_again_masks_nothing_twice(room: Room, copy: bool) -> None:
    documents = [
        plain(1, Name="Ada"),
        plain(2, x=1),
        odd(3, NAME, NAME),
        odd(4, (0x02, b"a.b", NAME[2]), NAME),
    ]
    rules: Rules = [((DEEP,), TILDE)]
    store(room.source, documents)
    made = committer(room, rules, copy=copy)
    batch = prepared(made, documents)
    first, second, third = (made.commit(batch) for _ in range(3))
    assert counts(first) == counts(second) == counts(third) == (4, 0, 0, 0)
    after = stored(room.target if copy else room.source)
    assert after == {identity(raw): expected(raw, told(rules)) for raw in documents}


def test_a_bulk_that_fails_after_whole_documents_were_replaced(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [odd(1, NAME, NAME), plain(2, Name="Ada"), odd(3, NAME, NAME)]
    store(room.source, documents)
    made = committer(room, copy=False)
    batch = prepared(made, documents)

    def cut_off(*arguments: Any) -> Any:
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(committing, "update", cut_off)
        with pytest.raises(AutoReconnect):
            made.commit(batch)
    assert counts(made.commit(batch)) == (3, 0, 0, 0)
    assert stored(room.source) == {identity(raw): expected(raw, told(RULES)) for raw in documents}


def test_what_the_target_refuses_is_quarantined_changed_or_not(room: Room) -> None:
    room.target.create_index("Code", unique=True)
    documents = [
        plain(1, Code=1, Name="Ada"),
        plain(2, Code=1, Other="x"),
        plain(3, Code=2, Other="x"),
        plain(4, Code=2, Name="Bea"),
    ]
    store(room.source, documents)
    done = committer(room, copy=True).commit(prepared(committer(room, copy=True), documents))
    assert done.written + done.unchanged == 2
    assert len(done.quarantined) == 2
    after = stored(room.target)
    names = [bson.decode(raw) for raw in after.values()]
    assert done.written == sum("Name" in one for one in names)
    assert done.unchanged == sum("Name" not in one for one in names)


def test_in_place_the_rest_of_a_document_is_whoever_changed_its(room: Room) -> None:
    documents = [plain(1, Name="Ada", Other="old")]
    store(room.source, documents)
    made = committer(room, copy=False)
    batch = prepared(made, documents)
    room.source.update_one({"_id": 1}, {"$set": {"Other": "new", "More": 1}})
    made.commit(batch)
    assert stored(room.source) == {of(1)[0]: plain(1, Name="Ada~", Other="new", More=1)}


def test_deleted_documents_stay_deleted(room: Room) -> None:
    documents = [plain(1, Name="Ada"), odd(2, NAME, NAME), plain(3, x=1)]
    store(room.source, documents)
    made = committer(room, copy=False)
    batch = prepared(made, documents)
    room.source.delete_many({})
    done = made.commit(batch)
    assert counts(done) == (0, 1, 2, 0)
    assert stored(room.source) == {}


class Witness(Validator):
    """Remembers what it is shown."""

    name = "witness"
    phases: ClassVar[frozenset[Phase]] = frozenset({"during"})

    def __init__(self) -> None:
        super().__init__({})
        self.pairs: list[DocumentPair] = []
        self.sums: list[Totals] = []

    def document(self, pair: DocumentPair) -> Iterable[Finding]:
        self.pairs.append(pair)
        return ()

    def totals(self, totals: Totals) -> Iterable[Finding]:
        self.sums.append(totals)
        return ()


@WAYS
@pytest.mark.parametrize("sample", [0, 2, 100])
def test_a_sample_is_checked_whole_before_and_after(room: Room, copy: bool, sample: int) -> None:
    documents = [plain(number, Name="Ada", Other="x" * number) for number in range(5)]
    documents += [odd(7, NAME, NAME), plain(8, Other=1), plain(9, Name=1)]
    store(room.source, documents)
    witness = Witness()
    made = committer(
        room, copy=copy, checks=Checks("during", [witness]), sample=sample, on_error="quarantine"
    )
    projected = documents if copy else [cut(raw) for raw in documents]
    done = made.commit(made.prepare(projected, whole=copy, seconds=0.0))
    assert done.totals() == witness.sums[0]
    originals = {raw: expected(raw, told(RULES)) for raw in documents[:-1]}
    shown = {pair.before: pair.after for pair in witness.pairs}
    assert shown.items() <= originals.items()
    assert len(shown) in {0: {0}, 2: {1, 2}, 100: {7}}[sample]  # the quarantined one is not shown


def cut(raw: bytes) -> bytes:
    """What a projection of the name leaves of a document."""
    return build([node for node in parse(raw) if node[1] in (b"_id", b"Name")])


def test_what_is_checked_is_what_was_masked(room: Room) -> None:
    store(room.source, [plain(1, Name="Bea", Other="new")])
    witness = Witness()
    made = committer(room, copy=False, checks=Checks("during", [witness]), sample=1)
    done = made.commit(made.prepare([plain(1, Name="Ada")], whole=False, seconds=0.0))
    assert counts(done) == (1, 0, 0, 0)
    (pair,) = witness.pairs
    assert pair == DocumentPair(plain(1, Name="Bea", Other="new"), plain(1, Name="Bea~", Other="new"))


def test_a_sampled_document_that_is_gone_is_no_finding(room: Room) -> None:
    documents = [plain(1, Name="Ada"), plain(2, Name="Bea")]
    store(room.source, documents)
    witness = Witness()
    made = committer(room, copy=False, checks=Checks("during", [witness]), sample=2)
    batch = prepared(made, documents)
    room.source.delete_one({"_id": 1})
    done = made.commit(batch)
    assert counts(done) == (1, 0, 1, 0)
    assert [pair.before for pair in witness.pairs] == [documents[1]]


def test_bytes_and_seconds_are_those_of_the_batch(room: Room) -> None:
    documents = [plain(1, Name="Ada"), plain(2, Name="Bea")]
    store(room.source, documents)
    made = committer(room, copy=False)
    batch = made.prepare(documents, whole=True, seconds=100.0)
    assert batch.bytes == sum(map(len, documents))
    assert batch.seconds > 100
    assert made.commit(batch).seconds > batch.seconds


def test_no_value_is_shown(room: Room) -> None:
    documents = [plain(1, Name="Quillfeather"), odd(2, NAME, NAME)]
    store(room.source, documents)
    made = committer(room, [(("Name",), AS_TEXT), (("x",), KEEP)], copy=False)
    batch = prepared(made, documents)
    done = made.commit(batch)
    for shown in (batch, done, done.totals(), batch.masked):
        assert "Quillfeather" not in repr(shown)
        assert "Ada" not in repr(shown)
