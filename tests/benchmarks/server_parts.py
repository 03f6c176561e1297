"""What the parts of `write.path: server`'s pipeline cost MongoDB, beside a pipeline that is written by hand.

    uv run python tests/benchmarks/server_parts.py [--docs 2000] [--rounds 20]

The rules and both pipelines are those of server_path.py. Nothing is written: an aggregation computes each document and
takes its size, so that what is found is the time of the expressions alone, without that for the same of no pipeline. The
ways take turns; the least of all rounds is printed, in microseconds a document, and what the server takes to read each
pipeline, which it does once a batch.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import bson
from pymongo import MongoClient
from server_path import by_hand, present
from throughput import DATES, TEXTS

from phimask.config.components import complete_options
from phimask.masking.columns import BoundRule
from phimask.planning import served
from phimask.plugins.loading import load_registry
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.raw import Unopened
from phimask.store.sample.loading import load_samples

Pipeline = Sequence[Mapping[str, Any]]
_SIZES: Pipeline = [{"$group": {"_id": None, "bytes": {"$sum": {"$bsonSize": "$$ROOT"}}}}]


def pipelines() -> dict[str, Pipeline]:
    """What is compared, the cheapest first."""
    registry = load_registry()
    masker = registry.create("masker", "redact", complete_options("masker", "redact", {}, registry))
    rules = [
        BoundRule(index, path, tuple(path.split(".")), masker) for index, path in enumerate((*TEXTS, *DATES))
    ]
    with patch.object(served, "_each_key_once", lambda value, merged: True):
        trusting = served.served_update(rules)
        with patch.object(served, "_masked", lambda masker, value, depth: present(value)):
            blind = served.served_update(rules)
    return {
        "nothing": [],
        "by hand": by_hand(),
        "phimask, neither keys nor types": blind,
        "phimask, keys not looked at": trusting,
        "phimask": served.served_update(rules),
    }


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Load, take turns, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with EmbeddedMongod(find_mongod(os.environ)) as mongod, MongoClient[dict[str, Any]](mongod.uri) as client:
        collection = client["bench"]["mixed"]
        load_samples(collection, given.docs, seed=1)
        compared = {
            label: [Unopened(bson.encode(stage)) for stage in pipeline]
            for label, pipeline in pipelines().items()
        }
        computing: dict[str, list[float]] = {label: [] for label in compared}
        reading: dict[str, list[float]] = {label: [] for label in compared}
        for _ in range(given.rounds):
            for label, pipeline in compared.items():
                computing[label].append(seconds(lambda: list(collection.aggregate([*pipeline, *_SIZES]))))  # noqa: B023
                if pipeline:
                    reading[label].append(seconds(lambda: collection.update_many({"_id": 0}, pipeline)))  # noqa: B023
        print(f"{given.docs:,} documents, least of {given.rounds} rounds")
        print(f"{'pipeline':<34}{'µs a document':>15}{'ms to read it':>15}")
        for label in [*compared][1:]:
            spent = (min(computing[label]) - min(computing["nothing"])) / given.docs * 1e6
            print(f"{label:<34}{spent:>15.0f}{min(reading[label]) * 1e3:>15.1f}")


if __name__ == "__main__":
    main()
