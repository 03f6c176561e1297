"""What it costs to mask when `leak` remembers originals, as it does in place without a vault, in CPU time a document.

    uv run python tests/benchmarks/remembering.py [--docs 4000] [--rounds 5] [--collection container]

Nothing is read or written: the same documents are masked in one process with and without, taking turns a thousand
documents at a time, each round by maskers and a memory that have seen none. Printed are medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bson

from phimask.config.load import load_configuration
from phimask.config.model import CollectionFile
from phimask.config.project import load_project
from phimask.engine.remembering import Remembering
from phimask.masking.core import MaskingCore
from phimask.masking.keys import MaskingKey
from phimask.planning.binding import bind, facts
from phimask.planning.components import remembering, validators
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry
from phimask.store.sample.documents import sample_documents

_TURN = 1000
KEY = MaskingKey.generate()


class Counting:
    """In place of the ledger."""

    def __init__(self) -> None:
        self.bytes = 0

    def add(self, part: Any, validator: str, learnt: bytes) -> None:
        self.bytes += len(learnt)

    def grow(self, size: int) -> int:
        return self.bytes


def one_round(
    documents: Sequence[bytes], file: CollectionFile, registry: Registry, choices: Sequence[Any]
) -> tuple[float, float, int]:
    """Seconds without and with, and the bytes that are kept."""
    counting: Any = Counting()
    seconds = [0.0, 0.0]
    cores = []
    memory = None
    for remembers in (False, True):
        rules = bind(file, registry, (KEY,))
        note = None
        if remembers:
            made = validators(registry, choices, "after", facts(rules), KEY.derive("benchmark"))
            memory = Remembering(made, rules, counting)
            note = memory.note
        cores.append(MaskingCore(rules, file.subject, file.on_error, note=note))
    assert memory is not None
    batch: Any = argparse.Namespace(identities=())
    for turn, start in enumerate(range(0, len(documents), _TURN)):
        some = documents[start : start + _TURN]
        for way in (0, 1) if turn % 2 else (1, 0):
            began = time.process_time()
            cores[way].mask(some, "update")
            if way:
                memory.keep(None, batch)  # type: ignore[arg-type]
            seconds[way] += time.process_time() - began
    return seconds[0], seconds[1], counting.bytes


def main() -> None:
    """Make documents, take turns, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--collection", default="container")
    given = parser.parse_args()
    registry = load_registry()
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PHIMASK_KEY": KEY.text()}
        uri = "mongodb://127.0.0.1"
        project = load_project(directory=Path(folder), uri=uri, database="bench", environ=environ)
        configuration = load_configuration(
            project,
            profile="production",
            collections=[given.collection],
            settings=(),
            environ={},
            components=registry,
        )
    (file,) = configuration.collections
    choices = remembering(registry, configuration.profile.validators)
    documents = [bson.encode(one) for one in sample_documents(given.docs, 1)]
    rounds = [one_round(documents, file, registry, choices) for _ in range(given.rounds)]
    without, with_it = (statistics.median(one[way] for one in rounds) / given.docs * 1e6 for way in (0, 1))
    size = sum(map(len, documents)) / given.docs
    print(
        f"{given.docs:,} documents of {size:,.0f} bytes, {given.collection}, median of {given.rounds} rounds"
    )
    print(f"masked alone            {without:>7.1f} µs a document")
    print(f"masked and remembered   {with_it:>7.1f} µs a document")
    print(f"kept                    {rounds[0][2] / given.docs:>7.1f} bytes a document")


if __name__ == "__main__":
    main()
