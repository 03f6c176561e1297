"""A run is undone byte for byte, whatever cut it off and however often the rollback itself is killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from masking_trials import NULLIFY, TILDE, Rules, core
from partition_runs import store, stored
from phimask.config.model import Retry
from phimask.engine.control import StopSignal
from phimask.engine.restoring import CHANGED, DELETED
from phimask.engine.rollback import Means, Rollback
from phimask.errors import Interrupted, PhimaskError, PreflightError, UsageError, VaultError
from phimask.ledger.leases import LeaseLost
from phimask.ledger.opening import Ledger, open_ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.rollbacks import Rollbacks
from phimask.ledger.run_record import Pin, RunRecord
from phimask.ledger.runs import Runs
from phimask.masking.excerpt import excerpt, paths_of
from phimask.masking.fingerprints import FINGERPRINT_DOMAIN, Fingerprint
from phimask.masking.keys import MaskingKey
from phimask.masking.outcomes import Masked
from phimask.plugins.values import DocumentId, Partition
from phimask.rawbson import elements
from phimask.store.connect import raw_collection
from phimask.store.raw import identity
from phimask.store.writing import update
from phimask.vault.records import Original, Place
from phimask.vault.vault import Vault, open_vault

KEY = MaskingKey(bytes(range(32)))
RUN = "20260101-000000-abcdef"
RETRY = Retry(attempts=5, initial=0.001, longest=0.01)
NAMES: Rules = [(("Name",), TILDE), (("Note",), NULLIFY)]


@dataclass
class Bench:
    """A collection, and a run over it whose every step a test decides."""

    client: MongoClient[dict[str, Any]]
    database: str
    folder: Path
    ledger: Ledger
    said: list[str] = field(default_factory=list)
    writers: dict[tuple[int, int], Vault] = field(default_factory=dict)
    stop: StopSignal = field(default_factory=StopSignal)

    @property
    def namespace(self) -> str:
        return f"{self.database}.people"

    @property
    def collection(self) -> Any:
        return raw_collection(self.client, self.database, "people")

    @property
    def plain(self) -> Any:
        return self.client[self.database]["people"]

    @property
    def record(self) -> RunRecord:
        found = Runs(self.ledger).find(RUN)
        assert found is not None
        return found

    def fill(self, count: int) -> dict[DocumentId, bytes]:
        documents = [
            bson.encode({"_id": n, "Name": f"Ada {n}", "Zip": n, "Note": {"text": "x" * (n % 7)}})
            for n in range(count)
        ]
        store(self.collection, documents)
        return self.now()

    def now(self) -> dict[DocumentId, bytes]:
        return stored(self.collection)

    def begin(self) -> None:
        pin = Pin(self.namespace, uuid.uuid4().hex, None, "people", "digest", None)
        record = RunRecord(
            id=RUN, state="running", command="run", profile="production", version="0",
            key_fingerprint=KEY.fingerprint, pins=(pin,), query=None, limit=None, guard=True, journal=True,
            vault="here",
        )  # fmt: skip
        runs = Runs(self.ledger)
        runs.end(RUN, runs.begin(record), "stopped")

    def batch(
        self,
        number: int,
        ids: Sequence[int],
        *,
        partition: int = 0,
        fence: int = 1,
        written: Sequence[int] | None = None,
        closed: bool = True,
        kept: bool = True,
        rules: Rules = NAMES,
    ) -> None:
        """Read these, mask them, keep originals, and write those that are to be `written` (None: all)."""
        raws = [
            bytes(one.raw) for one in self.collection.find({"_id": {"$in": list(ids)}}, sort=[("_id", 1)])
        ]
        fingerprint = Fingerprint(KEY.derive(FINGERPRINT_DOMAIN))
        originals, updates = [], []
        for raw, outcome in zip(raws, core(rules).mask(raws, "update").outcomes, strict=True):
            if not isinstance(outcome, Masked):
                continue
            (sets,) = elements(outcome.bson)
            values = excerpt(raw, paths_of(outcome.bson[sets.value : sets.end]))
            assert values is not None
            originals.append(Original.of_update(identity(raw), values, outcome.bson, fingerprint))
            updates.append((identity(raw), outcome.bson))
        if kept:
            vault = self.writers.get((partition, fence))
            if vault is None:
                vault = self.writers[partition, fence] = self.vault(create=True)
            vault.keep(Place(RUN, self.namespace, partition, number, fence), originals)
        chosen = {identity(bson.encode({"_id": n})) for n in (ids if written is None else written)}
        if updates := [one for one in updates if one[0] in chosen]:
            update(self.collection, updates)
        if closed:
            _id = {"run": RUN, "namespace": self.namespace, "number": partition}
            self.ledger.partitions.update_one({"_id": _id}, {"$set": {"batch": number}}, upsert=True)

    def vault(self, key: MaskingKey = KEY, *, create: bool = False) -> Vault:
        return open_vault(self.folder, RUN, key, create=create)

    def rollback(self, *, skip_damaged: bool = False) -> dict[str, Any]:
        for vault in self.writers.values():
            vault.close()
        with self.vault() as vault:
            means = Means(self.client, self.ledger, vault, KEY, RETRY, self.stop, self.said.append)
            work = Rollback(means, self.record, skip_damaged=skip_damaged)
            return work.run(work.examine())

    def counts(self, **given: Any) -> tuple[int, int, int]:
        """Put back, as they were, in conflict."""
        (one,) = self.rollback(**given)["collections"]
        documents = one["documents"]
        assert one["namespace"] == self.namespace
        assert len(one["conflicts"]) == documents["conflicts"]
        return documents["restored"], documents["already_original"], documents["conflicts"]


@pytest.fixture
def bench(client: MongoClient[dict[str, Any]], tmp_path: Path) -> Iterator[Bench]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    one = Bench(client, name, tmp_path / "vault", open_ledger(client, f"{name}_ledger", "trial"))
    one.begin()
    yield one
    for vault in one.writers.values():
        vault.close()
    client.drop_database(name)
    client.drop_database(f"{name}_ledger")


def test_a_whole_run(bench: Bench) -> None:
    before = bench.fill(100)
    for partition in (0, 1):
        for number in range(1, 6):
            first = partition * 50 + (number - 1) * 10
            bench.batch(number, range(first, first + 10), partition=partition)
    assert all(raw != before[found] for found, raw in bench.now().items())
    assert bench.counts() == (100, 0, 0)
    assert bench.now() == before
    assert bench.record.state == "rolled_back"
    # Asked for again, it looks at everything again.
    assert bench.counts() == (0, 100, 0)
    assert bench.now() == before


def test_a_report_says_what_was_done(bench: Bench) -> None:
    bench.fill(3)
    bench.batch(1, range(3))
    bench.plain.update_one({"_id": 1}, {"$set": {"Name": "Quillfeather"}})
    report = bench.rollback()
    assert report["run_id"] == RUN
    assert report["vault"]["segments"] == 1
    (one,) = report["collections"]
    assert one["conflicts"] == [{"_id": '{"$numberInt": "1"}', "reason": CHANGED}]
    assert "Quillfeather" not in json.dumps(report)


def test_a_run_that_was_cut_off(bench: Bench) -> None:
    before = bench.fill(40)
    bench.batch(1, range(10))
    bench.batch(2, range(10, 20), written=(11, 13, 17), closed=False)
    bench.batch(1, range(20, 30), partition=1, written=(), closed=False)
    assert bench.counts() == (13, 17, 0)
    assert bench.now() == before


def test_a_batch_that_another_worker_took_over(bench: Bench) -> None:
    before = bench.fill(30)
    bench.batch(1, range(10))
    bench.batch(2, range(10, 20), written=(11, 13, 17), closed=False)
    bench.batch(2, [n for n in range(10, 20) if n not in (11, 13, 17)], fence=2)
    bench.batch(3, range(20, 30), fence=2)
    assert bench.counts() == (30, 0, 0)
    assert bench.now() == before


def test_what_was_kept_of_masked_documents_is_never_put_back(bench: Bench) -> None:
    before = bench.fill(30)
    bench.batch(1, range(10), closed=False)
    bench.batch(1, range(10), fence=2, written=(), closed=False)
    bench.batch(1, range(5), fence=3, written=(), closed=False)
    bench.batch(2, range(10, 20), fence=3)
    bench.batch(3, range(20, 30), fence=3)
    assert bench.counts() == (30, 0, 0)
    assert bench.now() == before


def test_a_batch_that_was_read_again_in_parts(bench: Bench) -> None:
    before = bench.fill(30)
    bench.batch(1, range(30), written=(), closed=False)
    bench.plain.update_one({"_id": 25}, {"$set": {"Name": "Grace"}})
    before = bench.now()
    bench.batch(1, range(15), written=(), closed=False)
    bench.batch(1, range(8))
    bench.batch(2, range(8, 20))
    bench.batch(3, range(20, 30))
    assert bench.counts() == (30, 0, 0)
    assert bench.now() == before


def test_a_takeover_in_slices(bench: Bench) -> None:
    before = bench.fill(30)
    bench.batch(1, range(20), written=(3,), closed=False)
    bench.batch(1, range(10), fence=2, closed=False)
    bench.batch(1, range(10, 20), fence=2)
    bench.batch(2, range(20, 30), fence=2)
    # The test's worker is less careful than a real one: it masks 3 twice.
    assert bench.counts() == (30, 0, 0)
    assert bench.now() == before


def test_what_the_application_did_since_is_listed(bench: Bench) -> None:
    before = bench.fill(20)
    bench.batch(1, range(10))
    bench.batch(2, range(10, 20))
    bench.plain.delete_one({"_id": 4})
    bench.plain.update_one({"_id": 12}, {"$set": {"Note": "new"}})
    bench.plain.update_one({"_id": 13}, {"$set": {"Zip": -1}})
    bench.plain.insert_one({"_id": 99, "Name": "Grace"})
    report = bench.rollback()
    (one,) = report["collections"]
    assert one["documents"] == {"restored": 18, "already_original": 0, "conflicts": 2}
    assert sorted(one["reason"] for one in one["conflicts"]) == [CHANGED, DELETED]
    after = bench.now()
    found = list(before)
    assert after[found[0]] == before[found[0]]
    assert bson.decode(after[found[13]])["Name"] == "Ada 13"
    assert bson.decode(after[found[13]])["Zip"] == -1
    assert bson.decode(after[found[12]])["Name"] == "Ada 12~"


def test_values_that_wait_for_each_other_under_a_unique_index(bench: Bench) -> None:
    bench.plain.create_index("Zip", unique=True)
    before = bench.fill(40)
    fingerprint = Fingerprint(KEY.derive(FINGERPRINT_DOMAIN))
    order = list(range(40))
    with bench.vault(create=True) as vault:
        # Each takes the number of the one before, the first one that nobody has: to be put back from the end.
        for number, n in enumerate(order, 1):
            change = bson.encode({"$set": {"Zip": n - 1}})
            values = bson.encode({"Zip": n})
            found = identity(bson.encode({"_id": n}))
            vault.keep(
                Place(RUN, bench.namespace, 0, number, 1),
                [Original.of_update(found, values, change, fingerprint)],
            )
            update(bench.collection, [(found, change)])
    assert bench.counts() == (40, 0, 0)
    assert bench.now() == before


def rolled_back_after(bench: Bench, steps: int) -> bool:
    """Stop the rollback after so many slices; true if it was done before."""
    taken = 0
    really = Rollbacks.list

    def count(self: Rollbacks, *arguments: Any) -> None:
        nonlocal taken
        taken += 1
        really(self, *arguments)
        if taken >= steps:
            bench.stop.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rollbacks, "list", count)
        bench.stop = StopSignal()
        try:
            bench.rollback()
        except Interrupted:
            return False
        finally:
            bench.stop = StopSignal()
    return True


def test_stopped_again_and_again(bench: Bench) -> None:
    before = bench.fill(60)
    for number in range(1, 7):
        bench.batch(number, range(number * 10 - 10, number * 10))
    bench.plain.update_one({"_id": 3}, {"$set": {"Name": "Grace"}})
    rounds = 0
    while not rolled_back_after(bench, 1):
        rounds += 1
        assert bench.record.state == "rolling_back"
        # What was put back is the application's again, and no conflict.
        bench.plain.update_one({"_id": rounds * 10 - 1}, {"$set": {"Name": f"edit {rounds}"}})
    assert rounds == 5
    assert "going on with the rollback that was cut off" in bench.said
    after = bench.now()
    for n, (found, raw) in enumerate(before.items()):
        if n == 3:
            assert bson.decode(after[found])["Name"] == "Grace"
        elif n % 10 == 9 and n < 50:
            assert bson.decode(after[found])["Name"] == f"edit {n // 10 + 1}"
        else:
            assert after[found] == raw
    (one,) = bench.ledger.named("conflicts").find({})
    assert one["reason"] == CHANGED


def test_nobody_begins_meanwhile(bench: Bench) -> None:
    bench.fill(30)
    for number in range(1, 4):
        bench.batch(number, range(number * 10 - 10, number * 10))
    assert not rolled_back_after(bench, 1)
    other = replace(bench.record, id=RUN + "2", state="running")
    with pytest.raises(PreflightError, match=f"the rollback of run {RUN} was cut off"):
        Runs(bench.ledger).begin(other)
    bench.rollback()
    Runs(bench.ledger).begin(other)
    with pytest.raises(PreflightError, match=f"run {RUN}2 is masking it"):
        bench.rollback()


def test_a_worker_that_was_taken_for_dead_goes_on_no_more(bench: Bench) -> None:
    bench.fill(10)
    partitions = Partitions(bench.ledger, RUN, bench.namespace)
    list(partitions.add([Partition(7, None, None)], first=7))
    lease = partitions.lease("w")
    assert lease is not None
    partitions.renew(lease)
    bench.batch(1, range(10))
    assert bench.counts() == (10, 0, 0)
    with pytest.raises(LeaseLost):
        partitions.renew(lease)


def test_two_at_a_time(bench: Bench) -> None:
    bench.fill(10)
    bench.batch(1, range(10))
    kept = Rollbacks(bench.ledger, RUN)
    kept.begin()
    bench.ledger.named("rollbacks").update_one({"_id": {"run": RUN}}, {"$set": {"host": "elsewhere"}})
    with pytest.raises(UsageError, match="is being rolled back already, on elsewhere"):
        bench.rollback()
    kept.leave()
    assert bench.counts() == (10, 0, 0)


def damaged(bench: Bench) -> Path:
    """Three batches, the second of which no longer opens."""
    bench.fill(30)
    for number in range(1, 4):
        bench.batch(number, range(number * 10 - 10, number * 10))
    (file,) = (bench.folder / RUN).glob("*.segments")
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    return file


def test_a_damaged_vault_is_refused(bench: Bench) -> None:
    file = damaged(bench)
    masked = bench.now()
    with pytest.raises(VaultError) as caught:
        bench.rollback()
    assert caught.value.exit_code == 2
    assert str(caught.value).splitlines() == [
        f"{file}: segment 1 (batch 2 of {bench.namespace}, partition 0, fence 1, part 0) does not open: it was "
        "changed, moved or exchanged since it was written",
        "nothing was put back; restore the vault, or give --skip-damaged to put back all but this",
    ]
    assert bench.now() == masked
    assert bench.record.state == "stopped"


def test_all_but_what_is_damaged_can_be_put_back(bench: Bench) -> None:
    damaged(bench)
    masked = bench.now()
    assert bench.counts(skip_damaged=True) == (20, 0, 0)
    after = bench.now()
    assert [after[one] == masked[one] for one in masked] == [False] * 10 + [True] * 10 + [False] * 10


def test_a_batch_that_the_vault_lacks_is_refused(bench: Bench) -> None:
    bench.fill(30)
    bench.batch(1, range(10))
    bench.batch(2, range(10, 20), kept=False)
    bench.batch(3, range(20, 30))
    masked = bench.now()
    with pytest.raises(
        VaultError, match=r"partition 0: the originals of 1 of its 3 batches are missing \(batch 2\)"
    ):
        bench.rollback()
    assert bench.now() == masked


def test_a_batch_of_nothing_but_quarantined_documents_is_not_missed(bench: Bench) -> None:
    before = bench.fill(30)
    bench.batch(1, range(10))
    bench.batch(2, (), kept=False)
    bench.ledger.quarantine.insert_one(
        {"_id": {"run": RUN, "namespace": bench.namespace, "document": b"x"}, "partition": 0, "batch": 2}
    )
    bench.batch(3, range(20, 30))
    assert bench.counts() == (20, 0, 0)
    assert bench.now() == before


def test_a_vault_that_is_damaged_while_it_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.fill(30)
    for number in range(1, 4):
        bench.batch(number, range(number * 10 - 10, number * 10))
    masked = bench.now()
    (file,) = (bench.folder / RUN).glob("*.segments")

    def harm(self: Runs, record: RunRecord) -> None:
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.write_bytes(raw)

    monkeypatch.setattr(Runs, "begin_rollback", harm)
    with pytest.raises(PhimaskError, match="the vault changed while it was read"):
        bench.rollback()
    after = bench.now()
    assert [after[one] == masked[one] for one in masked] == [False] * 10 + [True] * 20


def test_a_collection_that_is_gone(bench: Bench) -> None:
    bench.fill(10)
    bench.batch(1, range(10))
    bench.plain.drop()
    with pytest.raises(PreflightError, match="is gone"):
        bench.rollback()


@pytest.mark.parametrize("seed", range(12))
def test_any_course_of_events(bench: Bench, seed: int) -> None:
    """Batches half written, given up and taken over; edits of the application; rollbacks cut off; all at random."""
    chance = random.Random(seed)
    before = bench.fill(40)
    fence, number, at = 1, 1, 0
    left: dict[int, int] = {}  # fences that lost the partition, with the batch they had in hand
    while at < 40:
        ids = list(range(at, min(at + chance.randint(1, 12), 40)))
        while chance.random() < 0.4:  # attempts that come to nothing, by this worker or one before
            tried = list(range(at, min(at + chance.randint(1, 15), 40)))
            bench.batch(number, tried, fence=fence, written=(), closed=False)
            if chance.random() < 0.5:
                left[fence] = number
                fence += 1
            if chance.random() < 0.3:
                edit = {"$set": {"Name": f"edit {chance.random()}"}}
                bench.plain.update_one({"_id": chance.choice(tried)}, edit)
        before |= {found: raw for found, raw in bench.now().items() if _number(found) >= at}
        if chance.random() < 0.3:  # killed half way, and taken over by one who writes the rest
            half = [one for one in ids if chance.random() < 0.5]
            bench.batch(number, ids, fence=fence, written=half, closed=False)
            left[fence] = number
            fence += 1
            bench.batch(number, [one for one in ids if one not in half], fence=fence)
        else:
            bench.batch(number, ids, fence=fence)
        at, number = ids[-1] + 1, number + 1
        if (
            left and chance.random() < 0.5
        ):  # one who lost it comes late, keeps what it reads, and writes nothing
            late, had = chance.choice(sorted(left.items()))
            bench.batch(had, range(max(at - 15, 0), at), fence=late, written=(), closed=False)
    edited = {chance.randrange(40) for _ in range(chance.randint(0, 5))}
    for n in edited:
        bench.plain.update_one({"_id": n}, {"$set": {"Name": f"later {chance.random()}"}})
    masked = bench.now()
    for _ in range(chance.randint(0, 3)):
        rolled_back_after(bench, chance.randint(1, 3))
    report = bench.rollback()
    assert report["collections"][0]["documents"]["conflicts"] == len(edited)
    after = bench.now()
    for found, raw in before.items():
        assert after[found] == (masked[found] if _number(found) in edited else raw)


def _number(found: DocumentId) -> int:
    return int.from_bytes(found.value, "little")


KILLED = """
import sys, time
from pathlib import Path
from pymongo import MongoClient
from phimask.config.model import Retry
from phimask.engine.control import StopSignal
from phimask.engine.rollback import Means, Rollback
from phimask.ledger.opening import open_ledger
from phimask.ledger.rollbacks import Rollbacks
from phimask.ledger.runs import Runs
from phimask.masking.keys import MaskingKey
from phimask.vault.vault import open_vault

