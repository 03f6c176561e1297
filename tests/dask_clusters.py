"""A dask cluster in processes of its own, and what tests ask of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from phimask_plugins.executors.dask_cluster import connected

_SCRIPT = Path(__file__).with_name("a_dask_cluster.py")


class DaskCluster:
    """A context manager. `scheduler`: its address; `logged`: all that its processes wrote so far."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log.txt"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(_SCRIPT), str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        assert self._process.stdout is not None
        self.scheduler = self._process.stdout.readline().strip()
        assert self.scheduler, self.logged

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._process.communicate("", timeout=60)
        finally:
            self._process.kill()

    @property
    def logged(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def workers(self) -> list[str]:
        """Their addresses."""
        with connected({"scheduler": self.scheduler}, 60.0) as cluster:
            return cluster.addresses()

    def ask(self, function: Callable[..., Any], *given: Any) -> dict[str, Any]:
        """What it answers in each of the dask workers, by address."""
        with connected({"scheduler": self.scheduler}, 60.0) as cluster:
            return {address: cluster.ask(address, function, *given) for address in cluster.addresses()}
