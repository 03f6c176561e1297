"""Documents that were masked are put back byte for byte, those that others changed are listed, none is overwritten."""

from __future__ import annotations

import json
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient, ReplaceOne

from effort import examples
from masking_trials import DEEP, NEXT_DAY, NULLIFY, REMOVES, TILDE, Rules, core, rules_for
from oracle import Node, build, parse
from partition_runs import store, stored
from phimask.config.model import Retry
from phimask.engine import restoring
from phimask.engine.restoring import CHANGED, COLLIDES, DELETED, Change, Kept, Restored, Restorer, unwound
from phimask.masking.excerpt import excerpt, paths_of, put_back
from phimask.masking.fingerprints import Fingerprint
from phimask.masking.outcomes import Masked
from phimask.plugins.values import DocumentId
from phimask.rawbson import elements
from phimask.store.connect import raw_collection
from phimask.store.raw import by_id
from phimask.store.reading import whole_documents
from phimask.store.writing import update
from phimask.vault.records import Original
from strategies import trees

CORPUS = Path(__file__).resolve().parents[2] / "../shared/testdata/bson_corpus.jsonl"
FINGERPRINT = Fingerprint(b"k" * 32)
RETRY = Retry(attempts=5, initial=0.001, longest=0.01)


@dataclass
class Bench:
    """A collection, what it held, what was kept of it."""

    client: MongoClient[dict[str, Any]]
    collection: Any
    transactions: bool

    def fill(self, documents: Sequence[bytes]) -> dict[DocumentId, bytes]:
        self.collection.delete_many({})
        store(self.collection, documents)
        return stored(self.collection)

    def mask(self, rules: Rules) -> dict[DocumentId, list[Original]]:
        """Mask everything as a run would, and answer with what it would keep."""
        kept: dict[DocumentId, list[Original]] = {}
        masking = core(rules)
        for found, raw in stored(self.collection).items():
            (outcome,) = masking.mask([raw], "update").outcomes
            parts = list(elements(outcome.bson)) if isinstance(outcome, Masked) else []
            if isinstance(outcome, Masked) and [part.key for part in parts] == [b"$set"]:
                paths = paths_of(outcome.bson[parts[0].value : parts[0].end])
                values = excerpt(raw, paths)
                assert values is not None
                update(self.collection, [(found, outcome.bson)])
                kept[found] = [Original.of_update(found, values, outcome.bson, FINGERPRINT)]
                continue
            (outcome,) = masking.mask([raw], "whole").outcomes
            if not isinstance(outcome, Masked) or outcome.bson == raw:
                continue
            if not self.replace(found, outcome.bson):
                continue
            kept[found] = [Original.of_whole(found, raw, outcome.bson, FINGERPRINT)]
        return kept

    def now(self, found: DocumentId) -> bytes:
        return whole_documents(self.collection, [found])[found]

    def replace(self, found: DocumentId, raw: bytes) -> bool:
        """False where the server does not take it, or changes it."""
        before = self.now(found)
        try:
            self.collection.bulk_write([ReplaceOne(by_id(found), RawBSONDocument(raw))])
        except Exception:  # noqa: BLE001
            return False
        if self.now(found) == raw:
            return True
        self.collection.bulk_write([ReplaceOne(by_id(found), RawBSONDocument(before))])
        return False

    def restore(self, kept: Kept) -> Restored:
        restorer = Restorer(self.client, self.collection, FINGERPRINT, RETRY, lambda *_: None, lambda: False)
        restorer._transactions = self.transactions
        return restorer.restore(kept)


@pytest.fixture(params=["transactions", "guarded"])
def bench(request: pytest.FixtureRequest, client: MongoClient[dict[str, Any]]) -> Iterator[Bench]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    client[name].create_collection("c")
    yield Bench(client, raw_collection(client, name, "c"), request.param == "transactions")
    client.drop_database(name)


