"""An error that a plugin makes is told by type and place, wherever it is raised and of whichever class it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

CANARY = "Quagmire-Canary"
GUEST = """\
import click

from phimask import errors, hookimpl
from phimask_plugins import {package} as built_in

CANARY = "Quagmire-Canary"


class Odd(errors.StoreError):
    def __str__(self):
        return CANARY


MADE = {{
    "StoreError": lambda: errors.StoreError(CANARY),
    "KeyMaterialError": lambda: errors.KeyMaterialError(CANARY),
    "ConfigError": lambda: errors.ConfigError([errors.Fault(CANARY, 1, CANARY, CANARY, CANARY)]),
    "PreflightError": lambda: errors.PreflightError([CANARY]),
    "SafeStop": lambda: errors.SafeStop(CANARY),
    "PhimaskError": lambda: errors.PhimaskError(CANARY),
    "MaskingError": lambda: errors.MaskingError(CANARY, CANARY),
    "FindingsError": lambda: errors.FindingsError(CANARY),
    "Interrupted": lambda: errors.Interrupted(CANARY),
    "Odd": lambda: Odd(CANARY),
    "ClickException": lambda: click.ClickException(CANARY),
    "UsageError": lambda: click.UsageError(CANARY),
}}


def fail(self, *given, **named):
    raise MADE[{error!r}]()


(base,) = [one for one in built_in.ALL if one.name == {base!r}]
Guest = type(
    "Guest",
    (base,),
    {{
        "name": "guest",
        "__doc__": "Fails.",
        "__module__": __name__,
        "phases": frozenset({{"before", "during", "after"}}),
        {method!r}: fail,
    }},
)


@hookimpl
def phimask_register_{package}():
    return [Guest]
"""


PLACES = [
    ("masker", "redact", "mask", "StoreError"),
    ("masker", "redact", "before", "Odd"),
    ("masker", "redact", "cached_bytes", "MaskingError"),
    ("partitioner", "single", "partitions", "SafeStop"),
    ("partitioner", "single", "partitions", "ClickException"),
    ("batch_sizer", "fixed", "budget", "PreflightError"),
    ("batch_sizer", "fixed", "record", "ConfigError"),
    ("batch_sizer", "fixed", "meter", "Interrupted"),
    ("memory_governor", "rss", "read", "KeyMaterialError"),
    ("memory_governor", "rss", "note", "UsageError"),
    ("validator", "leak", "before", "FindingsError"),
    ("validator", "leak", "before", "UsageError"),
    ("validator", "leak", "document", "PhimaskError"),
    ("validator", "count", "totals", "ConfigError"),
    ("validator", "leak", "join", "Odd"),
    ("validator", "leak", "conclude", "ClickException"),
    ("validator", "leak", "unjudged", "PreflightError"),
    ("executor", "inline", "run", "ConfigError"),
    ("executor", "inline", "workers", "UsageError"),
    ("executor", "inline", "workers", "PhimaskError"),
    ("observer", "log", "notify", "StoreError"),
    ("observer", "log", "close", "ClickException"),
]


@pytest.mark.parametrize(("kind", "base", "method", "error"), PLACES)
def test_its_text_is_told_to_nobody(
    kind: str,
    base: str,
    method: str,
    error: str,
    deployed: Path,
    database: Database[dict[str, Any]],
    phimask: Callable[..., Any],
) -> None:
    database["people"].insert_many({"_id": number, "Name": f"Ada {number}"} for number in range(5))
    guest = GUEST.format(package=f"{kind}s", base=base, method=method, error=error)
    (deployed / "guest.py").write_text(guest, encoding="utf-8")
    masker = "guest" if kind == "masker" else "redact"
    (deployed / "collections" / "people.yaml").write_text(
        f"version: 1\ncollection: people\nrules: [{{path: Name, masker: {masker}}}]\n", encoding="utf-8"
    )
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {database.name}\nprofile: parallel\nplugins: [guest.py]\n"
        f"collections: [people]\ncoordination: {{database: {database.name}}}\n",
        encoding="utf-8",
    )
    chosen = {"masker": "canary=null", "validator": "validators=[guest]", "observer": "observers=[guest]"}
    options = ", options: {soft: 1GB, hard: 2GB}" if kind == "memory_governor" else ""
    choice = chosen.get(kind, f"{kind}={{name: guest{options}}}")
    at_work = "local" if kind == "masker" else "inline"
    executor = [] if kind == "executor" else [f"--set=executor={at_work}"]
    run = ("run", "--yes", "--report=report.json", "--html=report.html", "--log-dir=logs")
    said = ""
    try:
        for command in (("plan",), run, ("verify",)):
            answer = phimask(*command, f"--set={choice}", f"--target-db={database.name}_masked", *executor)
            said += answer.out + answer.err
    finally:
        database.client.drop_database(f"{database.name}_masked")
    for file in deployed.rglob("*"):
        if file.suffix in (".log", ".json", ".html"):
            said += file.read_text(encoding="utf-8")
    said += str([[*database[name].find()] for name in database.list_collection_names() if name != "people"])
    assert error in said
    assert CANARY not in said
