"""What Python's collector of reference cycles costs a worker, and what reading ahead does, by the options of `memory`.

    uv run python tests/benchmarks/collector.py [--docs 8000] [--rounds 3]

The ways take turns over the same documents; medians are printed. CPU time is phimask's own for each document, as its
report has it, which other work on the machine changes less than rates; memory is the process's peak as seen from outside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

import psutil
from pymongo import MongoClient
from throughput import phimask, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

WAYS: Final = {
    "rests, young after a batch": "memory.collector={freeze: true, thresholds: null, after_batch: young}",
    "rests, all after a batch": "memory.collector={freeze: true, thresholds: null, after_batch: all}",
    "rests, never after a batch": "memory.collector={freeze: true, thresholds: null, after_batch: none}",
    "rests, nothing frozen": "memory.collector={freeze: false, thresholds: null, after_batch: young}",
    "Python's own way": "memory.collector={freeze: false, thresholds: [700, 10, 10], after_batch: none}",
    "as the first, read ahead": "memory.read_ahead=true",
}


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=8_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        folder = Path(name)
        set_up(folder)
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            load_samples(client["bench"]["mixed"], given.docs, seed=1)
        for _ in range(given.rounds):
            for way, setting in WAYS.items():
                run = phimask(mongod.uri, folder, "parallel", "mixed", "executor=inline", setting)
                found.setdefault(way, []).append(run)
    print(
        f"{given.docs:,} documents, median of {given.rounds} rounds, one mongod, {psutil.cpu_count()} cores"
    )
    print(f"{'way':<28}{'CPU a document':>16}{'docs/s':>9}{'peak RSS':>11}")
    for way, runs in found.items():
        spent = [run["report"]["throughput"] for run in runs]
        each = (
            statistics.median(one["cpu_percent"] / 100 * one["seconds"] for one in spent) / given.docs * 1e6
        )
        rate = statistics.median(one["documents_per_second"] for one in spent)
        peak = statistics.median(run["peak"] for run in runs) / 1e6
        print(f"{way:<28}{each:>13,.0f} µs{rate:>9,.0f}{peak:>8,.0f} MB")


if __name__ == "__main__":
    main()
