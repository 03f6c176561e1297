"""How fast masking is, held against the server's own limit and against simpler ways, on one mongod.

    uv run python tests/benchmarks/throughput.py [--docs 20000] [--rounds 3]

The ways take turns, round by round, over the same documents and the same masked paths, so that a machine whose
speed drifts drifts for all of them; medians are printed, and ratios of medians. Every masker used gives a new
value for an already masked one, so each round writes as much as the one before.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient, ReplaceOne, UpdateOne
from pymongo.write_concern import WriteConcern

from phimask.masking.keys import MaskingKey
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

TEXTS = (
    "Patient.FirstName", "Patient.MiddleName", "Patient.LastName", "Patient.SSN", "Patient.MRN", "Patient.Phone",
    "Patient.Email", "Patient.Address.Street", "Patient.Address.City", "Patient.Address.Zip", "Contacts.Name",
    "Contacts.Phone", "Insurance.MemberId", "Insurance.GroupNumber", "Visits.VisitId", "Visits.Facility",
    "Visits.Note", "Visits.Provider.Name", "Visits.Provider.NPI", "Visits.Provider.Contact.Phone",
    "Billing.AccountNumber",
)  # fmt: skip
DATES = ("Patient.DateOfBirth", "Visits.Date", "Visits.Labs.Date", "Billing.Date")
BARE_BATCH = 1000
USUAL_BATCH = 3500
_KEY = b"k" * 32
_DAY = datetime.timedelta(days=1)

OBSERVER = '''
import json, os, time
from phimask import Observer, events, hookimpl

class Batches(Observer):
    """Writes a JSON line for each batch: documents, bytes, seconds, time, worker, partition, documents by class,
    and the seconds and bytes that were expected."""
    name = "batches"
    def __init__(self, options):
        super().__init__(options)
        self._file = open(os.environ["PHIMASK_BENCH_BATCHES"], "w")
    def notify(self, event):
        if isinstance(event, events.BatchFinished):
            row = [event.documents, event.bytes, event.seconds, time.time()]
            row += [event.worker, event.partition, dict(event.classes)]
            row += [None, None] if event.expected is None else [event.expected.seconds, event.expected.peak_bytes]
            row += [event.peak_bytes]
            print(json.dumps(row), file=self._file, flush=True)
    def close(self):
        self._file.close()

@hookimpl
def phimask_register_observers():
    return [Batches]
'''


def mask_text(value: Any) -> Any:
    """What the simpler ways do to a text or number: the work of the masker `hash`, without a check."""
    digest = hmac.digest(_KEY, str(value).encode(), "sha256")
    return digest.hex()[:16] if isinstance(value, str) else type(value)(int.from_bytes(digest[:3], "big"))


def changes(document: dict[str, Any]) -> dict[str, Any]:
    """The `$set` of one document: every masked path, as a bare script would write it by hand."""
    found: dict[str, Any] = {}
    for path in TEXTS:
        _walk(document, path.split("."), "", mask_text, found)
    for path in DATES:
        _walk(document, path.split("."), "", lambda value: value + _DAY, found)
    return found


def _walk(
    value: Any, keys: list[str], prefix: str, mask: Callable[[Any], Any], found: dict[str, Any]
) -> None:
    child = value.get(keys[0])
    if child is None:
        return
    path = f"{prefix}{keys[0]}"
    if isinstance(child, list):
        for index, element in enumerate(child):
            if len(keys) > 1:
                _walk(element, keys[1:], f"{path}.{index}.", mask, found)
            else:
                found[f"{path}.{index}"] = mask(element)
    elif len(keys) > 1:
        _walk(child, keys[1:], f"{path}.", mask, found)
    else:
        found[path] = mask(child)


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path of a decoded document."""
    *parents, last = path.split(".")
    target: Any = document
    for key in parents:
        target = target[int(key)] if isinstance(target, list) else target[key]
    target[int(last) if isinstance(target, list) else last] = value


