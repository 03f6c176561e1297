"""Where the processor's time for a document goes, step by step, in phimask's own process.

    uv run --with py-spy python tests/benchmarks/where_time_goes.py [--docs 12000] [--copy] [--set ...]

py-spy looks at the process that masks several hundred times a second and notes which function has the interpreter.
A look counts for the innermost function of phimask's or a plugin's. The shares are those of the looks at the loop; they are
turned into microseconds by the CPU time that the report of another run has, at which nobody looks, since each look stops the
process. So other work on the machine does not count, and py-spy's does not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from throughput import set_up

from phimask.masking.keys import MaskingKey
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

STEPS: Final = (
    ("reading: asking, taking documents out of replies", r"store/(reading|replies|raw|source)\.py"),
    ("telling classes and costs apart", r"planning/|batch_sizers/|memory_governors/|engine/(relief|resident)\.py"),
    ("encoding what is written", r"^(_encoded|_outcome) .*masking/in_hand\.py|^CompiledWalk\.patched "),
    ("walking to the values, decoding these", r"masking/(compiled_walk|decoded|encoded_walk|encoded|automaton|siblings"
     r"|unmapped|splice)\.py|^MaskingCore\._mask .*masking/core\.py"),
    ("maskers", r"phimask_plugins/maskers/"),
    ("columns: types, results judged", r"masking/(columns|core|bson_types)\.py"),
    ("results put together, counted", r"masking/(in_hand|outcomes|pieces|large)\.py"),
    ("fingerprints, journal, vault", r"masking/(fingerprints|covered)\.py|engine/(journal|takeover)\.py|ledger/|/vault/"),
    ("writing: sending, acknowledgement", r"store/writing\.py|engine/(commit|transactions|writers)\.py|store/retry\.py"),
    ("checking samples", r"validators/|engine/checking\.py"),
    ("all else", r""),
)  # fmt: skip
_LOOP: Final = re.compile(r"engine/(partition|commit|reading_ahead)\.py")
_FRAME: Final = re.compile(r"^(\S+) \((.*(?:phimask|phimask_plugins)/.*\.py)")
_RATE: Final = 400


def steps(raw: str) -> Counter[str]:
    """Looks by step, of py-spy's raw output: a stack a line, frames between semicolons, at the end how often."""
    found: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if _LOOP.search(stack):
            found[_step(stack)] += int(count)
    return found


def _step(stack: str) -> str:
    frames = stack.split(";")
    innermost = frames[-1].partition(" ")[0]
    for frame in reversed(frames):
        ours = _FRAME.match(frame)
        if ours is not None:
            function = f"{ours[1]} {ours[2]} {innermost}"
            return next(name for name, pattern in STEPS if re.search(pattern, function))
    return STEPS[-1][0]


def ran(uri: str, folder: Path, profile: str, settings: list[str], *before: str) -> dict[str, Any]:
    """A run in one process, by the command `before`, if any: its report."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    settings = ["executor=inline", "observers=[log]", *settings]
    environ = {**os.environ, "PHIMASK_URI": uri, "PHIMASK_KEY": MaskingKey.generate().text()}
    command = [
        *before,
        sys.executable, "-m", "phimask", "run", "--profile", profile, "-c", "mixed", "--yes", "--again",
        "--report", str(report),
        *(part for setting in settings for part in ("--set", setting)),
    ]  # fmt: skip
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if not report.exists():
        raise SystemExit(ended.stderr)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def main() -> None:
    """Load, take the time of one run, watch another, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=12_000)
    parser.add_argument("--profile", default="parallel")
    parser.add_argument("--copy", action="store_true", help="whole documents, into a target")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        folder = Path(name)
        set_up(folder)
        if given.copy:
            with (folder / "phimask.yaml").open("a") as project:
                project.write("target: {database: bench_copy}\n")
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            load_samples(client["bench"]["mixed"], given.docs, seed=1)
            spent = ran(mongod.uri, folder, given.profile, given.settings)["throughput"]
            client.drop_database("bench_copy")
        seen = folder / "seen.txt"
        looking = ("py-spy", "record", "--gil", "-r", str(_RATE), "-f", "raw", "-o", str(seen), "--")
        ran(mongod.uri, folder, given.profile, given.settings, *looking)
        found = steps(seen.read_text())
    each = spent["cpu_percent"] / 100 * spent["seconds"] / given.docs * 1e6
    total = sum(found.values())
    print(f"{given.docs:,} documents, profile {given.profile}, one process, {total:,} looks")
    for step, _ in STEPS:
        share = found[step] / total
        print(f"{step:<52}{share:>6.1%}{share * each:>7.0f} µs")
    print(f"{'all of a document':<52}{1:>6.0%}{each:>7.0f} µs")


if __name__ == "__main__":
    main()
