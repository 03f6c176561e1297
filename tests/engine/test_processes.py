"""In how many processes a verification is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from phimask.config.profile import load_profile
from phimask.engine.processes import processes_for
from phimask.plugins.loading import load_registry


@pytest.mark.parametrize(
    ("executor", "options", "processes"),
    [
        ("inline", {}, 1),
        ("local", {"workers": 5, "max": 16}, 5),
        ("local", {"workers": "auto", "max": 16}, 12),
        ("local", {"workers": "auto", "max": 4}, 4),
        ("dask", {"workers": 40}, 12),  # which are on other machines
        ("dask", {"workers": "auto"}, 12),
    ],
)
def test_as_many_as_this_machine_has_workers(
    executor: str, options: dict[str, Any], processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 12)
    profile = load_profile("parallel", directory=tmp_path, environ={}, components=load_registry())
    chosen = replace(profile.executor, name=executor, options=options)
    assert processes_for(replace(profile, executor=chosen)) == processes