def people(count: int, **more: Any) -> list[bytes]:
    return [
        bson.encode({"_id": number, "Name": f"Ada {number}", "Zip": 12345, **more}) for number in range(count)
    ]


NAME: Rules = [(("Name",), TILDE)]


def test_byte_for_byte(bench: Bench) -> None:
    before = bench.fill(people(1200))
    kept = bench.mask(NAME)
    assert len(kept) == 1200
    assert stored(bench.collection) != before
    assert bench.restore(kept) == Restored(restored=1200)
    assert stored(bench.collection) == before
    assert bench.restore(kept) == Restored(unmasked=1200)
    assert stored(bench.collection) == before


def corpus() -> list[bytes]:
    if not CORPUS.exists():
        pytest.skip("the BSON corpus is not there")
    lines = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    cases = [bytes.fromhex(one["canonical_bson"]) for one in lines if one["kind"] == "valid"]
    cases += [bytes.fromhex(one["degenerate_bson"]) for one in lines if one.get("degenerate_bson")]
    documents = []
    for case in cases:
        name: Node = (0x02, b"Name", b"\4\0\0\0Ada\0")
        for nodes in ([(0x03, b"case", parse(case)), name], [*parse(case), (0x03, b"P", [name])]):
            documents.append(build([(0x10, b"_id", struct.pack("<i", len(documents))), *nodes]))
    return documents


@pytest.mark.soak
@pytest.mark.parametrize(
    "rules",
    [
        [((DEEP, "Name"), TILDE)],
        [((DEEP,), TILDE)],
        [((DEEP,), NULLIFY)],
        [((DEEP,), NEXT_DAY)],
        [((DEEP,), NULLIFY), ((DEEP, "Name"), REMOVES)],
        [((DEEP, "case"), REMOVES)],
    ],
)
def test_every_type_there_is(bench: Bench, rules: Rules) -> None:
    before = bench.fill(corpus())
    assert len(before) > 1400
    kept = bench.mask(rules)
    masked = stored(bench.collection)
    changed = [found for found in before if masked[found] != before[found]]
    result = Restored()
    for start in range(0, len(kept), 300):
        result.add(bench.restore(dict(list(kept.items())[start : start + 300])))
    assert set(result.conflicts.values()) <= {restoring.NOT_REPLACEABLE}
    assert len(result.conflicts) < 20
    assert result.restored + len(result.conflicts) == len(changed)
    after = stored(bench.collection)
    for found, raw in before.items():
        assert after[found] == (masked[found] if found in result.conflicts else raw)


@settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_document_under_any_rules(bench: Bench, data: st.DataObject) -> None:
    nodes = data.draw(trees())
    rules = data.draw(rules_for(nodes))
    more = data.draw(st.lists(trees(), max_size=3))
    documents = []
    for number, one in enumerate([nodes, *more]):
        fields = [node for node in one if node[1] != b"_id"]
        documents.append(build([(0x10, b"_id", struct.pack("<i", number)), *fields]))
    before = bench.fill(documents)
    kept = bench.mask(rules)
    masked = stored(bench.collection)
    result = bench.restore(kept)
    assert set(result.conflicts.values()) <= {restoring.NOT_REPLACEABLE}
    after = stored(bench.collection)
    for found, raw in before.items():
        assert after[found] == (masked[found] if found in result.conflicts else raw)