uri, database, folder, run, slices = sys.argv[1:]
really, taken = Rollbacks.list, []

def slow(self, *arguments):
    taken.append(1)
    if len(taken) > int(slices):
        print("now", flush=True)
        time.sleep(600)
    really(self, *arguments)

Rollbacks.list = slow
key = MaskingKey(bytes(range(32)))
with MongoClient(uri) as client, open_vault(Path(folder), run, key, create=False) as vault:
    ledger = open_ledger(client, database, "trial")
    means = Means(client, ledger, vault, key, Retry(3, 0.01, 0.1), StopSignal(), lambda line: None)
    work = Rollback(means, Runs(ledger).find(run))
    work.run(work.examine())
"""


def test_killed_twice_with_edits_in_between(bench: Bench, mongo_uri: str) -> None:
    before = bench.fill(60)
    for number in range(1, 6):
        bench.batch(number, range(number * 10 - 10, number * 10))
    bench.batch(6, range(50, 60), written=(51, 52), closed=False)
    bench.plain.update_one({"_id": 30}, {"$set": {"Name": "Grace"}})
    for vault in bench.writers.values():
        vault.close()
    for round_ in (1, 2):
        arguments = [mongo_uri, f"{bench.database}_ledger", str(bench.folder), RUN, "1"]
        process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"now"
        process.kill()
        process.wait()
        process.stdout.close()
        bench.plain.update_one({"_id": round_}, {"$set": {"Name": "edited"}})
    time.sleep(0.1)
    report = bench.rollback()
    (one,) = report["collections"]
    listed = {json.loads(conflict["_id"])["$numberInt"] for conflict in one["conflicts"]}
    assert "30" in listed
    assert listed <= {"30", "1", "2"}
    after = bench.now()
    for n, (found, raw) in enumerate(before.items()):
        if n in (1, 2):
            assert bson.decode(after[found])["Name"] == "edited"
        elif n != 30:
            assert after[found] == raw
