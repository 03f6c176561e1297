"""A command line as a user has it: a folder of their own, a deployment in the environment, synthetic people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from counters import AS_IN_A_TERMINAL, Counters
from pymongo import MongoClient
from pymongo.database import Database

from phimask.cli.main import run
from phimask.log import close_log
from phimask.masking.keys import MaskingKey
from ready import LINUX, Ready

RULES = """\
version: 1
collection: people
subject: PatientId
rules:
  - {path: Name, masker: {name: fake, options: {kind: full_name}}}
  - {path: Born, masker: {name: date_shift, options: {max_days: 30}}}
  - {path: Visits.Note, masker: redact}
"""


@dataclass
class Answer:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def project(tmp_path: Path, ready_workers: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that is the current one, with no setting of phimask's in the environment."""
    for name in ("PHIMASK_URI", "PHIMASK_TARGET_URI", "PHIMASK_KEY", "PHIMASK_DISABLED_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    close_log()


@pytest.fixture
def deployed(project: Path, mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with `people.yaml` in it, and the test deployment and a key in the environment."""
    monkeypatch.setenv("PHIMASK_URI", mongo_uri)
    monkeypatch.setenv("PHIMASK_KEY", MaskingKey.generate().text())
    (project / "collections").mkdir()
    (project / "collections" / "people.yaml").write_text(RULES, encoding="utf-8")
    return project


@pytest.fixture
def phimask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command line, called."""

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def started(deployed: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts phimask as a process, which is ended with the test."""
    processes: list[Any] = []

    def start(*arguments: str, **environment: str) -> Any:
        surroundings = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
        if LINUX:
            processes.append(Ready(arguments, deployed, surroundings))
            return processes[-1]
        process = subprocess.Popen(
            [sys.executable, "-c", AS_IN_A_TERMINAL, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=deployed,
            env=surroundings,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def counters(
    deployed: Path,
    database: Database[dict[str, Any]],
    client: MongoClient[dict[str, Any]],
    started: Callable[..., subprocess.Popen[str]],
) -> Iterator[Counters]:
    """Six hundred documents, not masked yet."""
    made = Counters(deployed, database, started)
    yield made
    made.let_go()
    client.drop_database(f"{database.name}_ledger")
