"""Documents as large as MongoDB takes, and nothing but the worst, pass under 512 MB, which is held from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import bson
import psutil
import pytest
from pymongo.database import Database

from phimask.masking.keys import MaskingKey
from phimask.masking.outcomes import MAX_DOCUMENT_BYTES

CEILING: Final = 512_000_000
SETTINGS: Final = (
    "executor=inline",
    "observers=[log]",
    "batch_sizer.options.bytes=8MB",
    "batch_sizer.options.memory=400MB",
    "memory_governor.options.ceiling=512MB",
    "memory.documents=17MB",
    "memory.results=17MB",
    "memory.cache=32MB",
    "breaker.memory=512MB",
    "breaker.slow_batch=1h",
)
"""One batch in hand at a time, however large its document; a worst document may take long."""

_LOOK: Final = 0.02
_KIND_BYTES: Final = 16_000_000


def _rows(number: int) -> dict[str, Any]:
    return {"_id": number, "rows": [{"note": f"{row:07}" + "x" * 190} for row in range(70_000)]}


def _long(number: int) -> dict[str, Any]:
    return {"_id": number, "rows": [{"note": "Ada " * 4_000_000}]}


def _tiny(number: int) -> dict[str, Any]:
    return {"_id": number, "rows": [{"note": ["a"] * 1_120_000}]}


def _small(number: int) -> dict[str, Any]:
    return {"_id": number, "rows": [{"note": "x", "n": row} for row in range(480_000)]}


def _fields(number: int) -> dict[str, Any]:
    some = {f"k{key:05}": "v" for key in range(17_000)}
    return {"_id": number, **{f"f{key:03}": {"note": some} for key in range(60)}}


def _deep(number: int) -> dict[str, Any]:
    document: dict[str, Any] = {"_id": number}
    for branch in range(34):
        inner: Any = {"note": ["y" * 10] * 20_000}
        for _ in range(90):
            inner = {"n": inner}
        document[f"d{branch}"] = inner
    return document


def _numbers(number: int) -> dict[str, Any]:
    return {"_id": number, "rows": {"note": "x", "numbers": list(range(1_200_000))}}


Kind = Callable[[int], dict[str, Any]]


def masked_under_the_ceiling(
    database: Database[dict[str, Any]], uri: str, folder: Path, kinds: Mapping[Kind, int], masker: str
) -> tuple[int, dict[str, Any]]:
    """Run phimask over such documents; answers the most bytes that its process held, and the report."""
    collection = database["worst"]
    for kind, copies in kinds.items():
        for _ in range(copies):
            document = kind(collection.estimated_document_count())
            assert _KIND_BYTES * 0.85 < len(bson.encode(document)) < MAX_DOCUMENT_BYTES
            collection.insert_one(document)
    (folder / "collections").mkdir()
    (folder / "collections" / "worst.yaml").write_text(
        f"version: 1\ncollection: worst\nrules:\n  - {{path: '**.note', masker: {masker}}}\n"
    )
    (folder / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {database.name}\nkey: {{env: PHIMASK_KEY}}\n"
        f"coordination: {{database: {database.name}_ledger}}\n"
    )
    environ = {**os.environ, "PHIMASK_URI": uri, "PHIMASK_KEY": MaskingKey.generate().text()}
    command = [
        sys.executable,
        "-m",
        "phimask",
        "run",
        "--profile",
        "advanced",
        "-c",
        "worst",
        "--yes",
        "--json",
    ]
    command += ["--report", "report.json", *(part for one in SETTINGS for part in ("--set", one))]
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=said)
    most = 0
    try:
        watched = psutil.Process(process.pid)
        while process.poll() is None and most <= CEILING:
            with contextlib.suppress(psutil.Error):
                most = max(most, watched.memory_info().rss)
            time.sleep(_LOOK)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        database.client.drop_database(f"{database.name}_ledger")
    assert most <= CEILING, f"{most / 1e6:,.0f} MB"
    assert process.returncode == 0, (folder / "said.txt").read_text()
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return most, report["collections"][0]


def test_large_documents_pass_under_the_ceiling(
    database: Database[dict[str, Any]], mongo_uri: str, tmp_path: Path
) -> None:
    kinds = {_rows: 1, _long: 1, _numbers: 1}
    most, report = masked_under_the_ceiling(database, mongo_uri, tmp_path, kinds, "redact")
    assert report["documents"]["masked"] == 3
    assert report["quarantined_ids"] == []
    assert report["rules"][0]["masked"] == 70_000 + 1 + 1
    assert report["memory"]["peak_rss_bytes"] <= most * 1.05
    for found in database["worst"].find({}, {"rows": {"$slice": 3}}):
        rows = found["rows"] if isinstance(found["rows"], list) else [found["rows"]]
        assert all("x" not in row["note"] and "Ada" not in row["note"] for row in rows)


@pytest.mark.soak
@pytest.mark.parametrize("masker", ["scramble", "partial"])
def test_a_collection_of_nothing_but_the_worst(
    masker: str, database: Database[dict[str, Any]], mongo_uri: str, tmp_path: Path
) -> None:
    kinds = {_tiny: 2, _small: 2, _fields: 2, _deep: 2, _long: 2, _rows: 2, _numbers: 2}
    _, report = masked_under_the_ceiling(database, mongo_uri, tmp_path, kinds, masker)
    assert report["documents"]["masked"] + report["documents"]["quarantined"] == 14
    assert report["documents"]["masked"] >= 12
