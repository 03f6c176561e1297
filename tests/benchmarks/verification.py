"""How fast all documents are verified, held against how fast they are masked, in one run on one mongod.

    uv run python tests/benchmarks/verification.py [--docs 20000] [--few 2000] [--rounds 3] [--workers 2] [--in-place]

Sample documents are masked by the shipped collection file `container` into a target, or in place with a vault, and
`phimask verify` then holds all of them against the originals with every validator. Both by as many processes, and in
turns, round by round; medians are printed, and the ratio of medians. Two ways of counting, each the same for both:

- the whole command, as somebody waits for it;
- the documents alone: the same is done to a collection of a few, and what that takes is left out, with the few. So nothing
  counts that is done once, however many documents there are: processes that start, the plan, detectors' lists.
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

COLLECTION = "container"


def phimask(folder: Path, uri: str, key: str, *arguments: str) -> float:
    """The seconds that a command takes."""
    environ = {**os.environ, "PHIMASK_URI": uri, "PHIMASK_KEY": key}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "phimask", *arguments, "--json"],
        cwd=folder, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{arguments}: exit code {done.returncode}\n{done.stderr}")
    json.loads(done.stdout)
    return seconds


class Turn:
    """A collection that is masked and then verified, by `workers` processes, in place or into a target."""

    def __init__(
        self, client: MongoClient[dict[str, Any]], uri: str, workers: int, *, in_place: bool
    ) -> None:
        self._client = client
        self._uri = uri
        self._workers = workers
        self._in_place = in_place
        self._key = MaskingKey.generate().text()

    def seconds(self, documents: int) -> tuple[float, float]:
        """What it takes to mask so many documents, and to verify them."""
        name = f"bench_{documents}"
        self._client.drop_database(f"{name}_masked")
        if self._in_place or name not in self._client.list_database_names():
            self._client.drop_database(name)
            load_samples(self._client[name][COLLECTION], documents, seed=1)
        with tempfile.TemporaryDirectory() as folder:
            project = f"version: 1\ndatabase: {name}\ncollections: [{COLLECTION}]\n"
            if not self._in_place:
                project += f"target: {{database: {name}_masked}}\n"
            (Path(folder) / "phimask.yaml").write_text(project, encoding="utf-8")
            profile = ["--profile", "parallel"]
            if self._in_place:
                profile += ["--set", "write.journal=true", "--set", "undo.vault=vault"]
            tuning = [
                "--yes", "--set", f"executor.options.workers={self._workers}",
                "--set", "partitioner.options.target_size=8MB",
            ]  # fmt: skip
            masked = phimask(Path(folder), self._uri, self._key, "run", *profile, *tuning)
            looking = ["--workers", str(self._workers)]
            return masked, phimask(Path(folder), self._uri, self._key, "verify", *profile, *looking)


def main() -> None:
    """Take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--few", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--in-place", action="store_true")
    given = parser.parse_args()
    if given.few >= given.docs:
        parser.error("--few has to be fewer than --docs")
    with (
        EmbeddedMongod(find_mongod(os.environ)) as mongod,
        MongoClient[dict[str, Any]](mongod.uri) as client,
    ):
        turn = Turn(client, mongod.uri, given.workers, in_place=given.in_place)
        rounds = [(turn.seconds(given.docs), turn.seconds(given.few)) for _ in range(given.rounds)]
    where = "in place, with a vault" if given.in_place else "into a target"
    print(
        f"{given.docs:,} documents masked {where}, median of {given.rounds} rounds, {given.workers} processes, one "
        f"mongod, {psutil.cpu_count()} cores"
    )
    _line("the whole command", given.docs, [all_of_it for all_of_it, _ in rounds])
    _line(
        "documents alone",
        given.docs - given.few,
        [(many[0] - few[0], many[1] - few[1]) for many, few in rounds],
    )


def _line(what: str, documents: int, seconds: list[tuple[float, float]]) -> None:
    masking, verifying = (documents / statistics.median(one[way] for one in seconds) for way in (0, 1))
    print(
        f"{what:<18} masking {masking:>7,.0f} docs/s, verifying {verifying:>7,.0f} docs/s: "
        f"{verifying / masking:.2f} of masking"
    )


if __name__ == "__main__":
    main()
