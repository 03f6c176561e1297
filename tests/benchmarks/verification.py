"""How fast all documents are verified, held against how fast they are masked, in one run on one mongod.

    uv run python tests/benchmarks/verification.py [--docs 20000] [--rounds 3] [--workers 2]

Sample documents are masked by the shipped collection file `container` into a target, and `phimask verify` then holds all
of them against the source with every validator. Both by as many processes, and in turns, round by round; medians are
printed, and the ratio of medians. Masking is counted from the collection's beginning to its last batch, as the report
does; verification is the whole command, but for what the command takes for a single document: starting up, and the plan.
"""

from __future__ import annotations

import argparse
import json
import os
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

PROJECT = "version: 1\ndatabase: bench\ntarget: {database: bench_masked}\ncollections: [container]\n"


def phimask(folder: Path, uri: str, key: str, *arguments: str) -> tuple[float, Any]:
    """Seconds, and what the command answers as JSON."""
    environ = {**os.environ, "PHIMASK_URI": uri, "PHIMASK_KEY": key}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "phimask", *arguments, "--json"],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{arguments}: exit code {done.returncode}\n{done.stderr}")
    return seconds, json.loads(done.stdout)


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    key = MaskingKey.generate().text()
    workers = str(given.workers)
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongod(find_mongod(os.environ)) as mongod,
        MongoClient[dict[str, Any]](mongod.uri) as client,
    ):
        folder = Path(name)
        (folder / "phimask.yaml").write_text(PROJECT, encoding="utf-8")
        load_samples(client["bench"]["container"], given.docs, seed=1)
        masked: list[float] = []
        verified: list[float] = []
        mask = (
            "run", "--profile", "parallel", "--set", f"executor.options.workers={workers}",
            "--set", "partitioner.options.target_size=8MB",
        )  # fmt: skip
        verify = ("verify", "--profile", "parallel", "--workers", workers)
        for _ in range(given.rounds):
            client.drop_database("bench_masked")
            _, report = phimask(folder, mongod.uri, key, *mask)
            masked.append(report["throughput"]["documents_per_second"])
            startup, _ = phimask(folder, mongod.uri, key, *verify, "--sample", "1")
            seconds, _ = phimask(folder, mongod.uri, key, *verify)
            verified.append(given.docs / (seconds - startup))
    masking, verifying = statistics.median(masked), statistics.median(verified)
    print(
        f"{given.docs:,} documents, median of {given.rounds} rounds, {workers} processes, one mongod, "
        f"{psutil.cpu_count()} cores"
    )
    print(f"masking into a target         {masking:>8,.0f} docs/s")
    print(f"verifying, all validators     {verifying:>8,.0f} docs/s, {verifying / masking:.2f} of masking")


if __name__ == "__main__":
    main()
