"""The crisis that batches by count make of uneven documents, beside what phimask makes of the same collections.

    uv run python tests/benchmarks/crisis.py [--docs 120000] [--only runs] [--ways "usual script,emergency"]
    uv run --with matplotlib python tests/benchmarks/crisis.py --plot docs/images/crisis.svg

Each collection holds the same kinds of documents in another order, such that hard ones come in runs. The usual script
(whole documents, decoded, masked, replaced, 3,500 at a time) and each profile mask it in turn, on one mongod; last of all
the same few thousand documents are masked again and again, which shows how even the machine is. A
batch's seconds are the longest over the shortest, once a process has done its first batches and without the last of
each partition, which its end cuts short; MB/s are those of batches of which nine tenths of the documents are of one class,
the quickest class over the slowest.

Batches aim at what each profile does, some seconds, or at `--target`: the shorter, the more a machine's hiccups of some
tenths of a second show. So that each run has some dozens of batches, collections are to be large.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bson
import psutil
from pymongo import MongoClient, ReplaceOne, UpdateOne
from pymongo.write_concern import WriteConcern
from throughput import USUAL_BATCH, changes, load, phimask, put, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample import sample_document

Document = dict[str, Any]
CLASSES = ("simple", "medium", "complex")
_USUAL = "usual script"
_SAME = "same again"
"""The usual script with one batch, over and over: what is uneven about that is the machine's."""
SAME_DOCUMENTS = 3000
SAME_TIMES = 20
WARM_UP = 10
"""Batches of each process from which a sizer learns what documents cost."""


class Batch(NamedTuple):
    """One batch: when it ended and how long it took, in seconds; its place; documents, bytes, documents by class; by
    what shares it missed the seconds and the bytes of memory that were expected."""

    ended: float
    seconds: float
    worker: str
    partition: int
    documents: int
    bytes: int
    classes: Mapping[str, int]
    off: tuple[float | None, float | None] = (None, None)


def _of(kind: str, number: int) -> Document:
    return sample_document(number, seed=1, mix={kind: 1.0})


def ascending(docs: int) -> Iterator[Document]:
    """Simple ones first, then medium, then complex: an import that went from small clinics to a hospital."""
    for number in range(docs):
        yield _of(CLASSES[0 if number < docs * 0.6 else 1 if number < docs * 0.9 else 2], number)


def runs(docs: int) -> Iterator[Document]:
    """Runs of a hundred complex ones, with nine hundred simple ones between."""
    for number in range(docs):
        yield _of("complex" if number % 1000 >= 900 else "simple", number)


def block(docs: int) -> Iterator[Document]:
    """One block of complex ones in the midst of medium ones."""
    for number in range(docs):
        yield _of("complex" if 0.45 < number / docs < 0.55 else "medium", number)


