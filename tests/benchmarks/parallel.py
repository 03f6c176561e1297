"""What workers, the journal and the vault do to the speed of masking, on one mongod, in one run.

    uv run python tests/benchmarks/parallel.py [--docs 40000] [--rounds 3] [--scale 200000]

The ways take turns, round by round, over the same documents and masked paths as in throughput.py; medians are printed,
and ratios of medians. Two limits are measured beside them, prepared updates in unordered bulks and in transactions, and
the usual script.
A run's rate is that from the beginning of its first batch to the end of its last. With --scale, so many documents
are masked as well, by two workers: the time and the memory should grow with their number, and not at all.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient, UpdateOne
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from throughput import bare_batches, bare_loop, changes, phimask, set_up, usual_script, write_limit

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

ONE = "executor=inline"
TWO = "executor={name: local, options: {workers: 2}}"
OFF = "write.journal=false"
PLAIN = "write.guard=none"
CUT = "partitioner={name: sample, options: {target_size: 32MB}}"
NO_VAULT = "undo.vault=null"
VAULT = "undo.vault=vault"
WAYS: dict[str, tuple[str, ...]] = {
    "1 worker, no journal": (ONE, OFF, NO_VAULT),
    "1 worker": (ONE, NO_VAULT),
    "1 worker, plain, no journal": (ONE, PLAIN, OFF, NO_VAULT),
    "1 worker, plain": (ONE, PLAIN, NO_VAULT),
    "2 workers": (TWO, CUT, NO_VAULT),
    "2 workers, plain": (TWO, CUT, PLAIN, NO_VAULT),
    "2 workers, vault": (TWO, CUT, VAULT),
    "2 workers, read ahead": (TWO, CUT, NO_VAULT, "memory.read_ahead=true"),
    "3 workers": (TWO.replace("2", "3"), CUT, NO_VAULT),
}


def transaction_limit(client: MongoClient[dict[str, Any]], collection: Any) -> Callable[[], None]:
    """The same prepared updates as for the write limit, a transaction a batch."""
    prepared = [
        [UpdateOne({"_id": document["_id"]}, {"$set": changes(document)}) for document in batch]
        for batch in bare_batches(collection)
    ]

    def write(bulks: list[list[Any]]) -> None:
        with client.start_session() as session:
            for bulk in bulks:
                with session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority")):
                    collection.bulk_write(bulk, ordered=False, session=session)

    def run() -> None:
        threads = [threading.Thread(target=write, args=(prepared[part::2],)) for part in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def bare_loops(uri: str, collection: Any) -> Callable[[], None]:
    """The bare loop in two processes, each over half of the documents. They are ready before the time is taken."""
    spawned = multiprocessing.get_context("spawn")
    start = spawned.Barrier(3)
    middle = (
        collection.find({}, {"_id": 1}).sort("_id", 1).skip(collection.estimated_document_count() // 2)[0]
    )
    halves = ((None, middle["_id"]), (middle["_id"], None))
    processes = [spawned.Process(target=_half, args=(uri, start, half)) for half in halves]
    for process in processes:
        process.start()
    start.wait()

    def run() -> None:
        start.wait()
        for process in processes:
            process.join()
            if process.exitcode:
                raise SystemExit("a bare loop failed")

    return run


def _half(uri: str, start: Any, half: tuple[Any, Any]) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        collection = client.get_database("bench", write_concern=WriteConcern("majority"))["mixed"]
        collection.find_one()
        start.wait()  # it is ready
        start.wait()  # the others are, and the time is taken
        bare_loop(collection, *half)


def rate(run: dict[str, Any]) -> float:
    """Documents a second while batches were worked on."""
    rows = run["batches"]
    began = min(row[3] - row[2] for row in rows)
    return float(sum(row[0] for row in rows) / (max(row[3] for row in rows) - began))


def together(run: dict[str, Any]) -> float:
    """Documents a second while all workers were at work: from the first batch of the one that began last to the last batch
    of the one that ended first. Of a batch that lies half outside, half the documents count."""
    spans: dict[str, list[tuple[int, float, float]]] = {}
    for documents, _, seconds, ended, worker, *_ in sorted(run["batches"], key=lambda row: row[3]):
        mine = spans.setdefault(worker, [])
        mine.append((documents, mine[-1][2] if mine else ended - seconds, ended))
    begin = max(mine[0][1] for mine in spans.values())
    end = min(mine[-1][2] for mine in spans.values())
    within = sum(
        documents * max(0.0, min(end, ended) - max(begin, began)) / (ended - began)
        for mine in spans.values()
        for documents, began, ended in mine
    )
    return within / (end - begin)


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=int)
    parser.add_argument("--ways", default=",".join(str(number) for number in range(len(WAYS))))
    given = parser.parse_args()
    ways = [list(WAYS)[int(number)] for number in given.ways.split(",")]
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongod(find_mongod(os.environ), frugal=False) as mongod,
    ):
        folder = Path(name)
        set_up(folder)
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            database = client.get_database("bench", write_concern=WriteConcern("majority"))
            collection = database["mixed"]
            load_samples(collection, given.docs, seed=1)
            rates: dict[str, list[float]] = {}
            peaks: dict[str, list[float]] = {}

            def timed(label: str, work: Callable[[], None]) -> None:
                gc.collect()
                start = time.perf_counter()
                work()
                rates.setdefault(label, []).append(given.docs / (time.perf_counter() - start))

            for _ in range(given.rounds):
                timed("write limit", write_limit(collection))
                timed("transaction limit", transaction_limit(client, collection))
                timed("usual script", lambda: usual_script(collection))
                timed("2 bare loops", bare_loops(mongod.uri, collection))
                for label in ways:
                    run = phimask(mongod.uri, folder, "parallel", "mixed", *WAYS[label])
                    rates.setdefault(label, []).append(rate(run))
                    peaks.setdefault(label, []).append(run["peak"])
            show(given, rates, peaks)
            if given.scale:
                load_samples(collection, given.scale - given.docs, seed=3)
                run = phimask(mongod.uri, folder, "parallel", "mixed", *WAYS["2 workers"])
                small, large = statistics.median(rates["2 workers"]), rate(run)
                print(
                    f"{given.scale:,} documents, 2 workers: {large:,.0f} docs/s, {large / small:.2f} of the rate with "
                    f"{given.docs:,}; peak RSS of a process {run['peak'] / 1e6:,.0f} MB"
                )


def show(given: Any, rates: dict[str, list[float]], peaks: dict[str, list[float]]) -> None:
    """The table: medians, and ratios to the write limit and to one worker."""
    medians = {label: statistics.median(found) for label, found in rates.items()}
    one = medians.get("1 worker", float("nan"))
    print(
        f"{given.docs:,} documents, median of {given.rounds} rounds, one mongod, {psutil.cpu_count()} cores"
    )
    print(f"{'way':<30}{'docs/s':>9}{'of write limit':>16}{'of 1 worker':>13}{'peak RSS':>11}")
    for label, found in medians.items():
        peak = f"{statistics.median(peaks[label]) / 1e6:>8,.0f} MB" if label in peaks else ""
        print(f"{label:<30}{found:>9,.0f}{found / medians['write limit']:>16.2f}{found / one:>13.2f}{peak}")


if __name__ == "__main__":
    main()
