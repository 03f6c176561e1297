"""How fast copying into a target is, held against the insert limit, on one mongod.

    uv run python tests/benchmarks/copying.py [--docs 40000] [--rounds 3]

The insert limit is two threads that insert prepared raw documents into a new collection, and nothing else. It and
copying by two workers take turns, round by round, over the same documents and the masked paths of throughput.py; medians
are printed, and ratios of medians. A copy's rate is that from the beginning of its first batch to the end of its last,
and, beside it, that while both workers were at work; verifying all of it afterwards is not counted.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from bson.raw_bson import RawBSONDocument
from parallel import CUT, TWO, rate, together
from pymongo import InsertOne, MongoClient
from pymongo.write_concern import WriteConcern
from throughput import phimask, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.raw import Unopened, split
from phimask.store.sample.loading import load_samples

AT_ONCE = 1000


def insert_limit(source: Any, target: Any) -> float:
    """Documents a second of two threads that insert what was read beforehand."""
    documents = [Unopened(raw) for reply in source.find_raw_batches({}) for raw in split(reply)]
    bulks = [documents[start : start + AT_ONCE] for start in range(0, len(documents), AT_ONCE)]
    target.drop()
    gc.collect()

    def write(mine: list[list[Unopened]]) -> None:
        for bulk in mine:
            target.bulk_write([InsertOne(one) for one in bulk], ordered=False)

    threads = [threading.Thread(target=write, args=(bulks[part::2],)) for part in range(2)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    target.drop()
    return len(documents) / seconds


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", default="parallel")
    parser.add_argument("--set", action="append", default=[], help="a setting laid over the profile")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongod(find_mongod(os.environ), frugal=False) as mongod,
    ):
        folder = Path(name)
        set_up(folder)
        with (folder / "phimask.yaml").open("a") as project:
            project.write("target: {database: bench_copy}\n")
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            majority = WriteConcern("majority")
            load_samples(client.get_database("bench", write_concern=majority)["mixed"], given.docs, seed=1)
            source = client["bench"].get_collection(
                "mixed", codec_options=client.codec_options.with_options(document_class=RawBSONDocument)
            )
            target = client.get_database("bench_copy", write_concern=majority)["mixed"]
            limits: list[float] = []
            copies: list[float] = []
            both: list[float] = []
            peaks: list[float] = []
            for _ in range(given.rounds):
                limits.append(insert_limit(source, target))
                run = phimask(mongod.uri, folder, given.profile, "mixed", TWO, CUT, *given.set)
                copies.append(rate(run))
                both.append(together(run))
                peaks.append(run["peak"])
                target.drop()
        limit, copy, busy = map(statistics.median, (limits, copies, both))
        print(
            f"{given.docs:,} documents, median of {given.rounds} rounds, one mongod, {psutil.cpu_count()} cores"
        )
        print(f"insert limit, two threads   {limit:>9,.0f} docs/s")
        print(
            f"copying, two workers        {copy:>9,.0f} docs/s, {copy / limit:.2f} of the insert limit, peak RSS of a "
            f"process {statistics.median(peaks) / 1e6:,.0f} MB"
        )
        print(f"while both workers are busy {busy:>9,.0f} docs/s, {busy / limit:.2f} of the insert limit")


if __name__ == "__main__":
    main()
