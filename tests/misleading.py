"""Documents whose size says little of their complexity; of each kind some are simple, some medium, some complex."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Document = dict[str, Any]


def long_text(chance: random.Random) -> Document:
    """Few fields, one of them a text of up to 100 kB."""
    return {"Note": "seen and well. " * chance.randint(10, 7000), "Ward": "W" * chance.randint(1, 5000)}


def many_tiny_fields(chance: random.Random) -> Document:
    """Up to 320 keys, each with next to nothing in it."""
    return {
        f"f{number}": chance.choice((number % 7, True, None)) for number in range(chance.randint(20, 320))
    }


def deep_and_small(chance: random.Random) -> Document:
    """One field in up to eight sub-documents, one within the other, beside a text of any length."""
    inner: Document = {"Value": 1}
    for _ in range(chance.randint(0, 7)):
        inner = {"Part": inner}
    return {"Note": "n" * chance.randint(1, 3000), **inner}


def series_of_whole_numbers(chance: random.Random) -> Document:
    """An array of 20 to 600 integers."""
    return {"Readings": [chance.randint(0, 250) for _ in range(chance.choice((20, 60, 300, 600)))]}


def series_of_fractions(chance: random.Random) -> Document:
    """An array of 20 to 600 doubles beside a text of any length."""
    return {
        "Readings": [chance.random() for _ in range(chance.choice((20, 60, 300, 600)))],
        "Note": "n" * chance.randint(1, 3000),
    }


def rows(chance: random.Random) -> Document:
    """Up to 90 small sub-documents in an array."""
    return {"Rows": [{"Code": "E11.9", "Count": number} for number in range(chance.randint(5, 90))]}


KINDS: Final[Mapping[str, Callable[[random.Random], Document]]] = {
    "long text": long_text,
    "tiny fields": many_tiny_fields,
    "deep": deep_and_small,
    "whole numbers": series_of_whole_numbers,
    "fractions": series_of_fractions,
    "rows": rows,
}


def misleading(count: int, seed: int) -> Iterator[Document]:
    """Documents of all kinds, in random order, without `_id`."""
    chance = random.Random(seed)
    makers = list(KINDS.values())
    for _ in range(count):
        made = chance.choice(makers)(chance)
        yield {"PatientId": f"PAT-{chance.randint(0, 10**6)}", **made}
