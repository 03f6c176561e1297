"""Disks that are full: under the log a run goes on, under the vault it stops safely; both say so."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from trials import Trial

pytest.importorskip("resource", reason="there is no limit on a file's size here")

DOCUMENTS = 300
ROOM = 40_000
"""Bytes that a file may have: less than the log or the vault come to, more than anything else."""


def sizes(folder: Path) -> list[int]:
    return [one.stat().st_size for one in folder.rglob("*") if one.is_file()]


def test_full_disk_of_the_log(trial: Trial, chance: random.Random) -> None:
    trial.project.settings.update(batch_sizer="{name: fixed, options: {documents: 1}}", undo__vault="null")
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(FAULTS_FILE_BYTES=str(ROOM))
    run.wait()
    trial.strike("the log's disk is full")
    assert sizes(trial.project.folder / "logs") == [ROOM]
    assert run.err.count("cannot be written") == 1
    trial.judge(run)


def test_full_disk_of_the_vault(trial: Trial, chance: random.Random) -> None:
    trial.project.settings.update(partitioner="single", write__path="replace")
    trial.fill(chance, DOCUMENTS)
    run = trial.project.run(FAULTS_FILE_BYTES=str(ROOM))
    assert run.wait() == 4, run.err
    trial.strike("the vault's disk is full")
    assert ROOM in sizes(trial.project.folder / "vault")
    assert "cannot keep the originals" in run.err
    assert "phimask resume" in run.err
    masked = trial.masked()
    assert 0 < masked < DOCUMENTS
    trial.judge(trial.resume())
