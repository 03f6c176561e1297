"""How long each masker takes for a value, on one core: columns of 1,000 values, warm and cold.

    uv run python tests/benchmarks/maskers.py [--values 1000] [--rounds 9] [--only fake,hash]

The values of a column are all distinct, but for those of the shape `town`, which are 50 that come again. Cold is a
new masker's first column, warm the same column again, when what a masker remembers is there; dictionaries
are loaded before either. Times are the best of the rounds, in microseconds a value: on a machine that does other
things, too, it is the one that says most of the code. A column that a masker fails on for the most part is left out.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from phimask import FAILED, Column, MaskedField, Masker
from phimask.config.components import complete_options
from phimask.plugins.class_check import constructor_arguments
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import KEY_OPTIONS

KEY = bytes(range(32))
START = datetime.datetime(1990, 1, 1)  # noqa: DTZ001  (BSON's dates are naive UTC)
PERSONS = 200
"""Subjects in a column: a batch holds several values of each person."""

SHAPES: Mapping[str, Callable[[int], Any]] = {
    "name": lambda n: f"Ada{n} Lovelace",
    "town": lambda n: f"Springfield {n % 50}",
    "9 digits": lambda n: f"{100_000_007 + n * 7919:09}",
    "SSN": lambda n: f"{100 + n % 800}-{n % 99 + 1:02}-{n % 10_000:04}",
    "ISO date": lambda n: (START + datetime.timedelta(days=n)).date().isoformat(),
    "ISO time": lambda n: (START + datetime.timedelta(days=n, seconds=n)).isoformat() + "Z",
    "MM/DD/YYYY": lambda n: (START + datetime.timedelta(days=n)).strftime("%m/%d/%Y"),
    "ZIP": lambda n: f"{n * 37 % 100_000:05}",
    "UUID": lambda n: f"{n:08x}-0000-4000-8000-{n:012x}",
    "note": lambda n: f"Patient {n} was seen on 3/4/2019 by Dr. Okafor; call 212-555-0134. " * 60,
    "int": lambda n: 1_000_000 + n,
    "long": lambda n: Int64(10**12 + n),
    "double": lambda n: n + 0.5,
    "decimal": lambda n: Decimal128(f"{n}.25"),
    "date": lambda n: START + datetime.timedelta(days=n, seconds=n),
    "objectId": lambda n: ObjectId(f"{n:024x}"),
}
TRIED = ("name", "9 digits", "date", "ISO date", "int", "double")
"""What is tried with a masker of which nothing else is said, as far as it takes it."""

CASES: Mapping[str, tuple[tuple[Mapping[str, Any], tuple[str, ...]], ...]] = {
    "age_cap": (({}, ("int",)),),
    "chain": (({"maskers": ["partial", "hash"]}, ("name",)),),
    "choice": (({"values": ["a", "b", "c"]}, ("name",)),),
    "date_shift": (
        ({}, ("date", "ISO date", "ISO time", "MM/DD/YYYY")),
        ({"keep": ["time_of_day", "season"]}, ("date", "ISO date")),
        ({"formats": ["%m/%d/%Y"]}, ("MM/DD/YYYY",)),
    ),
    "date_truncate": (({}, ("date", "ISO date")),),
    "derive": (({"from": "LastName"}, ("name",)),),
    "encrypt": (({}, ("name",)), ({"mode": "gcm"}, ("name",))),
    "fake": (
        *(({"kind": kind}, ("name",)) for kind in ("first_name", "full_name", "street", "email")),
        ({"kind": "phone"}, ("9 digits",)),
        ({"kind": "ssn"}, ("SSN",)),
        ({"kind": "mrn"}, ("9 digits", "int")),
        ({"kind": "mrn", "unique": True}, ("9 digits",)),
        ({"kind": "first_name", "keep": ["length", "gender"]}, ("name",)),
    ),
    "fhir_id": (({}, ("UUID", "name")),),
    "fpe": (({}, ("9 digits", "SSN")),),
    "fpe_decrypt": (({}, ("9 digits",)),),
    "free_text": (({}, ("note",)),),
    "generalize": (({"width": 10}, ("int", "double")),),
    "hash": (({}, ("name", "town", "int", "long", "double", "decimal", "objectId")),),
    "partial": (({}, ("name", "SSN")),),
    "perturb": (({"absolute": 3}, ("int", "double")),),
    "pseudonym": (({}, ("name",)),),
    "refresh_uid": (({}, ("UUID", "objectId")),),
    "regex_replace": (({"pattern": "[0-9]", "replacement": "#"}, ("SSN",)),),
    "replace": (({"value": "x"}, ("name",)),),
    "round": (({"multiple": 5}, ("int", "double")),),
    "scramble": (({}, ("name", "9 digits")),),
    "zip3": (({}, ("ZIP",)),),
}
ELSEWHERE = {
    "command": "takes what its process takes",
    "detokenize": "takes what its database takes",
    "tokenize": "takes what its database takes",
}

AIMS = {"hash": 2.0, "partial": 2.0, "date_shift": 2.0, "fake": 2.0, "fpe": 10.0}
"""Microseconds a value, warm: of columns of 1,000 distinct values, one after the other, in a run."""


class Line(NamedTuple):
    """One measurement: microseconds a value."""

    masker: str
    options: str
    shape: str
    cold: float
    warm: float


def made(name: str, options: Mapping[str, Any]) -> Masker:
    """A masker as a run would make it."""
    registry = load_registry()
    cls = registry.masker(name)
    detectors = tuple(registry.create("detector", one, {}) for one in registry.names("detector"))
    given = {"key": KEY, "older_keys": (), "detectors": detectors, "make": made}
    complete = complete_options("masker", name, options, registry)
    own = {key: value for key, value in complete.items() if key not in KEY_OPTIONS or not cls.needs_key}
    return registry.create("masker", name, own, **{one: given[one] for one in constructor_arguments(cls)})


def column(masker: Masker, values: list[Any]) -> Column:
    """A column as the engine fills it."""
    subjects = [b"person %d" % (number % PERSONS) for number in range(len(values))]
    result = Column("Patient.Field", values, subjects if masker.needs_subject else [])
    if masker.needs_siblings:
        result.siblings = [
            [MaskedField("Patient.LastName", "Patient.LastName", f"Lovelace{number}", f"Byron{number}")]
            for number in range(len(values))
        ]
        result.places = ["Patient.Field"] * len(values)
    return result


def seconds(masker: Masker, filled: Column) -> float:
    begin = time.perf_counter()
    masker.mask(filled)
    return time.perf_counter() - begin


def measure(name: str, options: Mapping[str, Any], shape: str, count: int, rounds: int) -> Line | None:
    values = [SHAPES[shape](number) for number in range(count)]
    masker = made(name, options)
    filled = column(masker, values)
    try:
        failed = sum(result is FAILED for result in masker.mask(filled))
    except Exception as error:  # noqa: BLE001  (a masker that does not work here is told of, and the others go on)
        print(f"{name}: {type(error).__name__}", file=sys.stderr)
        return None
    if failed > count / 2:
        return None
    cold, warm = [], []
    for _ in range(rounds):
        masker = made(name, options)
        masker.mask(column(masker, [SHAPES[shape](count + number) for number in range(2)]))
        gc.collect()
        gc.disable()
        try:
            cold.append(seconds(masker, filled))
            warm.append(seconds(masker, filled))
        finally:
            gc.enable()
    told = ", ".join(f"{key}: {value}" for key, value in options.items())
    return Line(name, told, shape, min(cold) / count * 1e6, min(warm) / count * 1e6)


def lines(only: frozenset[str], count: int, rounds: int) -> Iterator[Line]:
    registry = load_registry()
    for name in registry.names("masker"):
        if (only and name not in only) or name in ELSEWHERE:
            continue
        if name not in CASES and registry.options_schema("masker", name).get("required"):
            print(f"{name}: needs options, and has no case here", file=sys.stderr)
            continue
        for options, shapes in CASES.get(name, (({}, TRIED),)):
            for shape in shapes:
                line = measure(name, options, shape, count, rounds)
                if line is not None:
                    yield line


def verdict(line: Line) -> str:
    """Whether the line reaches what is aimed at."""
    aim = AIMS.get(line.masker)
    if aim is None or any(option in line.options for option in ("unique", "season", "formats")):
        return ""
    return f"{'reached' if line.warm <= aim else 'MISSED'} ({aim:g})"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--values", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="maskers, with commas between them")
    arguments = parser.parse_args()
    only = frozenset(filter(None, arguments.only.split(",")))
    print(f"| masker | options | column of {arguments.values:,} | cold, µs a value | warm | aim |")
    print("|---|---|---|---:|---:|---|")
    for line in lines(only, arguments.values, arguments.rounds):
        print(
            f"| {line.masker} | {line.options} | {line.shape} | {line.cold:.2f} | {line.warm:.2f} | {verdict(line)} |",
            flush=True,
        )
    for name, why in ELSEWHERE.items():
        print(f"{name} is left out: {why}.")


if __name__ == "__main__":
    main()
