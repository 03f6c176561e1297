"""Runs through a shadow: how one is asked for, ended at one of its moments, and what it leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from counters import COUNTING, Counters
from listening import LISTENING

from phimask.store.definition import read_definition

Phimask = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]


def target(counters: Counters, shadow: str) -> None:
    """Ask for a shadow, with a plugin that listens to what is sent to MongoDB."""
    counters.settings("counters")
    (counters.folder / "counting.py").write_text(COUNTING + LISTENING, encoding="utf-8")
    with (counters.folder / "phimask.yaml").open("a", encoding="utf-8") as file:
        file.write(f"target: {{shadow: {shadow}}}\n")


def definition(counters: Counters, name: str = "counters") -> Any:
    """How a collection is defined."""
    found = read_definition(counters.database.client, counters.database.name, name)
    assert found is not None
    return found


def others(counters: Counters) -> list[str]:
    """What there is beside the collection."""
    return sorted(set(counters.database.list_collection_names()) - {"counters"})


def ended_at(counters: Counters, started: Start, moment: str, *arguments: str) -> str:
    """A run that was killed at this moment, by its id."""
    process = started(*(arguments or ("run", "--yes")), AT=moment)
    _, err = process.communicate(timeout=90)
    assert process.returncode not in (0, 1, 2, 3), err
    return str(counters.latest()["_id"])


def at_moments(metafunc: pytest.Metafunc, every: Sequence[str], some: Sequence[str]) -> None:
    """Try the test at some moments; with --trials, at every one."""
    metafunc.parametrize("moment", every if metafunc.config.getoption("--trials") else some)
