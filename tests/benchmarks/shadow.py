"""Masking in place and through a shadow, with few and many secondary indexes, on one mongod, in one run.

    uv run python tests/benchmarks/shadow.py [--docs 40000] [--rounds 3]

The ways take turns, round by round, over the same documents and masked paths as in throughput.py; medians are printed.
Five of the indexes are on masked paths, the others are not. A rate is documents by the seconds from the collection's
beginning to its end: in place that is masking, through a shadow filling it, building its indexes and swapping it in.
A shadow is also verified against its original, all documents, for which in place there are no originals: those seconds
have a column of their own, and are left out of the rate.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern
from throughput import phimask, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

ON_MASKED_PATHS = ("Patient.LastName", "Patient.SSN", "Patient.MRN", "Patient.DateOfBirth", "Visits.Date")
INDEXES = (0, 5, 20)
WORKERS = "executor={name: local, options: {workers: 2}}"
SETTINGS = (WORKERS, "partitioner={name: sample, options: {target_size: 32MB}}", "undo.vault=null")

OBSERVER = '''
import json, os, time
from phimask import Observer, events, hookimpl

class Steps(Observer):
    """Writes when each step of a collection was over: a JSON object."""
    name = "batches"
    def __init__(self, options):
        super().__init__(options)
        self._times = {}
    def notify(self, event):
        now = time.time()
        if isinstance(event, events.CollectionStarted):
            self._times["began"] = now
        elif isinstance(event, events.BatchFinished):
            self._times["filled"] = now
        elif isinstance(event, events.VerificationProgress):
            self._times.setdefault("indexed", now)
            self._times["verified"] = now
        elif isinstance(event, events.CollectionFinished):
            self._times["ended"] = now
    def close(self):
        with open(os.environ["PHIMASK_BENCH_BATCHES"], "w") as file:
            print(json.dumps(self._times), file=file)

@hookimpl
def phimask_register_observers():
    return [Steps]
'''


def reindex(collection: Any, count: int) -> None:
    """The collection with so many secondary indexes, the first of them on masked paths."""
    collection.drop_indexes()
    others = (f"Field{number}" for number in itertools.count())
    for path in itertools.islice(itertools.chain(ON_MASKED_PATHS, others), count):
        collection.create_index(path)


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    steps: dict[tuple[int, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        places = {"in place": Path(name, "place"), "shadow": Path(name, "shadow")}
        for way, folder in places.items():
            folder.mkdir()
            set_up(folder)
            (folder / "observer.py").write_text(OBSERVER)
            if way == "shadow":
                with (folder / "phimask.yaml").open("a") as file:
                    file.write("target: {shadow: {keep_original: false}}\n")
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            database = client.get_database("bench", write_concern=WriteConcern("majority"))
            load_samples(database["mixed"], given.docs, seed=1)
            # Fields for the indexes that are on no masked path.
            fields = {
                f"Field{number}": {"$floor": {"$multiply": [{"$rand": {}}, 1e6]}} for number in range(15)
            }
            database["mixed"].update_many({}, [{"$set": fields}])
            for _ in range(given.rounds):
                for indexes in INDEXES:
                    reindex(database["mixed"], indexes)
                    for way, folder in places.items():
                        run = phimask(mongod.uri, folder, "parallel", "mixed", *SETTINGS)
                        steps.setdefault((indexes, way), []).append(run["batches"][0])
    show(given.docs, given.rounds, steps)


def show(docs: int, rounds: int, steps: dict[tuple[int, str], list[dict[str, float]]]) -> None:
    """The table: medians of rates and of seconds a step, and the ratio to masking in place."""
    print(f"{docs:,} documents, median of {rounds} rounds, one mongod, {psutil.cpu_count()} cores, 2 workers")
    print(
        f"{'indexes':>7}  {'way':<10}{'docs/s':>9}{'of in place':>13}{'s to fill':>11}{'s to index':>12}"
        f"{'s to swap':>11}{'s to verify':>13}"
    )
    in_place: dict[int, float] = {}
    for (indexes, way), runs in steps.items():
        filled = [run["filled"] - run["began"] for run in runs]
        indexed = [run.get("indexed", run["filled"]) - run["filled"] for run in runs]
        verified = [run.get("verified", 0.0) - run.get("indexed", 0.0) for run in runs]
        whole = [run["ended"] - run["began"] for run in runs]
        rate = statistics.median(docs / (all_ - out) for all_, out in zip(whole, verified, strict=True))
        in_place.setdefault(indexes, rate)
        told = f"{indexes:>7}  {way:<10}{rate:>9,.0f}{rate / in_place[indexes]:>13.2f}{statistics.median(filled):>11.1f}"
        if way == "shadow":
            swapped = [run["ended"] - run["verified"] for run in runs]
            told += (
                f"{statistics.median(indexed):>12.1f}{statistics.median(swapped):>11.2f}"
                f"{statistics.median(verified):>13.1f}"
            )
        print(told)


if __name__ == "__main__":
    main()
