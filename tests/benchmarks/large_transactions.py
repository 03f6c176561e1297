"""What becomes of the rate where uncommitted batches take more of the server's cache than it is to keep of such.

    uv run python tests/benchmarks/large_transactions.py [--docs 20000] [--workers 4] [--megabytes 12,64]

Four workers mask the same large documents with batches of so many megabytes, each a transaction, on one mongod whose
cache has 512 MB. The time that batches are aimed at is so long that their bytes end them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from throughput import load, phimask, set_up

from phimask.planning.server_cache import cache_bytes
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.sample import sample_document

_NAME = "complex"


def main() -> None:
    """Load, mask once for each size, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--megabytes", default="12,64")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, EmbeddedMongod(find_mongod(os.environ)) as mongod:
        folder = Path(name)
        set_up(folder, [_NAME])
        client: MongoClient[dict[str, Any]] = MongoClient(mongod.uri)
        with client:
            cache = cache_bytes(client)
            assert cache is not None
            loaded = client["bench"]["loaded"]
            documents = (sample_document(number, seed=1, mix={_NAME: 1.0}) for number in range(given.docs))
            load(loaded, documents)
            print(f"{given.workers} workers, {given.docs:,} documents, a cache of {cache / 1e6:,.0f} MB")
            print(f"{'batches of':>10}{'of cache':>10}{'docs/s':>9}{'slowest':>10}")
            for megabytes in map(int, given.megabytes.split(",")):
                loaded.aggregate([{"$out": _NAME}])
                done = phimask(
                    mongod.uri, folder, "parallel", _NAME, f"executor.options.workers={given.workers}",
                    f"batch_sizer.options.bytes={megabytes}MB", "batch_sizer.options.documents=100000",
                    "batch_sizer.options.target=60s", "batch_sizer.options.longest=120s",
                    "memory.documents=160MB", "memory.results=160MB", "breaker.slow_batch=5m",
                    "partitioner.options.target_size=128MB",
                )  # fmt: skip
                batches = done["batches"]
                seconds = max(row[3] for row in batches) - min(row[3] - row[2] for row in batches)
                print(
                    f"{megabytes:>7} MB{given.workers * megabytes * 1e8 / cache:>8,.0f} %{given.docs / seconds:>9,.0f}"
                    f"{max(row[2] for row in batches):>8,.1f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
