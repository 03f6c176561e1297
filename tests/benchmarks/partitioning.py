"""How long each partitioner takes to cut a collection, and how evenly it does that.

    uv run python tests/benchmarks/partitioning.py [--docs 1000000] [--rounds 3]

A million small documents with ObjectIds: one in a hundred is a hundred times as large as the others, and half of them
came in bursts. The partitioners take turns, round by round; medians are printed. `max/min` compares the bytes of the
largest partition with those of the smallest, without the last, which is what remains.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from phimask import Partition, Partitioner
from phimask.store.connect import raw_collection
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.raw import within
from phimask.store.source import CollectionSource
from phimask_plugins.partitioners import (
    ObjectIdTimePartitioner,
    PaginatePartitioner,
    SamplePartitioner,
    ShardedPartitioner,
    SinglePartitioner,
    SplitVectorPartitioner,
)

DATABASE, COLLECTION, CONFIG = "benchmark", "documents", "benchmark_config"
PARTITIONS = 50
CHUNKS = 120
START = 1_600_000_000
BURST = 10_000


def object_ids(count: int) -> list[ObjectId]:
    """Half of them one a second, half of them in bursts of a second each."""
    steady = [START + number for number in range(count // 2)]
    bursts = [START + BURST * (number // BURST) for number in range(count - count // 2)]
    seconds = sorted(steady + bursts)
    return [
        ObjectId(one.to_bytes(4, "big") + b"bench" + number.to_bytes(3, "big"))
        for number, one in enumerate(seconds)
    ]


def load(client: MongoClient[dict[str, Any]], count: int) -> None:
    """The documents, and chunks of random sizes in a stand-in for a cluster's config database."""
    ids = object_ids(count)
    chosen = random.Random(7)
    collection = client[DATABASE][COLLECTION]
    for start in range(0, count, 20_000):
        collection.insert_many(
            [
                {"_id": one, "text": "x" * (10_000 if chosen.random() < 0.01 else 100)}
                for one in ids[start : start + 20_000]
            ],
            ordered=False,
        )
    bounds = sorted(chosen.sample(ids, CHUNKS))
    client[CONFIG].collections.insert_one({"_id": collection.full_name, "uuid": 1, "key": {"_id": 1}})
    client[CONFIG].chunks.insert_many([{"uuid": 1, "min": {"_id": one}} for one in bounds])


def partitioners(size: int, documents: int) -> Mapping[str, Partitioner]:
    """By name, each to cut into `PARTITIONS` ranges or so."""
    return {
        "single": SinglePartitioner({}),
        "sample": SamplePartitioner({"target_size": size, "samples_per_partition": 10}),
        "paginate": PaginatePartitioner({"documents": documents}),
        "split_vector": SplitVectorPartitioner({"target_size": size}),
        "objectid_time": ObjectIdTimePartitioner({"target_size": size, "samples": 1000}),
        "sharded": ShardedPartitioner({"target_size": size, "config_database": CONFIG}),
    }


def cut(made: Partitioner, collection: Any) -> tuple[float, float, list[Partition]]:
    """Seconds to the first partition and to the last."""
    start = time.perf_counter()
    partitions = made.partitions(CollectionSource(collection))
    found = [next(partitions)]
    first = time.perf_counter() - start
    found += partitions
    return first, time.perf_counter() - start, found


def sizes(collection: Any, partitions: Sequence[Partition]) -> list[int]:
    """BSON bytes of each."""
    total = {"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}
    found = []
    for one in partitions:
        reply = list(collection.aggregate([{"$match": within(one.after, one.upto)}, total]))
        found.append(int(reply[0]["bytes"]) if reply else 0)
    return found


def main() -> None:
    """Load, take turns, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--docs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    with EmbeddedMongod(find_mongod(os.environ)) as server, MongoClient[dict[str, Any]](server.uri) as client:
        load(client, arguments.docs)
        collection = raw_collection(client, DATABASE, COLLECTION)
        source = CollectionSource(collection)
        made = partitioners(source.bytes // PARTITIONS, arguments.docs // PARTITIONS)
        rounds = [{name: cut(one, collection) for name, one in made.items()} for _ in range(arguments.rounds)]
        print(
            f"{arguments.docs:,} documents, {source.bytes / 1e6:,.0f} MB, median of {arguments.rounds} rounds, one "
            f"mongod, {os.cpu_count()} cores"
        )
        print(f"{'partitioner':14} {'s to first':>11} {'s to last':>11} {'partitions':>11} {'max/min':>8}")
        for name in made:
            times = [one[name] for one in rounds]
            first, last = (statistics.median(one[at] for one in times) for at in (0, 1))
            held = sizes(client[DATABASE][COLLECTION], times[0][2])
            even = f"{max(held[:-1]) / max(min(held[:-1]), 1):.2f}" if len(held) > 2 else ""
            print(f"{name:14} {first:11.3f} {last:11.3f} {len(held):11} {even:>8}")


if __name__ == "__main__":
    main()
