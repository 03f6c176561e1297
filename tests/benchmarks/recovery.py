"""How soon masking goes on after `kill -9` of everything: from the start of `phimask resume` to its first batch written.

    uv run python tests/benchmarks/recovery.py [--docs 20000] [--rounds 5] [--guard changed|none]

A run under the profile `parallel` over sample documents is killed, coordinator and workers at the same moment, and
resumed; each round kills what the round before resumed. The time counted holds all that a person waits for: Python's
start, planning, the ledger, the workers' start, and what the dead left behind. A masker that is not idempotent counts
how often each document was masked.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient

from phimask.masking.keys import MaskingKey
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

PLUGIN = '''
import time
from phimask import Masker, hookimpl

class AddOne(Masker):
    """Adds 1, and takes its time."""
    name = "add_one"
    types = frozenset({"int"})
    def mask(self, column):
        time.sleep(0.0005 * len(column.values))
        return [value + 1 for value in column.values]

@hookimpl
def phimask_register_maskers():
    return [AddOne]
'''
RULES = """
version: 1
collection: container
extends: [hipaa-person]
subject: PatientId
rules:
  - {path: Times, masker: add_one}
"""


def everything(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The process and all that it started."""
    first = psutil.Process(process.pid)
    return [first, *first.children(recursive=True)]


def kill(process: subprocess.Popen[bytes]) -> None:
    """All of it at once: none sees another die."""
    processes = everything(process)
    for act in ("suspend", "kill"):
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(one, act)()
    process.wait()
    psutil.wait_procs(processes, 10)


def until(collection: Any, masked: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until more documents than these are masked."""
    while collection.count_documents({"Times": {"$gt": 0}}) <= masked:
        if process.poll() is not None:
            sys.exit("it ended before it was killed: give more documents")
        time.sleep(0.02)


def main() -> None:
    """Print the seconds of each round."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--docs", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--guard", choices=["changed", "none"], default="changed")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as server:
        folder = Path(name)
        (folder / "collections").mkdir()
        (folder / "counting.py").write_text(PLUGIN, encoding="utf-8")
        (folder / "collections" / "counted.yaml").write_text(RULES, encoding="utf-8")
        (folder / "phimask.yaml").write_text(
            "version: 1\nuri: ${PHIMASK_URI}\ndatabase: ehr\nplugins: [counting.py]\nprofile: parallel\n"
            "collections: [counted]\n",
            encoding="utf-8",
        )
        environment = {**os.environ, "PHIMASK_URI": server.uri, "PHIMASK_KEY": MaskingKey.generate().text()}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode beside it
        with MongoClient[dict[str, Any]](server.uri) as client:
            collection = client["ehr"]["container"]
            load_samples(collection, chosen.docs, seed=1)
            collection.update_many({}, {"$set": {"Times": 0}})
            collection.create_index("Times")

            def start(*arguments: str) -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    [sys.executable, "-m", "phimask", *arguments],
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )

            process = start(
                "--yes",
                f"--set=write.guard={chosen.guard}",
                "--set=executor.options.workers=2",
                "--set=partitioner.options.target_size=8MB",
            )
            until(collection, 0, process)
            measured = []
            for number in range(chosen.rounds):
                time.sleep(random.random())
                kill(process)
                masked = collection.count_documents({"Times": {"$gt": 0}})
                began = time.perf_counter()
                process = start("resume", "--set=executor.options.workers=2")
                until(collection, masked, process)
                measured.append(time.perf_counter() - began)
                print(
                    f"round {number + 1}: {masked:,} documents masked, {measured[-1]:.2f} s to the next batch"
                )
            process.wait()
            often = {
                one["_id"]: one["n"]
                for one in collection.aggregate([{"$group": {"_id": "$Times", "n": {"$sum": 1}}}])
            }
    print(f"guard {chosen.guard}: median {statistics.median(measured):.2f} s, longest {max(measured):.2f} s")
    print(f"documents by how often they were masked: {often}")


if __name__ == "__main__":
    main()
