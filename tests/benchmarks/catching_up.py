"""How long an original refuses writes before the shadow that caught up with it takes its place.

    uv run python tests/benchmarks/catching_up.py [--docs 20000] [--writes 200] [--rounds 3]

Synthetic patients' documents are masked through a shadow while a process updates them, so many a second, one after the
other, and at random. Seconds are as the run's report has them (`closed_seconds`); the writer's own view, from the first
write that was refused to the first that was not, stands beside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern
from throughput import phimask, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

WRITER = """
import random, sys, time
from pymongo import MongoClient
from pymongo.errors import WriteError

with MongoClient(sys.argv[1]) as client:
    written = client["bench"]["mixed"]
    known = [one["_id"] for one in written.find({}, {"_id": 1})]
    refused, acknowledged, due = None, 0, time.monotonic()
    while True:
        try:
            written.update_one({"_id": random.choice(known)}, {"$set": {"Patient.FirstName": f"Synthetic {acknowledged}"}})
            acknowledged += 1
            if refused is not None:
                print(time.monotonic() - refused, acknowledged, flush=True)
                break
        except WriteError:
            refused = refused or time.monotonic()
        due += 1 / float(sys.argv[2])
        time.sleep(max(0.0, due - time.monotonic()))
"""
OBSERVER = '''
from phimask import Observer, hookimpl

class Nothing(Observer):
    """Listens."""
    name = "batches"
    def notify(self, event):
        pass
    def close(self):
        import os
        with open(os.environ["PHIMASK_BENCH_BATCHES"], "w") as file:
            print("{}", file=file)

@hookimpl
def phimask_register_observers():
    return [Nothing]
'''
SETTINGS = ("executor={name: local, options: {workers: 2}}", "undo.vault=null")


def main() -> None:
    """Load, mask, print a line a round and the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--writes", type=float, default=200.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    closed: list[float] = []
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        folder = Path(name)
        set_up(folder)
        (folder / "observer.py").write_text(OBSERVER)
        with (folder / "phimask.yaml").open("a") as file:
            file.write("target: {shadow: {keep_original: false, catch_up: true}}\n")
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            database = client.get_database("bench", write_concern=WriteConcern("majority"))
            print(f"{given.docs:,} documents, {given.writes:g} writes a second, {psutil.cpu_count()} cores")
            for _ in range(given.rounds):
                database["mixed"].drop()
                load_samples(database["mixed"], given.docs, seed=1)
                writer = subprocess.Popen(
                    [sys.executable, "-c", WRITER, mongod.uri, str(given.writes)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                phimask(mongod.uri, folder, "parallel", "mixed", *SETTINGS)
                told, _ = writer.communicate(timeout=60)
                swap = client["phimask"]["masking_coordination.swaps"].find_one(sort=[("_id.run", -1)])
                assert swap is not None
                closed.append(swap["closed_seconds"])
                seen, acknowledged = told.split()
                print(
                    f"closed {closed[-1]:.2f} s, seen from the writer {float(seen):.2f} s; {swap['changed']:,} documents "
                    f"caught up, of {int(acknowledged):,} writes"
                )
    print(f"median {statistics.median(closed):.2f} s")


if __name__ == "__main__":
    main()
