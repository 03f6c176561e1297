"""A command line that was started: in processes of its own, or by a thread of the tests' process."""

from __future__ import annotations

import abc
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from phimask.cli.main import run as phimask
from phimask.log import close_log
from replica_set import wait_until

_LONGEST = 600.0


class Command(abc.ABC):
    """One command line that was started. What it says goes into files of the project's folder."""

    coordinator: psutil.Process
    """The process that coordinates."""

    def __init__(self, folder: Path, number: int) -> None:
        self._out = folder / f"{number}.out.txt"
        self._err = folder / f"{number}.err.txt"

    @property
    def out(self) -> str:
        """What it said to programs so far."""
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What it said to people so far."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    @property
    def report(self) -> Any:
        """The report it gave."""
        return json.loads(self.out)

    @property
    @abc.abstractmethod
    def code(self) -> int | None:
        """Its exit code, None while it runs."""

    def wait(self, seconds: float = _LONGEST) -> int:
        """Until it ends; answers with its exit code."""
        wait_until(lambda: self.code is not None, f"phimask does not end:\n{self.err[-4000:]}", seconds)
        assert self.code is not None
        return self.code

    def until(self, what: Callable[[], bool], told: str, seconds: float = 300.0) -> None:
        """Wait for something while it runs."""

        def so() -> bool:
            assert self.code is None, (
                f"phimask ended with {self.code} before this: {told}\n{self.err[-4000:]}"
            )
            return what()

        wait_until(so, f"{told}\n{self.err[-4000:]}", seconds)

    def workers(self) -> list[psutil.Process]:
        """The processes it started to mask, whatever else is started beside them."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child for child in self.coordinator.children(recursive=True) if _is_worker(child)]
        return []

    def owner(self, port: int) -> psutil.Process | None:
        """The worker whose end of a connection this port is; None where it is not a worker's."""
        for worker in self.workers():
            with contextlib.suppress(psutil.Error):
                if any(one.laddr and one.laddr.port == port for one in _connections(worker)):
                    return worker
        return None


class Outside(Command):
    """In processes of its own: a coordinator, and its workers."""

    def __init__(
        self, folder: Path, number: int, arguments: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        super().__init__(folder, number)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PHIMASK_")}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "phimask", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env={**kept, "PYTHONIOENCODING": "utf-8", **environment},
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self.coordinator = psutil.Process(self._process.pid)

    @property
    def code(self) -> int | None:
        """See Command."""
        return self._process.poll()

    def kill(self) -> None:
        """Kill the process that was started; its workers find out by themselves."""
        self._process.kill()
        self._process.wait()


class Inside(Command):
    """By a thread of the tests' process, which spares the start of Python: there is nothing that could be killed.

    One at a time, since the environment, the current folder and what is said are the process's.
    """

    def __init__(
        self, folder: Path, number: int, arguments: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        super().__init__(folder, number)
        self.coordinator = psutil.Process()
        self._code: int | None = None
        self._was = dict(os.environ), Path.cwd(), sys.stdout, sys.stderr
        for name in [name for name in os.environ if name.startswith("PHIMASK_")]:
            del os.environ[name]
        os.environ.update(environment)
        os.chdir(folder)
        sys.stdout = self._out.open("w", encoding="utf-8", buffering=1)
        sys.stderr = self._err.open("w", encoding="utf-8", buffering=1)
        # Tests that are interrupted end all the same.
        self._thread = threading.Thread(
            target=self._go, args=(arguments,), name="phimask-inside", daemon=True
        )
        self._thread.start()

    def _go(self, arguments: tuple[str, ...]) -> None:
        try:
            code = phimask(arguments)
        finally:
            close_log()
            sys.stdout.close()
            sys.stderr.close()
            environment, folder, sys.stdout, sys.stderr = self._was
            os.chdir(folder)
            for name in os.environ.keys() - environment.keys():
                del os.environ[name]
            os.environ.update(environment)
        self._code = code

    @property
    def code(self) -> int | None:
        """See Command."""
        if self._code is not None:
            self._thread.join()
        return self._code


def kill(process: psutil.Process) -> None:
    """Kill one process and wait until it is gone; a zombie, whose parent has not looked, is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
    until = time.monotonic() + 10
    while time.monotonic() < until and psutil.pid_exists(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        time.sleep(0.005)


def _connections(process: psutil.Process) -> list[Any]:
    look = getattr(process, "net_connections", None) or process.connections
    return list(look(kind="tcp"))


def _is_worker(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "spawn_main" in " ".join(process.cmdline())
    return False
