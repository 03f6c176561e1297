"""A batch as masked is what the server then has, once and no more often, and each document is counted in one place."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect

from effort import examples
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
    told,
)
from oracle import Node, build, expected, parse
from partition_runs import EVERYTHING, WAYS, Room, Way, store, stored, wanted
from phimask import BatchBudget, Column, DocumentId, DocumentPair, Finding, Totals, Validator
from phimask.engine import commit as committing
from phimask.engine import transactions
from phimask.engine.batches import Batch
from phimask.engine.checking import Checks
from phimask.engine.commit import Committed, Committer
from phimask.engine.deadline import Deadline
from phimask.engine.journal import Applied
from phimask.errors import SafeStop
from phimask.ledger.identities import packed
from phimask.ledger.leases import LeaseLost
from phimask.ledger.quarantine import Quarantine
from phimask.plugins.values import Phase
from phimask.store.raw import identity
from phimask.store.reading import BatchReader

stable = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=examples(25),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
HUNDRED = BatchBudget(100, 1 << 26)
NAME: Node = (0x02, b"Name", b"\4\0\0\0Ada\0")
RULES: Rules = [((DEEP, "Name"), TILDE)]
EACH_WAY = pytest.mark.parametrize("way", WAYS)
IN_PLACE = pytest.mark.parametrize("way", ["plain", "transaction"])


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


def committer(room: Room, rules: Rules = RULES, *, way: Way, **settings: Any) -> Committer:
    return room.committer(rules, way, **settings)


def prepared(room: Room, made: Committer, documents: list[bytes]) -> Batch:
    batch = room.read(made, BatchReader(room.source, EVERYTHING, None, None), HUNDRED, whole=True)
    assert batch is not None
    assert len(batch.identities) == len(documents)
    return batch


def counts(done: Committed) -> tuple[int, int, int, int]:
    """Written, unchanged, missing, quarantined."""
    tally = done.tally
    return tally.masked, tally.unchanged, tally.missing, tally.quarantined


Examples = tuple[list[bytes], list[tuple[Path, Trial]]]


@EACH_WAY
@stable
@given(batches(odd=True, most=8))
def test_any_documents_are_as_the_oracle_has_them(rooms: Room, way: Way, batch: Examples) -> None:
    documents, rules = batch
    rooms.clear()
    fields = [[node for node in parse(raw) if node[1] != b"_id"] for raw in documents]
    store(rooms.source, [odd(number, *nodes) for number, nodes in enumerate(fields)])
    run = rooms.run(rules, way=way)
    for found, reason in run.quarantined.items():
        nodes = parse(run.before[found])
        # The server refuses to replace what has a $ key at its top, and fills in an empty timestamp there.
        dollar = any(key.startswith(b"$") for _, key, _ in nodes)
        empty = any(value == bytes(8) for kind, _, value in nodes if kind == 0x11)
        assert (dollar and "code 52" in reason and way != "copy") or (empty and "empty timestamp" in reason)
    assert run.after == wanted(run, rules, way=way)
    assert run.written + run.unchanged + len(run.quarantined) == len(run.before)


@EACH_WAY
def test_each_document_is_counted_in_one_place(room: Room, way: Way) -> None:
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
    made = committer(room, way=way, on_error="quarantine")
    journal = room.journal(way)
    batch = prepared(room, made, documents)
    if way != "copy":
        room.source.delete_many({"_id": {"$in": [5]}})
    done = made.commit(batch, journal)
    assert list(done.quarantined) == of(3)
    assert done.quarantined[of(3)[0]] == "a value at **.Name could not be masked"
    # What was deleted is missing where it was read before, and was never there where it is read again.
    assert counts(done) == {"copy": (4, 2, 0, 1), "plain": (3, 2, 1, 1), "transaction": (3, 2, 0, 1)}[way]
    assert done.tally.read == sum(counts(done))


@EACH_WAY
def test_a_quarantined_document_is_left_as_it_is_or_out(room: Room, way: Way) -> None:
    documents = [plain(1, Name="Ada", Age=5), plain(2, Name=7), odd(3, NAME, (0x10, b"Name", bytes(4)))]
    store(room.source, documents)
    run = room.run(RULES, way=way, on_error="quarantine")
    assert set(run.quarantined) == set(of(2, 3))
    assert run.after == wanted(run, RULES, way=way)


@EACH_WAY
def test_growth_past_what_a_document_may_hold(room: Room, way: Way) -> None:
    documents = [
        plain(1, Name="Ada"),
        plain(2, Name="x", big="x" * (16 * 1024 * 1024 - 40)),
        plain(3, Name="Bea"),
    ]
    rules: Rules = [(("Name",), Trial(Lengthening, TILDE.mask))]
    store(room.source, documents)
    run = room.run(rules, way=way)
    assert list(run.quarantined) == of(2)
    assert (run.written, run.unchanged) == (2, 0)
    assert run.after.get(of(2)[0]) == (None if way == "copy" else documents[1])


class Lengthening(Tilde):
    """Makes strings a hundred letters longer."""

    def mask(self, column: Column) -> list[Any]:
        return [value + "~" * 100 for value in column.values]


@EACH_WAY
def test_a_batch_committed_again_masks_nothing_twice(room: Room, way: Way) -> None:
    """Each attempt finds the journal open at this batch: its announcement was the last thing that was heard of it."""
    documents = [
        plain(1, Name="Ada"),
        plain(2, x=1),
        odd(3, NAME, NAME),
        odd(4, (0x02, b"a.b", NAME[2]), NAME),
    ]
    rules: Rules = [((DEEP,), TILDE)]
    store(room.source, documents)
    made = committer(room, rules, way=way)
    journal = room.journal(way)
    batch = prepared(room, made, documents)
    first = made.commit(batch, journal)
    for _ in range(2):
        journal.lease.batch -= 1
        batch.closed = False
        assert counts(made.commit(batch, journal)) == counts(first) == (4, 0, 0, 0)
    after = stored(room.target if way == "copy" else room.source)
    assert after == {identity(raw): expected(raw, told(rules)) for raw in documents}


@IN_PLACE
def test_a_bulk_that_fails_half_way(room: Room, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [odd(1, NAME, NAME), plain(2, Name="Ada"), odd(3, NAME, NAME)]
    store(room.source, documents)
    made = committer(room, way=way)
    journal = room.journal(way)
    batch = prepared(room, made, documents)

    def cut_off(*arguments: Any) -> Any:
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(committing, "replace_unchanged", cut_off)
        patch.setattr(transactions, "replace", cut_off)
        with pytest.raises(AutoReconnect):
            made.commit(batch, journal)
    half = stored(room.source)
    assert half[of(2)[0]] == (documents[1] if way == "transaction" else plain(2, Name="Ada~"))
    assert counts(made.commit(batch, journal)) == (3, 0, 0, 0)
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
    run = room.run(RULES, way="copy")
    assert run.written + run.unchanged == 2
    assert len(run.quarantined) == 2
    names = [bson.decode(raw) for raw in run.after.values()]
    assert run.written == sum("Name" in one for one in names)
    assert run.unchanged == sum("Name" not in one for one in names)


CUT = pytest.mark.parametrize("way", ["transaction", "copy"])


class AfterSlices(Deadline):
    """Passes after so many slices."""

    def __init__(self, slices: int) -> None:
        super().__init__(1.0)
        self._slices = slices - 1  # nobody asks after the first

    def cuts(self, taken: float, left: float) -> bool:
        self._slices -= 1
        return super().cuts(taken + (0 if self._slices else 1), left)


def quarantined(room: Room) -> list[DocumentId]:
    return [
        found for found, _ in Quarantine(room.ledger, f"run-{room._runs}", "source").listed(HUNDRED.documents)
    ]


def large(number: int, **fields: Any) -> bytes:
    """Of the size of a slice, so that each is one."""
    return plain(number, **fields, Pad="x" * 300_000)


@CUT
@pytest.mark.parametrize("slices", [2, 3, 4])
def test_a_batch_that_is_cut_is_as_if_it_had_been_shorter(room: Room, way: Way, slices: int) -> None:
    documents = [
        large(1, Name="Ada"),
        large(2, Name=7),
        large(3, x=1),
        large(4, Name=8),
        large(5, Name="Eve"),
    ]
    store(room.source, documents)
    witness = Witness()
    made = committer(room, way=way, on_error="quarantine", sample=5, checks=Checks("during", [witness]))
    journal = room.journal(way)
    batch = prepared(room, made, documents)
    assert [one.identities for one in batch.slices] == [[found] for found in of(1, 2, 3, 4, 5)]
    batch.deadline = AfterSlices(slices)
    done = made.commit(batch, journal)
    assert done.upto == journal.lease.watermark == of(slices)[0]
    assert done.left > 0
    assert counts(done) == ((1, 0, 0, 1), (1, 1, 0, 1), (1, 1, 0, 2))[slices - 2]
    assert (done.tally.read, done.tally.bytes) == (slices, sum(map(len, documents[:slices])))
    assert done.tally.rules[0][0] == 1
    assert set(quarantined(room)) == {*of(2), *of(4)[: slices > 3]}
    assert [pair.before for pair in witness.pairs] == [
        raw for number, raw in enumerate(documents[:slices], 1) if number not in {2, 4}
    ]
    assert [totals.read for totals in witness.sums] == [slices]
    rest = room.read(
        made,
        BatchReader(room.source, journal.lease.partition, None, None),
        HUNDRED,
        whole=True,
    )
    assert rest is not None
    more = made.commit(rest, journal)
    assert more.upto is None
    assert more.left == 0
    tally = journal.lease.tally
    assert (tally.read, tally.masked, tally.unchanged, tally.quarantined) == (5, 2, 1, 2)
    assert sorted(found.value for found in quarantined(room)) == sorted(found.value for found in of(2, 4))
    left_out = {} if way == "copy" else {identity(raw): raw for raw in (documents[1], documents[3])}
    masked = {identity(raw): expected(raw, told(RULES)) for raw in (documents[0], documents[2], documents[4])}
    assert stored(room.target if way == "copy" else room.source) == {**masked, **left_out}


def test_a_cut_is_in_the_ledger_before_the_transaction_is_committed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [large(number, Name="Ada") for number in range(1, 5)]
    store(room.source, documents)
    made = committer(room, way="transaction")
    journal = room.journal("transaction")
    batch = prepared(room, made, documents)
    batch.deadline = AfterSlices(2)
    mark = Applied.mark
    intents: list[Any] = []

    def look(self: Applied, *arguments: Any) -> None:
        (partition,) = room.ledger.partitions.find({"_id.run": f"run-{room._runs}"})
        intents.append((partition["intent"]["batch"], partition["intent"]["upto"]))
        assert stored(room.source) == {identity(raw): raw for raw in documents}
        mark(self, *arguments)

    monkeypatch.setattr(Applied, "mark", look)
    made.commit(batch, journal)
    assert intents == [(1, bytes(packed(of(2)[0]) or b""))]


@IN_PLACE
def test_what_the_server_refuses_in_place_is_quarantined_and_the_rest_is_masked(room: Room, way: Way) -> None:
    room.source.create_index("Name", unique=True)
    documents = [
        plain(number, Name=name) for number, name in enumerate(["Ada", "Bea", "Bea~", "Cyd", "Cyd~"])
    ]
    documents.append(plain(9, Name="Dee"))
    store(room.source, documents)
    run = room.run(RULES, way=way)
    # In order, the first of each pair would take the name that the second has still.
    assert run.written + len(run.quarantined) == len(documents)
    assert all("code 11000" in reason for reason in run.quarantined.values())
    assert run.after == wanted(run, RULES, way=way)
    room.source.drop()


def test_in_place_the_rest_of_a_document_is_whoever_changed_its(room: Room) -> None:
    documents = [plain(1, Name="Ada", Other="old")]
    store(room.source, documents)
    made = committer(room, way="plain")
    journal = room.journal("plain")
    batch = prepared(room, made, documents)
    room.source.update_one({"_id": 1}, {"$set": {"Other": "new", "More": 1}})
    made.commit(batch, journal)
    assert stored(room.source) == {of(1)[0]: plain(1, Name="Ada~", Other="new", More=1)}


def test_a_transaction_takes_in_what_others_did_since_it_read(room: Room) -> None:
    documents = [
        plain(1, Name="Ada", Other="old"),
        plain(2, Name="Bea"),
        odd(3, NAME, NAME),
        plain(5, Name="Eve"),
    ]
    store(room.source, documents)
    made = committer(room, way="transaction")
    journal = room.journal("transaction")
    batch = prepared(room, made, documents)
    room.source.update_one({"_id": 1}, {"$set": {"Other": "new", "More": 1}})
    room.source.replace_one({"_id": 2}, {"_id": 2, "Name": "Zoe"})
    room.source.delete_one({"_id": 3})
    room.source.insert_one({"_id": 4, "Name": "Ida"})
    done = made.commit(batch, journal)
    assert stored(room.source) == {
        identity(raw): raw
        for raw in (
            plain(1, Name="Ada~", Other="new", More=1),
            plain(2, Name="Zoe~"),
            plain(4, Name="Ida~"),
            plain(5, Name="Eve~"),
        )
    }
    assert counts(done) == (4, 0, 0, 0)


@IN_PLACE
def test_deleted_documents_stay_deleted(room: Room, way: Way) -> None:
    documents = [plain(1, Name="Ada"), odd(2, NAME, NAME), plain(3, x=1)]
    store(room.source, documents)
    made = committer(room, way=way)
    batch = prepared(room, made, documents)
    room.source.delete_many({})
    journal = room.journal(way)
    done = made.commit(batch, journal)
    assert counts(done) == ((0, 1, 2, 0) if way == "plain" else (0, 0, 0, 0))
    assert stored(room.source) == {}
    assert journal.lease.watermark == of(3)[0]


def test_a_part_that_is_done_is_counted_once_though_the_rest_is_not_answered(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [plain(number, Name=f"N{number}" if number != 1 else 7) for number in range(6)]
    store(room.source, documents)
    made = committer(room, way="transaction", on_error="quarantine")
    assert isinstance(made, transactions.TransactionCommitter)
    journal = room.journal("transaction")
    batch = prepared(room, made, documents)
    part = room.read(
        made, BatchReader(room.source, EVERYTHING, None, None), BatchBudget(3, 1 << 26), whole=True
    )
    assert part is not None
    made.drop(batch)  # its transaction would keep the database from being dropped
    made._work = batch, transactions._Work(part, batch.upto)

    def cut_off() -> Any:
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as patch:
        patch.setattr(made, "begin", cut_off)
        with pytest.raises(AutoReconnect):
            made.commit(batch, journal)
    assert counts(made.commit(batch, journal)) == (5, 0, 0, 1)
    tally = journal.lease.tally
    assert (tally.read, tally.masked, tally.quarantined, tally.batches) == (6, 5, 1, 2)
    assert room.ledger.quarantine.count_documents({"_id.run": f"run-{room._runs}"}) == 1
    assert stored(room.source) == {
        identity(raw): expected(raw, told(RULES)) if number != 1 else raw
        for number, raw in enumerate(documents)
    }


def test_without_a_journal_a_commit_of_unknown_outcome_ends_the_run(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [plain(1, Name="Ada")]
    store(room.source, documents)
    made = committer(room, way="transaction")
    journal = room.journal("transaction")
    journal.applied = None
    batch = prepared(room, made, documents)

    def lose_the_answer(session: ClientSession) -> None:
        commit(session)
        lost = AutoReconnect("connection closed")
        lost._add_error_label("UnknownTransactionCommitResult")
        raise lost

    commit = ClientSession.commit_transaction
    monkeypatch.setattr(ClientSession, "commit_transaction", lose_the_answer)
    with pytest.raises(SafeStop):
        made.commit(batch, journal)
    assert stored(room.source) == {of(1)[0]: plain(1, Name="Ada~")}


def test_a_zombie_writes_nothing(room: Room) -> None:
    """Whoever took the partition over settled that the batch never was."""
    documents = [plain(1, Name="Ada")]
    store(room.source, documents)
    made = committer(room, way="transaction")
    journal = room.journal("transaction")
    batch = prepared(room, made, documents)
    assert journal.applied is not None
    journal.announce(batch)  # the last thing that it did before it was taken for dead
    later = replace(journal.lease, fence=journal.lease.fence + 1)
    assert not journal.applied.settle(later, batch.number or 0)
    with pytest.raises(LeaseLost):
        made.commit(batch, journal)
    assert stored(room.source) == {identity(raw): raw for raw in documents}


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


@EACH_WAY
@pytest.mark.parametrize("sample", [0, 2, 100])
def test_a_sample_is_checked_whole_before_and_after(room: Room, way: Way, sample: int) -> None:
    documents = [plain(number, Name="Ada", Other="x" * number) for number in range(5)]
    documents += [odd(7, NAME, NAME), plain(8, Other=1), plain(9, Name=1)]
    store(room.source, documents)
    witness = Witness()
    projection = None if way == "copy" else {"Name": 1}
    made = committer(
        room,
        way=way,
        checks=Checks("during", [witness]),
        sample=sample,
        on_error="quarantine",
        projection=projection,
    )
    journal = room.journal(way)
    reader = BatchReader(room.source, EVERYTHING, None, projection)
    batch = room.read(made, reader, HUNDRED, whole=projection is None)
    assert batch is not None
    done = made.commit(batch, journal)
    assert done.tally.totals() == witness.sums[0]
    assert done.tally.checked["witness"] == len(witness.pairs)
    originals = {raw: expected(raw, told(RULES)) for raw in documents[:-1]}
    shown = {pair.before: pair.after for pair in witness.pairs}
    assert shown.items() <= originals.items()
    assert len(shown) in {0: {0}, 2: {1, 2}, 100: {7}}[sample]  # the quarantined one is not shown


def test_what_is_checked_is_what_was_masked(room: Room) -> None:
    store(room.source, [plain(1, Name="Bea", Other="new")])
    witness = Witness()
    made = committer(room, way="plain", checks=Checks("during", [witness]), sample=1)
    batch = made.preparer.prepare([plain(1, Name="Ada")], whole=False)
    assert counts(made.commit(batch, room.journal("plain"))) == (1, 0, 0, 0)
    (pair,) = witness.pairs
    assert pair == DocumentPair(plain(1, Name="Bea", Other="new"), plain(1, Name="Bea~", Other="new"))


def test_a_sampled_document_that_is_gone_is_no_finding(room: Room) -> None:
    documents = [plain(1, Name="Ada"), plain(2, Name="Bea")]
    store(room.source, documents)
    witness = Witness()
    made = committer(room, way="plain", checks=Checks("during", [witness]), sample=2)
    journal = room.journal("plain")
    batch = prepared(room, made, documents)
    room.source.delete_one({"_id": 1})
    done = made.commit(batch, journal)
    assert counts(done) == (1, 0, 1, 0)
    assert [pair.before for pair in witness.pairs] == [documents[1]]


def test_bytes_and_seconds_are_those_of_the_batch(room: Room) -> None:
    documents = [plain(1, Name="Ada"), plain(2, Name="Bea")]
    store(room.source, documents)
    made = committer(room, way="plain")
    batch = made.preparer.prepare(documents, whole=True, seconds=100.0)
    assert batch.size == sum(map(len, documents))
    assert batch.seconds > 100
    assert made.commit(batch, room.journal("plain")).seconds > batch.seconds


@EACH_WAY
def test_no_value_is_shown(room: Room, way: Way) -> None:
    documents = [plain(1, Name="Quillfeather"), odd(2, NAME, NAME)]
    store(room.source, documents)
    made = committer(room, [(("Name",), AS_TEXT), (("x",), KEEP)], way=way)
    journal = room.journal(way)
    batch = prepared(room, made, documents)
    done = made.commit(batch, journal)
    for shown in (batch, done, done.tally, batch.masked, batch.writes, journal, journal.lease):
        assert "Quillfeather" not in repr(shown)
        assert "Ada" not in repr(shown)