def bare_batches(collection: Any, after: Any = None, upto: Any = None) -> Iterator[list[dict[str, Any]]]:
    """Projected reading in `_id` order, decoded."""
    projection = dict.fromkeys((*TEXTS, *DATES), 1)
    last = after
    while True:
        bounds = {key: bound for key, bound in (("$gt", last), ("$lte", upto)) if bound is not None}
        query = {"_id": bounds} if bounds else {}
        found = list(collection.find(query, projection, sort=[("_id", 1)], limit=BARE_BATCH))
        if not found:
            return
        last = found[-1]["_id"]
        yield found


def write_limit(collection: Any) -> Callable[[], None]:
    """Prepared `$set` bulks, two threads, nothing else."""
    prepared = [
        [UpdateOne({"_id": document["_id"]}, {"$set": changes(document)}) for document in batch]
        for batch in bare_batches(collection)
    ]

    def write(bulks: list[list[Any]]) -> None:
        for bulk in bulks:
            collection.bulk_write(bulk, ordered=False)

    def run() -> None:
        threads = [threading.Thread(target=write, args=(prepared[part::2],)) for part in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def usual_script(collection: Any) -> None:
    """Whole documents, decoded, masked and replaced, so many at a time."""
    batch: list[Any] = []
    for document in collection.find({}):
        for path, value in changes(document).items():
            put(document, path, value)
        batch.append(ReplaceOne({"_id": document["_id"]}, document))
        if len(batch) == USUAL_BATCH:
            collection.bulk_write(batch, ordered=False)
            batch = []
    if batch:
        collection.bulk_write(batch, ordered=False)


def bare_loop(collection: Any, after: Any = None, upto: Any = None) -> None:
    """Projected read, mask, `$set`: no check, no bound, no way back."""
    for batch in bare_batches(collection, after, upto):
        bulk = [UpdateOne({"_id": document["_id"]}, {"$set": changes(document)}) for document in batch]
        collection.bulk_write(bulk, ordered=False)


def phimask(uri: str, folder: Path, profile: str, collection: str, *settings: str) -> dict[str, Any]:
    """A real run in a process of its own: its report, its batches, and the peak memory of the largest of its processes
    as seen from outside."""
    batches = folder / "batches.jsonl"
    environ = {
        **os.environ, "PHIMASK_URI": uri, "PHIMASK_KEY": MaskingKey.generate().text(),
        "PHIMASK_BENCH_BATCHES": str(batches),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "phimask", "run", "--profile", profile, "-c", collection, "--yes", "--again", "--json",
        "--accept", "oplog-window", "--accept", "unmapped-phi",
        "--set", "observers=[batches]", "--report", str(folder / "report.json"),
        *(part for setting in settings for part in ("--set", setting)),
    ]  # fmt: skip
    with (folder / "stderr.txt").open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=errors)
        watched = psutil.Process(process.pid)
        peak = 0
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                for one in (watched, *watched.children()):
                    peak = max(peak, one.memory_info().rss)
            time.sleep(0.05)
        process.wait()
    # production looks for PHI in fields that no rule names, and there is some: 3.
    if process.returncode not in ((0, 3) if profile == "production" else (0,)):
        raise SystemExit((folder / "stderr.txt").read_text())
    report = json.loads((folder / "report.json").read_text())
    rows = [json.loads(line) for line in batches.read_text().splitlines()]
    return {"report": report, "batches": rows, "peak": peak}


def load(collection: Any, documents: Iterator[dict[str, Any]]) -> None:
    """Insert them, in batches of 500."""
    while batch := list(islice(documents, 500)):
        collection.insert_many(batch)


