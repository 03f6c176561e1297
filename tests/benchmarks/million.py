"""A million uneven documents in one run: the rate and the memory of each tenth of them.

    uv run python tests/benchmarks/million.py [--docs 1000000] [--workers 2] [--profile advanced]

Documents of 1 kB to 100 kB are made while they are loaded, some 5 GB in all. Memory is that of the coordinator and of
the largest worker, as seen from outside four times a second; a tenth is judged by the batches that ended in it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import psutil
from pymongo import MongoClient
from throughput import load, phimask, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample import sample_document

Document = dict[str, Any]
KINDS = (("simple", 0.70), ("medium", 0.25), ("complex", 0.05))
LARGEST = 100_000
MODELS = 2_000
PARTS = 10


def documents(count: int) -> Iterator[Document]:
    """Each differs in `_id`, record number and name; hard ones grow to 100 kB."""
    chance = random.Random(5)
    kinds, shares = zip(*KINDS, strict=True)
    models = [
        sample_document(number, seed=5, mix={kind: 1.0})
        for number, kind in enumerate(chance.choices(kinds, shares, k=MODELS))
    ]
    for model in models:
        size = len(bson.encode(model))
        if size > 20_000:
            model["Visits"] = model["Visits"] * max(1, int(chance.uniform(size, LARGEST)) // size)
    for number in range(count):
        model = models[number % MODELS]
        person = {**model["Patient"], "MRN": f"MRN{number:09d}", "LastName": f"Sample{number}"}
        yield {**model, "_id": bson.ObjectId(), "Patient": person}


class Watch:
    """Resident memory of the coordinator and of the largest worker, over time."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int, int]] = []
        self._own = psutil.Process()
        self._others = set(self._own.children())
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def peak(self, since: float, until: float) -> tuple[int, int]:
        """Bytes: the coordinator's, the largest worker's."""
        within = [row for row in self.seen if since <= row[0] <= until]
        return max((row[1] for row in within), default=0), max((row[2] for row in within), default=0)

    def _look(self) -> None:
        while not self._done.wait(0.25):
            for coordinator in set(self._own.children()) - self._others:
                with contextlib.suppress(psutil.Error):
                    workers = [one.memory_info().rss for one in coordinator.children()]
                    self.seen.append((time.time(), coordinator.memory_info().rss, max(workers, default=0)))


def main() -> None:
    """Load, mask, and print a line for each tenth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--profile", default="advanced")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        folder = Path(name)
        set_up(folder, ["million"])
        client: MongoClient[Document] = MongoClient(mongod.uri)
        with client:
            collection = client["bench"]["million"]
            load(collection, documents(given.docs))
            size = client["bench"].command("collStats", "million")["size"]
        with Watch() as watch:
            done = phimask(
                mongod.uri, folder, given.profile, "million", f"executor.options.workers={given.workers}"
            )
    rows = sorted(done["batches"], key=lambda row: row[3])
    print(
        f"{given.docs:,} documents, {size / 1e9:.1f} GB, {given.workers} workers, profile {given.profile}, {psutil.cpu_count()} cores"
    )
    print(f"{'tenth':>5}{'docs/s':>9}{'MB/s':>7}{'longest batch':>15}{'coordinator':>13}{'worker':>9}")
    began = rows[0][3] - rows[0][2]
    total = part = held = 0
    size = 0
    longest, since = 0.0, began
    for row in rows:
        total, held, size, longest = total + row[0], held + row[0], size + row[1], max(longest, row[2])
        if total >= (part + 1) * given.docs / PARTS or row is rows[-1]:
            part += 1
            coordinator, worker = watch.peak(since, row[3])
            spent = row[3] - since
            print(
                f"{part:>5}{held / spent:>9,.0f}{size / spent / 1e6:>7.1f}{longest:>13.2f} s"
                f"{coordinator / 1e6:>10,.0f} MB{worker / 1e6:>6,.0f} MB"
            )
            held, size, longest, since = 0, 0, 0.0, row[3]
    seconds = rows[-1][3] - began
    print(f"all: {total:,} documents in {seconds:,.0f} s, {total / seconds:,.0f} docs/s")


if __name__ == "__main__":
    main()
