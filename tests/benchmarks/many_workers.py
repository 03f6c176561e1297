"""Whether leasing and the journal hold up many workers: 1, 16 and 64 of them, over a server that only waits.

    uv run python tests/benchmarks/many_workers.py [--seconds 1.0] [--batches 20]

Each worker is a thread with a journal of its own, over the real ledger in a real mongod. A batch is nothing but its
intent, as large as that of 1,500 documents, and a sleep: what masking and writing would take. If nothing serialized
the workers, each would take as long as a single one; the efficiency printed is how near they come to that.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections import Counter
from typing import Any

import bson
from pymongo import MongoClient

from phimask import DocumentId, Partition
from phimask.engine.batches import Batch
from phimask.engine.journal import Journal
from phimask.ledger.opening import open_ledger
from phimask.ledger.partitions import Partitions
from phimask.ledger.quarantine import Quarantine
from phimask.masking.outcomes import MaskedBatch
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.raw import identity

RULES = 60


def an_id(number: int) -> DocumentId:
    """As an integer `_id` is stored."""
    return identity(bson.encode({"_id": number}))


def batch(upto: int) -> Batch:
    """1,500 documents' worth of counts."""
    masked = MaskedBatch([], [1500] * RULES, [0] * RULES, [0] * RULES)
    return Batch([an_id(upto)] * 1500, an_id(upto), [], {}, 0, 0, 1 << 20, masked, {}, {}, Counter(), 0.0)


def run(uri: str, workers: int, seconds: float, batches: int) -> tuple[float, float]:
    """Wall-clock seconds for a collection with four partitions a worker, and the seconds that the ledger took of it,
    a batch, on average."""
    name = f"run-{workers}"
    client: MongoClient[dict[str, Any]] = MongoClient(uri, maxPoolSize=workers + 4)
    with client:
        ledger = open_ledger(client, "simulation", "ledger")
        partitions = Partitions(ledger, name, "a.b")
        count = workers * 4
        list(partitions.add(Partition(n, an_id(n * 1000), an_id(n * 1000 + 1000)) for n in range(count)))
        spent: list[float] = []

        def work(worker: str) -> None:
            mine = Partitions(ledger, name, "a.b")
            while True:
                began = time.perf_counter()
                lease = mine.lease(worker)
                spent.append(time.perf_counter() - began)
                if lease is None:
                    return
                journal = Journal(lease, mine, Quarantine(ledger, name, "a.b"))
                for number in range(batches // 4):
                    one = batch(lease.number * 1000 + number + 1)
                    began = time.perf_counter()
                    journal.announce(one)
                    spent.append(time.perf_counter() - began)
                    time.sleep(seconds)
                    journal.close(one, one.tally())
                journal.finish(done=True)

        threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(workers)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - start, sum(spent) / len(spent)


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--batches", type=int, default=20)
    given = parser.parse_args()
    ideal = given.seconds * given.batches
    print(f"{given.batches} batches of {given.seconds:g} s for each worker")
    print(f"{'workers':>8}{'seconds':>10}{'efficiency':>12}{'ledger, ms a step':>19}")
    with EmbeddedMongod(find_mongod(os.environ)) as mongod:
        for workers in (1, 16, 64):
            took, step = run(mongod.uri, workers, given.seconds, given.batches)
            print(f"{workers:>8}{took:>10.1f}{ideal / took:>12.2f}{step * 1000:>19.1f}")


if __name__ == "__main__":
    main()
