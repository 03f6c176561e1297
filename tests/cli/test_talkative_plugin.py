"""What a plugin, or a library that it uses, says of values reaches no output, whichever command it is at work in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

CANARY = "Zebulon Quagmire-Canary"
TALKATIVE = """\
import logging
import warnings

from phimask import Masker, hookimpl


class Talkative(Masker):
    \"\"\"Logs, warns and raises with each value.\"\"\"

    name = "talkative"
    types = frozenset({"string"})

    def mask(self, column):
        logging.getLogger("guest").warning("this is %s", column.values[0])
        warnings.warn(f"{column.values[0]} is odd", stacklevel=1)
        raise ValueError(f"cannot take {column.values[0]}")


@hookimpl
def phimask_register_maskers():
    return [Talkative]
"""


@pytest.mark.parametrize("executor", [pytest.param("inline", marks=pytest.mark.soak), "local"])
def test_no_value_is_told_of(executor: str, deployed: Path, database: Database[dict[str, Any]]) -> None:
    database["people"].insert_many({"_id": number, "Name": CANARY} for number in range(5))
    (deployed / "talkative.py").write_text(TALKATIVE, encoding="utf-8")
    (deployed / "collections" / "people.yaml").write_text(
        "version: 1\ncollection: people\nrules: [{path: Name, masker: talkative}]\n", encoding="utf-8"
    )
    (deployed / "phimask.yaml").write_text(
        f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {database.name}\nprofile: parallel\nplugins: [talkative.py]\n"
        f"collections: [people]\ncoordination: {{database: {database.name}}}\n",
        encoding="utf-8",
    )
    said = ""
    for command in (
        ("plan",),
        ("run", "--yes", f"--set=executor={executor}", "--report=report.json", "--log-dir=logs"),
        ("verify",),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "phimask", *command],
            env={**os.environ, "PYTHONWARNINGS": "always"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    said += (deployed / "report.json").read_text(encoding="utf-8")
    log = "".join(file.read_text(encoding="utf-8") for file in (deployed / "logs").iterdir())
    assert "guest:" in log
    assert "py.warnings:" in log
    assert CANARY not in said + log
    assert database["people"].count_documents({"Name": CANARY}) == 0