def test_what_others_changed_is_listed_and_left(bench: Bench) -> None:
    before = bench.fill(people(8))
    kept = bench.mask(NAME)
    plain = bench.client[bench.collection.database.name]["c"]
    plain.update_one({"_id": 1}, {"$set": {"Name": "changed"}})
    plain.update_one({"_id": 2}, {"$set": {"Zip": 99999, "More": 1}})
    plain.update_one({"_id": 3}, {"$unset": {"Name": 1}})
    plain.delete_one({"_id": 4})
    plain.update_one({"_id": 5}, {"$set": {"Name": "Ada 5"}})
    plain.update_one({"_id": 6}, {"$set": {"Name": ["Ada 6~"]}})
    found = list(before)
    left = stored(bench.collection)
    result = bench.restore(kept)
    assert result.conflicts == {found[1]: CHANGED, found[3]: CHANGED, found[4]: DELETED, found[6]: CHANGED}
    assert (result.restored, result.unmasked) == (3, 1)
    after = stored(bench.collection)
    assert after[found[0]] == before[found[0]]
    assert bson.decode(after[found[2]]) == {"_id": 2, "Name": "Ada 2", "Zip": 99999, "More": 1}
    assert found[4] not in after
    for one in (1, 3, 6):
        assert after[found[one]] == left[found[one]]


def test_a_document_whose_field_was_removed_gets_it_back_in_its_place(bench: Bench) -> None:
    before = bench.fill([bson.encode({"_id": 1, "a": 1, "Name": "Ada", "t": Timestamp(5, 5), "z": 2})])
    kept = bench.mask([(("Name",), REMOVES)])
    assert [one.whole for (one,) in kept.values()] == [True]
    assert bench.restore(kept) == Restored(restored=1)
    assert stored(bench.collection) == before


def test_an_empty_timestamp_is_not_filled_in(bench: Bench) -> None:
    plain = bench.client[bench.collection.database.name]["c"]
    plain.insert_one({"_id": 1, "Name": "Ada", "z": 2, "t": 3})
    plain.update_one({"_id": 1}, {"$set": {"t": Timestamp(0, 0)}})
    before = stored(bench.collection)
    ((found, raw),) = before.items()
    plain.update_one({"_id": 1}, {"$unset": {"Name": 1}})
    masked = stored(bench.collection)
    result = bench.restore({found: [Original.of_whole(found, raw, masked[found], FINGERPRINT)]})
    if bench.transactions:
        assert result == Restored(restored=1)
        assert stored(bench.collection) == before
    else:
        assert result == Restored(conflicts={found: restoring.NOT_REPLACEABLE})
        assert stored(bench.collection) == masked


def test_values_that_change_places_under_a_unique_index(bench: Bench) -> None:
    bench.client[bench.collection.database.name]["c"].create_index("Name", unique=True)
    before = bench.fill([bson.encode({"_id": number, "Name": name}) for number, name in enumerate("abcd")])
    kept: dict[DocumentId, list[Original]] = {}
    plain = bench.client[bench.collection.database.name]["c"]
    found = list(before)
    for number, name in ((0, "x"), (1, "a"), (2, "y"), (3, "z")):
        change = bson.encode({"$set": {"Name": name}})
        values = bson.encode({"Name": "abcd"[number]})
        kept[found[number]] = [Original.of_update(found[number], values, change, FINGERPRINT)]
        plain.update_one({"_id": number}, {"$set": {"Name": name}})
    result = bench.restore(kept)
    assert result == Restored(restored=3, conflicts={found[0]: COLLIDES})
    again = bench.restore({found[0]: kept[found[0]]})
    assert again == Restored(restored=1)
    assert stored(bench.collection) == before


def test_a_document_that_grew_too_large_is_listed(bench: Bench) -> None:
    bench.fill(people(2))
    kept = bench.mask(NAME)
    found = list(kept)
    plain = bench.client[bench.collection.database.name]["c"]
    plain.update_one({"_id": 0}, {"$set": {"More": "x" * ((16 << 20) - 200)}})
    kept[found[0]] = [Original(found[0], False, bson.encode({"Name": "y" * 5000}), kept[found[0]][0].masked)]
    result = bench.restore(kept)
    assert result.restored == 1
    assert list(result.conflicts) == [found[0]]
    assert "the server refused the write (code " in result.conflicts[found[0]]


