"""How often a document's class is told right, and what telling it costs.

    uv run python tests/benchmarks/complexity.py [--docs 5000] [--sample 1000] [--seed 1]

Of each collection a sample teaches a classifier, as it does when a run is planned; all documents outside of the sample are
then read as a run reads them, whole or under its projection, and told apart. What is right is counted in the whole
document. `best` is what one would tell right who knew, of each shape that is read, the class that most of its documents
have; of a whole document that is all. `walked` are those that could not be told from their bytes alone; the cost is CPU
time of one process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bson
from pymongo import MongoClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from misleading import misleading
from phimask.config.model import ClassLimits, Limits
from phimask.planning.classifier import Classifier, learn, seen
from phimask.planning.complexity import CLASSES, shape
from phimask.plugins.values import ComplexityClass, DocumentId
from phimask.store.connect import raw_collection
from phimask.store.embedded import EmbeddedMongod, find_mongod
from phimask.store.raw import identity
from phimask.store.reading import projected_documents
from phimask.store.sample.documents import sample_documents

FHIR = Path(__file__).resolve().parents[2] / "../shared/testdata/fhir_bundles.ndjson"
LIMITS = Limits(simple=ClassLimits(49, 2, 99), medium=ClassLimits(200, 5, 500))
AT_A_TIME = 200

Document = dict[str, Any]


def collections(count: int, seed: int) -> dict[str, list[Document]]:
    """The documents of each collection, in random order."""
    chance = random.Random(seed)
    made = list(sample_documents(count, seed))
    odd = list(misleading(count, seed))
    found = {"sample documents": made, "misleading": odd}
    parts = [made[: count // 2], odd[: count // 4]]
    if FHIR.exists():
        bundles = [json.loads(line) for line in FHIR.read_text(encoding="utf-8").splitlines()]
        resources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
        found["FHIR resources"] = resources
        parts += [chance.sample(resources, count // 4), bundles]
    found["all of them mixed"] = [document for part in parts for document in part]
    for documents in found.values():
        chance.shuffle(documents)
    return found


def projections(documents: Sequence[Document]) -> dict[str, Mapping[str, int] | None]:
    """How a run may read them: whole; only the top-level fields that most documents have; all but one of those."""
    common = Counter(key for document in documents for key in document if key != "_id")
    usual = [key for key, count in common.most_common(6) if key != "Note"]
    return {"whole": None, "some fields": {"_id": 1, **dict.fromkeys(usual, 1)}, "all but one": {usual[0]: 0}}


def read(collection: Any, identities: Sequence[DocumentId], projection: Any) -> dict[DocumentId, bytes]:
    """These documents as a run reads them."""
    found: dict[DocumentId, bytes] = {}
    for start in range(0, len(identities), AT_A_TIME):
        found.update(projected_documents(collection, identities[start : start + AT_A_TIME], projection))
    return found


def measure(classifier: Classifier, documents: Sequence[bytes]) -> tuple[list[str], float]:
    """The classes, and microseconds a document."""
    start = time.process_time()
    told = [classifier.classify(raw) for raw in documents]
    return list(told), (time.process_time() - start) / len(documents) * 1e6


def best(rest: Sequence[tuple[bytes, ComplexityClass]]) -> float:
    """The share of documents that are of the class that most documents have whose shape, as it is read, is theirs."""
    found: dict[tuple[int, int, int], Counter[str]] = {}
    for raw, actual in rest:
        part = shape(raw)
        found.setdefault((part.fields, part.depth, part.elements), Counter())[actual] += 1
    return sum(max(counts.values()) for counts in found.values()) / len(rest)


def main() -> None:
    """Print a table and, for whole documents, the matrices."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--docs", type=int, default=5000)
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        "| collection | read | bytes | held out | right | best | walked | cost | 6 to 8 kB |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    matrices: dict[str, Counter[tuple[str, str]]] = {}
    with EmbeddedMongod(find_mongod(os.environ)) as server, MongoClient(server.uri) as client:
        for name, documents in collections(given.docs, given.seed).items():
            collection = client["benchmark"]["documents"]
            collection.drop()
            for start in range(0, len(documents), 500):
                collection.insert_many(documents[start : start + 500])
            source = raw_collection(client, "benchmark", "documents")
            everything = [identity(bson.encode({"_id": one["_id"]})) for one in documents]
            whole = read(source, everything, None)
            actual = {found: shape(raw).complexity(LIMITS) for found, raw in whole.items()}
            sampled = everything[: given.sample]
            for way, projection in projections(documents).items():
                as_read = whole if projection is None else read(source, everything, projection)
                classifier = learn(
                    [seen(as_read[one], actual[one]) for one in sampled], LIMITS, whole=projection is None
                )
                rest = [(as_read[one], actual[one]) for one in everything[given.sample :]]
                told, cost = measure(classifier, [raw for raw, _ in rest])
                right = sum(one == kind for one, (_, kind) in zip(told, rest, strict=True)) / len(rest)
                usual = [raw for raw, _ in rest if 6000 <= len(raw) <= 8000]
                size = sum(len(raw) for raw, _ in rest) / len(rest)
                of_usual = f"{measure(classifier, usual * 5)[1]:.1f} µs" if usual else ""
                walked = sum(not classifier.at_once(raw) for raw, _ in rest) / len(rest)
                print(
                    f"| {name} | {way} | {size:,.0f} | {len(rest):,} | {right:.1%} | {best(rest):.1%} | {walked:.0%} | {cost:.1f} µs "
                    f"| {of_usual} |",
                    flush=True,
                )
                if projection is None:
                    matrices[name] = Counter((kind, one) for one, (_, kind) in zip(told, rest, strict=True))
    for name, matrix in matrices.items():
        print(f"\n| {name} | told simple | told medium | told complex |\n|---|---|---|---|")
        for kind in CLASSES:
            print(f"| {kind} | {' | '.join(f'{matrix[kind, one]:,}' for one in CLASSES)} |")


if __name__ == "__main__":
    main()