def giants(docs: int) -> Iterator[Document]:
    """Simple ones, and after each thousand of them ten of about a megabyte."""
    for number in range(docs):
        document = _of("complex" if number % 1000 >= 990 else "simple", number)
        if number % 1000 >= 990:
            document["Visits"] = document["Visits"] * max(1, 1_000_000 // len(bson.encode(document)))
        yield document


def misleading(docs: int) -> Iterator[Document]:
    """Few fields with long texts, then the same bytes in many small fields: their size says nothing."""
    chance = random.Random(1)
    for number in range(docs):
        document = _of("simple", number)
        if number % 2000 < 1000:
            document["Visits"] = [{"Note": "The patient slept well. " * chance.randrange(300, 900)}]
        else:
            document["Visits"] = _of("complex", number)["Visits"]
        yield document


SKEWS: Mapping[str, Callable[[int], Iterator[Document]]] = {
    one.__name__: one for one in (ascending, runs, block, giants, misleading)
}


def usual_script(uri: str, name: str) -> None:
    """In a process of its own: a line for each batch."""
    client: MongoClient[Document] = MongoClient(uri)
    with client:
        collection = client.get_database("bench", write_concern=WriteConcern("majority"))[name]
        batch: list[Any] = []
        size, start = 0, time.perf_counter()

        def write() -> None:
            nonlocal batch, size, start
            collection.bulk_write(batch, ordered=False)
            now = time.perf_counter()
            print(json.dumps([time.time(), now - start, len(batch), size]), flush=True)
            batch, size, start = [], 0, now

        for document in collection.find({}):
            size += len(bson.encode(document))
            for path, value in changes(document).items():
                put(document, path, value)
            batch.append(ReplaceOne({"_id": document["_id"]}, document))
            if len(batch) == USUAL_BATCH:
                write()
        if batch:
            write()


def same_again(uri: str, name: str) -> None:
    """In a process of its own: a line each time that the first documents are masked, from the second time on."""
    client: MongoClient[Document] = MongoClient(uri)
    with client:
        collection = client.get_database("bench", write_concern=WriteConcern("majority"))[name]
        for number in range(SAME_TIMES + 1):
            start = time.perf_counter()
            # A mask is masked anew each time, so that each writes as much.
            batch = [
                UpdateOne({"_id": document["_id"]}, {"$set": changes(document)})
                for document in collection.find({}, limit=SAME_DOCUMENTS).sort("_id", 1)
            ]
            collection.bulk_write(batch, ordered=False)
            if number:
                print(json.dumps([time.time(), time.perf_counter() - start, len(batch), 0]), flush=True)


class Result(NamedTuple):
    """What one way made of one collection."""

    rate: float
    slowest: float | None
    evenness: float | None
    classes: float | None
    peak: float
    errors: tuple[float | None, float | None]
    batches: Sequence[Batch]


def run_script(which: str, uri: str, name: str) -> Result:
    """The script's batches and peak memory, as seen from outside."""
    command = [sys.executable, __file__, "--script", which, uri, name]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out)
        watched, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss)
            except psutil.Error:
                break
            time.sleep(0.05)
        if process.wait():
            raise SystemExit("the script failed")
        out.seek(0)
        rows = [json.loads(line) for line in out]
    batches = [Batch(ended, seconds, "", 0, docs, size, {}) for ended, seconds, docs, size in rows]
    full = [one for one in batches if one.documents == batches[0].documents]
    rate = sum(one.documents for one in batches) / sum(one.seconds for one in batches)
    scatter = _scatter(full) if which == _SAME else None
    return Result(rate, _slowest(batches), _evenness(full), None, peak, (scatter, None), batches)


def run_phimask(uri: str, folder: Path, profile: str, name: str, target: float | None) -> Result:
    """A run of phimask as a user has it."""
    aims = {} if target is None else {"target": target, "longest": 2 * target}
    settings = [f"batch_sizer.options.{option}={seconds}s" for option, seconds in aims.items()]
    done = phimask(uri, folder, profile, name, *settings)
    batches = [
        Batch(
            ended,
            seconds,
            worker,
            partition,
            documents,
            size,
            classes,
            (_off(likely, seconds), _off(most, peak)),
        )
        for documents, size, seconds, ended, worker, partition, classes, likely, most, peak in done["batches"]
    ]
    steady = list(_steady(batches))
    errors = (_median(one.off[0] for one in steady), _median(one.off[1] for one in steady))
    began = min(one.ended - one.seconds for one in batches)
    rate = sum(one.documents for one in batches) / (max(one.ended for one in batches) - began)
    return Result(
        rate, _slowest(batches), _evenness(steady), _by_class(steady), done["peak"], errors, batches
    )


def _steady(batches: Sequence[Batch]) -> Iterator[Batch]:
    """Without the first batches of each process, and without the last of each partition."""
    begun: dict[str, int] = defaultdict(int)
    last = {one.partition: number for number, one in enumerate(batches)}
    for number, one in enumerate(batches):
        begun[one.worker] += 1
        if begun[one.worker] > WARM_UP and last[one.partition] != number:
            yield one


def _off(expected: float | None, found: float) -> float | None:
    return abs(expected - found) / found if expected and found else None


def _scatter(batches: Sequence[Batch]) -> float | None:
    """By what share a batch misses the median of the others, where all are alike: nobody can predict better."""
    seconds = [one.seconds for one in batches]
    return _median(
        _off(statistics.median(seconds[:number] + seconds[number + 1 :]), one)
        for number, one in enumerate(seconds)
    )


def _median(shares: Iterator[float | None]) -> float | None:
    """In percent."""
    known = [share for share in shares if share is not None]
    return 100 * statistics.median(known) if known else None


def _slowest(batches: Sequence[Batch]) -> float | None:
    return max((one.seconds for one in batches), default=None)


def _evenness(batches: Sequence[Batch]) -> float | None:
    seconds = [one.seconds for one in batches]
    return max(seconds) / min(seconds) if len(seconds) > 1 else None