def set_up(folder: Path, collections: Sequence[str] = ("mixed", "complex")) -> None:
    """The project that phimask runs in: the same paths and work as the simpler ways."""
    lines = ["version: 1", "collection: mixed", "subject: PatientId", "rules:"]
    lines += [f"  - {{path: {path}, masker: {{name: hash, options: {{length: 16}}}}}}" for path in TEXTS]
    lines += [f"  - {{path: {path}, masker: date_shift}}" for path in DATES]
    (folder / "collections").mkdir()
    for name in collections:
        text = "\n".join(lines).replace("collection: mixed", f"collection: {name}")
        (folder / "collections" / f"{name}.yaml").write_text(text + "\n")
    (folder / "observer.py").write_text(OBSERVER)
    (folder / "phimask.yaml").write_text(
        "version: 1\nuri: ${PHIMASK_URI}\ndatabase: bench\nkey: {env: PHIMASK_KEY}\nplugins: [observer.py]\n"
    )


def evenness(rows: list[list[float]]) -> float | None:
    """Longest batch over shortest, after the first five and without the last, which the end cuts short."""
    seconds = [row[2] for row in rows[5:-1]]
    return max(seconds) / min(seconds) if len(seconds) > 1 else None


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--complex-docs", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profiles", default="emergency,parallel,advanced,production")
    given = parser.parse_args()
    profiles = given.profiles.split(",")
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongod(find_mongod(os.environ), frugal=False) as mongod,
    ):
        folder = Path(name)
        set_up(folder)
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            database = client.get_database("bench", write_concern=WriteConcern("majority"))
            load_samples(database["mixed"], given.docs, seed=1)
            load_samples(database["complex"], given.complex_docs, seed=2, mix={"complex": 1.0})
            collection = database["mixed"]
            rates: dict[str, list[float]] = {}
            runs: dict[str, list[dict[str, Any]]] = {}

            def timed(label: str, work: Callable[[], None]) -> None:
                gc.collect()
                start = time.perf_counter()
                work()
                rates.setdefault(label, []).append(given.docs / (time.perf_counter() - start))

            for _ in range(given.rounds):
                timed("write limit", write_limit(collection))
                timed("usual script", lambda: usual_script(collection))
                timed("bare loop", lambda: bare_loop(collection))
                for profile in profiles:
                    run = phimask(mongod.uri, folder, profile, "mixed")
                    runs.setdefault(profile, []).append(run)
                    rates.setdefault(f"phimask {profile}", []).append(
                        run["report"]["throughput"]["documents_per_second"]
                    )
            show(given.docs, rates, runs)
            for profile in profiles:
                run = phimask(mongod.uri, folder, profile, "complex")
                even = evenness(run["batches"])
                print(
                    f"complex only, {profile}: {run['report']['throughput']['documents_per_second']:,.0f} docs/s, "
                    f"peak RSS {run['peak'] / 1e6:,.0f} MB, batch seconds max/min {even and round(even, 2)}"
                )


def show(docs: int, rates: dict[str, list[float]], runs: dict[str, list[dict[str, Any]]]) -> None:
    """The table: medians, and ratios to the bare loop and to the write limit."""
    medians = {label: statistics.median(found) for label, found in rates.items()}
    print(
        f"{docs:,} documents, median of {len(rates['bare loop'])} rounds, one mongod, {psutil.cpu_count()} cores"
    )
    print(
        f"{'way':<22}{'docs/s':>9}{'of bare loop':>14}{'of write limit':>16}{'peak RSS':>11}{'batch max/min':>15}"
    )
    for label, rate in medians.items():
        extra = ""
        found = runs.get(label.removeprefix("phimask "))
        if found:
            peak = statistics.median(run["peak"] for run in found) / 1e6
            ratios = [even for run in found if (even := evenness(run["batches"])) is not None]
            extra = f"{peak:>8,.0f} MB{statistics.median(ratios) if ratios else float('nan'):>15.2f}"
        print(
            f"{label:<22}{rate:>9,.0f}{rate / medians['bare loop']:>14.2f}{rate / medians['write limit']:>16.2f}{extra}"
        )


if __name__ == "__main__":
    main()
