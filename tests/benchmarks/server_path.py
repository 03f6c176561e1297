"""How fast MongoDB masks by itself under phimask, held against an update pipeline written by hand, on one mongod.

    uv run python tests/benchmarks/server_path.py [--docs 20000] [--rounds 3]

The rules redact the 25 paths of throughput.py. By hand the same is written as somebody would who knows the documents:
fields that are absent stay so, arrays are mapped, types are taken for granted, and no key stands twice. It runs in ranges of
1,000 documents, two at a time. Both take turns over fresh copies of the same documents; medians are printed, and their ratio,
and the server's CPU time for each document, which other work on the machine changes less than seconds.

`docs/s` is from the first batch to the last one, with one worker still starting and the other at an end; `both at work`
leaves that out, as the two threads of the other begin and end at once. The server's time is that of the whole command.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from parallel import CUT, NO_VAULT, TWO, rate, together
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern
from throughput import DATES, TEXTS, phimask, set_up

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

RANGE = 1000
_TEXT = "[REDACTED]"
_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (BSON dates are naive UTC)


def present(path: str, constant: Any = _TEXT) -> Any:
    """The constant, where there is a value."""
    return {"$cond": [{"$gt": [path, None]}, {"$literal": constant}, path]}


def texts(around: str, *keys: str) -> dict[str, Any]:
    """Several such fields of a sub-document."""
    return {key: present(f"{around}.{key}") for key in keys}


def array(path: str, name: str, fields: dict[str, Any]) -> Any:
    """Each element of an array with these fields over its own."""
    merged = {"$mergeObjects": [f"$${name}", fields]}
    return {"$cond": [{"$isArray": path}, {"$map": {"input": path, "as": name, "in": merged}}, path]}


def by_hand() -> list[dict[str, Any]]:
    """The pipeline."""
    patient = {
        **texts("$Patient", "FirstName", "MiddleName", "LastName", "SSN", "MRN", "Phone", "Email"),
        "DateOfBirth": present("$Patient.DateOfBirth", _EPOCH),
        "Address": {
            "$mergeObjects": ["$Patient.Address", texts("$Patient.Address", "Street", "City", "Zip")]
        },
    }
    contact = {"$mergeObjects": ["$$visit.Provider.Contact", texts("$$visit.Provider.Contact", "Phone")]}
    provider = {**texts("$$visit.Provider", "Name", "NPI"), "Contact": contact}
    visit = {
        **texts("$$visit", "VisitId", "Facility", "Note"),
        "Date": present("$$visit.Date", _EPOCH),
        "Provider": {"$mergeObjects": ["$$visit.Provider", provider]},
        "Labs": array("$$visit.Labs", "lab", {"Date": present("$$lab.Date", _EPOCH)}),
    }
    bill = {**texts("$$bill", "AccountNumber"), "Date": present("$$bill.Date", _EPOCH)}
    return [
        {
            "$set": {
                "Patient": {"$mergeObjects": ["$Patient", patient]},
                "Contacts": array("$Contacts", "contact", texts("$$contact", "Name", "Phone")),
                "Insurance": array(
                    "$Insurance", "insurance", texts("$$insurance", "MemberId", "GroupNumber")
                ),
                "Visits": array("$Visits", "visit", visit),
                "Billing": array("$Billing", "bill", bill),
            }
        }
    ]


def update_by_hand(collection: Any) -> float:
    """Documents a second of two threads that update range after range."""
    identities = [one["_id"] for one in collection.find({}, {"_id": 1}, sort=[("_id", 1)])]
    ranges = [identities[start : start + RANGE] for start in range(0, len(identities), RANGE)]
    pipeline = by_hand()

    def update(mine: list[list[Any]]) -> None:
        for one in mine:
            collection.update_many({"_id": {"$gte": one[0], "$lte": one[-1]}}, pipeline)

    threads = [threading.Thread(target=update, args=(ranges[part::2],)) for part in range(2)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(identities) / (time.perf_counter() - start)


def write_rules(folder: Path) -> None:
    """The collection file: everything is redacted."""
    lines = ["version: 1", "collection: mixed", "rules:"]
    lines += [f"  - {{path: {path}, masker: redact}}" for path in (*TEXTS, *DATES)]
    (folder / "collections" / "mixed.yaml").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedMongod(find_mongod(os.environ), frugal=False) as mongod,
    ):
        (server,) = (
            one
            for one in psutil.Process().children(recursive=True)
            if one.pid not in before and "mongod" in one.name()
        )
        folder = Path(name)
        set_up(folder)
        write_rules(folder)
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            database = client.get_database("bench", write_concern=WriteConcern("majority"))
            load_samples(database["fresh"], given.docs, seed=1)
            rates: dict[str, list[tuple[float, float]]] = {}
            costs: dict[str, list[float]] = {}

            def turn(label: str, work: Callable[[], tuple[float, float]]) -> None:
                database["fresh"].aggregate([{"$out": "mixed"}])
                start = server.cpu_times()
                rates.setdefault(label, []).append(work())
                now = server.cpu_times()
                spent = now.user + now.system - start.user - start.system
                costs.setdefault(label, []).append(spent / given.docs * 1e6)

            def hand_written() -> tuple[float, float]:
                found = update_by_hand(database["mixed"])
                return found, found

            def ours(*settings: str) -> tuple[float, float]:
                settings = (TWO, CUT, NO_VAULT, *settings)
                run = phimask(mongod.uri, folder, "parallel", "mixed", *settings)
                return rate(run), together(run)

            for _ in range(given.rounds):
                turn("by hand, two threads", hand_written)
                turn("phimask, server", lambda: ours("write.path=server"))
                turn("phimask, server, plain", lambda: ours("write.path=server", "write.guard=none"))
                turn("phimask, set", lambda: ours("write.path=set"))
        limit = statistics.median(found for found, _ in rates["by hand, two threads"])
        print(
            f"{given.docs:,} documents, median of {given.rounds} rounds, one mongod, {psutil.cpu_count()} cores"
        )
        print(
            f"{'way':<24}{'docs/s':>9}{'of by hand':>12}{'both at work':>14}{'of by hand':>12}{'server, µs':>12}"
        )
        for label, found in rates.items():
            whole, both = (statistics.median(column) for column in zip(*found, strict=True))
            print(
                f"{label:<24}{whole:>9,.0f}{whole / limit:>12.2f}{both:>14,.0f}{both / limit:>12.2f}"
                f"{statistics.median(costs[label]):>12,.0f}"
            )


if __name__ == "__main__":
    main()
