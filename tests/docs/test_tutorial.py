"""The tutorial, followed word for word: its files are written and its commands run, in its order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from ready import LINUX, Ready

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
STEP = re.compile(r"(?:<!-- (file|append): (\S+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
BY_HAND = ("pip install uv", "uv run phimask", "source ", "export PHIMASK_URI")


@pytest.fixture
def databases(client: MongoClient[dict[str, Any]]) -> Iterator[MongoClient[dict[str, Any]]]:
    names = ("tutorial", "tutorial_masked")
    for name in names:
        client.drop_database(name)
    yield client
    for name in names:
        client.drop_database(name)


def follow(folder: Path, uri: str) -> list[str]:
    """Do what the tutorial says; the commands that were run are returned."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PHIMASK_")}
    environ |= {"PHIMASK_URI": uri, "NO_COLOR": "1"}
    ran: list[str] = []
    for how, name, language, text in STEP.findall(TUTORIAL.read_text(encoding="utf-8")):
        if name:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            with path.open("a" if how == "append" else "w", encoding="utf-8") as file:
                file.write(text)
        for line in text.splitlines() if language == "sh" else ():
            if line.startswith(BY_HAND):
                continue
            program, *arguments = shlex.split(line)
            code, said = run(program, arguments, folder, environ)
            assert code == 0, f"{line}\n{said}"
            ran.append(line)
    return ran


def run(program: str, arguments: list[str], folder: Path, environ: dict[str, str]) -> tuple[int | None, str]:
    """A command's exit code, and what it said."""
    if program == "phimask" and LINUX:
        process = Ready(arguments, folder, environ)
        out, err = process.communicate()
        return process.returncode, f"{out}\n{err}"
    start = {"phimask": [sys.executable, "-m", "phimask"], "python": [sys.executable]}[program]
    done = subprocess.run(
        [*start, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, f"{done.stdout}\n{done.stderr}"


def test_the_tutorial_works_word_for_word(
    tmp_path: Path, mongo_uri: str, databases: MongoClient[dict[str, Any]]
) -> None:
    ran = follow(tmp_path, mongo_uri)
    assert ran[-3:] == ["phimask run --yes", "phimask verify", "phimask status"]
    assert list((tmp_path / "phimask-vault").iterdir()), "the tutorial says that production keeps originals"

    in_place = list(databases.tutorial.patients.find())
    assert len(in_place) == databases.tutorial_masked.patients.count_documents({}) == 400
    ages = [document["Patient"]["Age"] for document in in_place]
    assert all(age % 10 == 0 and 0 <= age <= 90 for age in ages)
    assert len(set(ages)) > 5
    assert any(document["Patient"]["Age"] % 10 for document in databases.tutorial_masked.patients.find())
    notes = [visit["Note"] for document in in_place for visit in document["Visits"] if "Note" in visit]
    assert notes
    assert set(notes) <= {"[REDACTED]", "", None}


def test_the_masker_fits_on_a_screen() -> None:
    plugin = next(
        text for _, name, _, text in STEP.findall(TUTORIAL.read_text(encoding="utf-8")) if name == "decade.py"
    )
    assert len(plugin.splitlines()) == 20