def between(bench: Bench, monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Has something done between the reading and the writing of each attempt."""
    really = Restorer._compare
    attempts: list[int] = []

    def compare(self: Restorer, kept: Kept, documents: Any) -> Any:
        answer = really(self, kept, documents)
        attempts.append(1)
        act(len(attempts))
        return answer

    monkeypatch.setattr(Restorer, "_compare", compare)


def test_a_change_between_reading_and_writing_is_not_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.fill(people(5))
    kept = bench.mask(NAME)
    plain = bench.client[bench.collection.database.name]["c"]

    def edit(attempt: int) -> None:
        if attempt == 1:
            plain.update_one({"_id": 2}, {"$set": {"Name": "Quillfeather"}})
            plain.update_one({"_id": 3}, {"$set": {"More": 1}})

    between(bench, monkeypatch, edit)
    result = bench.restore(kept)
    found = list(before)
    assert result.conflicts == {found[2]: CHANGED}
    assert result.restored == 4
    assert plain.find_one({"_id": 2}) == {"_id": 2, "Name": "Quillfeather", "Zip": 12345}
    assert plain.find_one({"_id": 3}) == {"_id": 3, "Name": "Ada 3", "Zip": 12345, "More": 1}


def test_a_document_that_never_stands_still_is_listed_or_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bench.transactions:
        pytest.skip("there the run's retries decide")
    before = bench.fill(people(3))
    kept = bench.mask(NAME)
    plain = bench.client[bench.collection.database.name]["c"]
    between(bench, monkeypatch, lambda attempt: plain.update_one({"_id": 1}, {"$set": {"n": attempt}}))
    result = bench.restore(kept)
    found = list(before)
    assert result == Restored(restored=2, conflicts={found[1]: restoring.CHANGING})


def test_what_a_killed_workers_transaction_holds_is_waited_for(bench: Bench) -> None:
    before = bench.fill(people(5))
    kept = bench.mask(NAME)
    plain = bench.client[bench.collection.database.name]["c"]
    with bench.client.start_session() as session:
        session.start_transaction()
        plain.update_one({"_id": 2}, {"$set": {"Name": "never committed"}}, session=session)
        later = threading.Timer(1.5, session.abort_transaction)
        later.start()
        assert bench.restore(kept) == Restored(restored=5)
        later.join()
    assert stored(bench.collection) == before


# What was kept, in which order, and what is true of it: no server needed.


def kept(before: Mapping[str, Any], after: Mapping[str, Any]) -> Original:
    paths = [path for path in before if before[path] != after[path]]
    values = bson.encode({path: before[path] for path in paths})
    change = bson.encode({"$set": {path: after[path] for path in paths}})
    return Original.of_update(DocumentId(0x10, b"\1\0\0\0"), values, change, FINGERPRINT)


def undone(now: Mapping[str, Any], copies: Sequence[Original]) -> dict[str, Any] | None:
    change = unwound(bson.encode(now), copies, FINGERPRINT)
    if change is None:
        return None
    if isinstance(change, bytes):
        return bson.decode(change)
    raw = bson.encode(now)
    return bson.decode(change.whole if change.values is None else put_back(raw, change.values))


ADA, MASKED, TWICE = {"a": "Ada", "b": 1}, {"a": "Ada~", "b": 1}, {"a": "Ada~~", "b": 1}


def test_kept_twice_by_a_takeover() -> None:
    once = kept(ADA, MASKED)
    for copies in ([once], [once, once]):
        assert undone(MASKED, copies) == ADA
        assert undone(ADA, copies) == ADA
        assert undone({"a": "other", "b": 1}, copies) is None


def test_what_was_kept_of_a_masked_document_is_no_original() -> None:
    copies = [kept(ADA, MASKED), kept(MASKED, TWICE)]
    assert undone(MASKED, copies) == ADA
    assert undone(TWICE, copies) == ADA
    assert undone(ADA, copies) == ADA
    assert undone(MASKED, [copies[1], copies[0]]) == ADA


def test_a_constant_mask_kept_twice() -> None:
    constant = {"a": "[REDACTED]", "b": 1}
    same = Original.of_update(
        DocumentId(0x10, b"\1\0\0\0"),
        bson.encode({"a": "[REDACTED]"}),
        bson.encode({"$set": {"a": "[REDACTED]"}}),
        FINGERPRINT,
    )
    for copies in ([kept(ADA, constant), same], [same, kept(ADA, constant)]):
        assert undone(constant, copies) == ADA


def test_of_an_attempt_that_was_given_up_nothing_comes_back() -> None:
    constant = {"a": "[REDACTED]", "b": 1}
    stale, true = {"a": "stale", "b": 1}, {"a": "true", "b": 1}
    assert undone(constant, [kept(stale, constant), kept(true, constant)]) == true
    assert (
        undone(
            {"a": "true~", "b": 1}, [kept(stale, {"a": "stale~", "b": 1}), kept(true, {"a": "true~", "b": 1})]
        )
        == true
    )


def test_other_paths_each_time() -> None:
    first = {"a": "Ada", "b": "Bea"}
    half, both = {"a": "Ada~", "b": "Bea"}, {"a": "Ada~", "b": "Bea~"}
    assert undone(both, [kept(first, half), kept(half, both)]) == first


def test_a_path_inside_another_is_replaced_whole() -> None:
    inner = Original.of_update(
        DocumentId(0x10, b"\1\0\0\0"),
        bson.encode({"P.a": 1}),
        bson.encode({"$set": {"P.a": 2}}),
        FINGERPRINT,
    )
    outer = Original.of_update(
        DocumentId(0x10, b"\1\0\0\0"),
        bson.encode({"P": {"a": 2, "b": 5}}),
        bson.encode({"$set": {"P": {"mask": True}}}),
        FINGERPRINT,
    )
    change = unwound(bson.encode({"P": {"mask": True}}), [inner, outer], FINGERPRINT)
    assert isinstance(change, Change)
    assert change.values is None
    assert bson.decode(change.whole) == {"P": {"a": 1, "b": 5}}


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], list[Original]]:
    """A document's life until it is masked once, and after: what it was, what it is, what was kept of it on the way.

    Attempts that are given up may come before and after, and keep whatever they read; others change the document
    before it is masked.
    """
    mask = draw(st.sampled_from([lambda text: f"~{text}", lambda text: "~", lambda text: f"~{len(text)}"]))
    now = {"a": draw(st.text("xyz", max_size=3)), "b": draw(st.text("xyz", max_size=3)), "c": 0}
    copies: list[Original] = []

    def attempt(paths: list[str]) -> dict[str, Any]:
        after = {**now, **{path: mask(now[path]) for path in paths}}
        values = bson.encode({path: now[path] for path in paths})
        change = bson.encode({"$set": {path: after[path] for path in paths}})
        copies.append(Original.of_update(DocumentId(0x10, b"\1\0\0\0"), values, change, FINGERPRINT))
        return after

    paths = draw(st.sampled_from([["a"], ["a", "b"], ["b", "a"]]))
    for _ in range(draw(st.integers(0, 3))):
        attempt(paths)
        if draw(st.booleans()):
            now = {**now, draw(st.sampled_from(["a", "b", "c"])): draw(st.text("xyz", max_size=3))}
    original = now
    now = attempt(paths)
    for _ in range(draw(st.integers(0, 3))):
        attempt(paths)
        if draw(st.booleans()):
            now = {**now, "c": draw(st.integers(0, 9))}
    return {**original, "c": now["c"]}, now, copies


@given(histories())
def test_of_any_history_the_true_original_comes_back(
    history: tuple[dict[str, Any], dict[str, Any], list[Original]],
) -> None:
    original, now, copies = history
    assert undone(now, copies) == original
    assert undone(original, copies) == original