def _by_class(batches: Sequence[Batch]) -> float | None:
    rates: dict[str, list[float]] = defaultdict(list)
    for one in batches:
        kind, most = max(one.classes.items(), key=lambda item: item[1], default=("", 0))
        if most >= 0.9 * one.documents:
            rates[kind].append(one.bytes / one.seconds)
    medians = [statistics.median(found) for found in rates.values()]
    return max(medians) / min(medians) if len(medians) > 1 else None


_SCRIPTS = {_USUAL: usual_script, _SAME: same_again}


def main() -> None:
    """Load each collection, let the ways take turns, print the table, draw the plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--script", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--docs", type=int, default=120_000)
    parser.add_argument("--target", type=float)
    parser.add_argument("--ways", default=f"{_USUAL},emergency,parallel,advanced,{_SAME}")
    parser.add_argument("--only", default=",".join(SKEWS))
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    if given.script:
        which, uri, name = given.script
        _SCRIPTS[which](uri, name)
        return
    found: dict[str, dict[str, Result]] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongod(find_mongod(os.environ), frugal=False) as mongod,
    ):
        folder = Path(name)
        set_up(folder, given.only.split(","))
        client: MongoClient[Document] = MongoClient(mongod.uri)
        print(f"{'collection':<12}{'way':<16}{'docs/s':>8}{'slowest':>9}{'max/min':>9}{'MB/s':>7}{'peak RSS':>10}"
              f"{'time off':>10}{'memory off':>12}")  # fmt: skip
        with client:
            for skew in given.only.split(","):
                loaded = client["bench"][f"{skew}_loaded"]
                load(loaded, SKEWS[skew](given.docs))
                ways = {}
                for way in given.ways.split(","):
                    # Each masks the same: a note that is a hash already would mislead nobody.
                    loaded.aggregate([{"$out": skew}])
                    if way in _SCRIPTS:
                        ways[way] = run_script(way, mongod.uri, skew)
                    else:
                        ways[way] = run_phimask(mongod.uri, folder, way, skew, given.target)
                loaded.drop()
                client["bench"].drop_collection(skew)
                found[skew] = ways
                for way, result in ways.items():
                    _show(skew, way, result)
    for way in given.ways.split(","):
        if way not in _SCRIPTS:
            _show_misses(way, [ways[way].batches for ways in found.values()])
    if given.plot:
        draw(found, given.plot)


def _show(skew: str, way: str, one: Result) -> None:
    def number(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    print(
        f"{skew:<12}{way:<16}{one.rate:>8,.0f}{number(one.slowest, '.2f') + ' s':>9}{number(one.evenness, '.2f'):>9}"
        f"{number(one.classes, '.2f'):>7}{one.peak / 1e6:>7,.0f} MB{number(one.errors[0], '.1f'):>8} %"
        f"{number(one.errors[1], '.1f'):>10} %",
        flush=True,
    )


def _show_misses(way: str, collections: Sequence[Sequence[Batch]]) -> None:
    """By what the steady batches of all collections together missed what was expected of them."""
    steady = [one for batches in collections for one in _steady(batches)]
    misses = [_median(one.off[what] for one in steady) or 0.0 for what in (0, 1)]
    print(f"{'of all':<12}{way:<16}{len(steady):>4} batches{misses[0]:>39.1f} %{misses[1]:>10.1f} %")


def draw(found: Mapping[str, Mapping[str, Result]], path: Path) -> None:
    """Each batch's seconds over the time of the run, a row a collection and a column a way."""
    import matplotlib  # noqa: PLC0415  (only for the plot, and no dependency)

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "phimask"
    from matplotlib import pyplot  # noqa: PLC0415

    ways = list(next(iter(found.values())))
    figure, axes = pyplot.subplots(
        len(found), len(ways), figsize=(2.6 * len(ways), 1.5 * len(found)), sharey="row", squeeze=False
    )
    for row, (skew, results) in zip(axes, found.items(), strict=True):
        for axis, way in zip(row, ways, strict=True):
            batches = results[way].batches
            began = min(one.ended - one.seconds for one in batches)
            axis.scatter([one.ended - began for one in batches], [one.seconds for one in batches], s=5)
            axis.set_ylim(bottom=0)
            axis.tick_params(labelsize=6)
        row[0].set_ylabel(f"{skew}\nseconds a batch", fontsize=6)
    for axis, way in zip(axes[0], ways, strict=True):
        axis.set_title(way, fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("seconds into the run", fontsize=6)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
