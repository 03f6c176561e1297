"""What secondary indexes cost a server for each document that is masked in place, on one mongod.

    uv run python tests/benchmarks/index_cost.py [--docs 5000] [--rounds 5]

Prepared `$set` bulks of the documents and masked paths of throughput.py are written with no index beside that on `_id`,
with twenty on other fields, and with five on masked fields, in turn. The server's CPU time is taken, which other work
on the machine changes less than seconds; medians are printed, and what one index adds.
"""

from __future__ import annotations

import argparse
import os
import statistics
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern
from throughput import write_limit

from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample.loading import load_samples

OTHERS = tuple(f"Other{number}" for number in range(20))
MASKED = ("Patient.LastName", "Patient.SSN", "Patient.DateOfBirth", "Insurance.MemberId", "Billing.Date")
WAYS = {"none": (), "20 on other fields": OTHERS, "5 on masked fields": MASKED}


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    costs: dict[str, list[float]] = {way: [] for way in WAYS}
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    with EmbeddedMongod(find_mongod(os.environ)) as mongod:
        (server,) = (
            one
            for one in psutil.Process().children(recursive=True)
            if one.pid not in before and "mongod" in one.name()
        )
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            collection = client.get_database("bench", write_concern=WriteConcern("majority"))["mixed"]
            load_samples(collection, given.docs, seed=1)
            for _ in range(given.rounds):
                for way, paths in WAYS.items():
                    for path in paths:
                        collection.create_index(path)
                    write = write_limit(collection)  # reads and prepares; what follows only writes
                    start = server.cpu_times()
                    write()
                    now = server.cpu_times()
                    spent = now.user + now.system - start.user - start.system
                    costs[way].append(spent / given.docs * 1e6)
                    collection.drop_indexes()
    medians = {way: statistics.median(found) for way, found in costs.items()}
    print(f"{given.docs:,} documents, median of {given.rounds} rounds")
    for way, cost in medians.items():
        each = (cost - medians["none"]) / len(WAYS[way]) if WAYS[way] else 0.0
        print(
            f"{way:<22}{cost:>7,.0f} µs of the server's CPU a document"
            + (f", {each:.1f} µs an index" if each else "")
        )


if __name__ == "__main__":
    main()
