"""Processes that begin with phimask loaded, as forks of one that has loaded it: to load it is most of what a short run
costs.

Only on Linux, and only for tests of what happens afterwards. Elsewhere a process loads everything itself, as it does
for a user; so do everywhere those that faults and packaging are tried with, and the workers of commands that are
processes.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any, Final

import psutil

LINUX: Final = sys.platform == "linux"
_LOADED: Final = (
    "phimask.cli.main",
    "phimask.cli.run",
    "phimask.cli.ending",
    "phimask.engine.run",
    "phimask_plugins.batch_sizers",
    "phimask_plugins.detectors.registered",
    "phimask_plugins.executors",
    "phimask_plugins.maskers",
    "phimask_plugins.memory_governors",
    "phimask_plugins.observers",
    "phimask_plugins.partitioners",
    "phimask_plugins.validators",
    "jsonschema",
    "rich.live",
)


class Forks:
    """In place of `multiprocessing.get_context("spawn")`."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(_LOADED))
        self.Event, self.Pipe = self._context.Event, self._context.Pipe

    def Process(self, target: Callable[..., None], args: tuple[Any, ...], **options: Any) -> Any:  # noqa: N802
        """One that has the environment and the current folder of the tests' own, as a spawned one has."""
        surroundings = dict(os.environ), str(Path.cwd())
        return self._context.Process(target=_surrounded, args=(*surroundings, target, args), **options)


def _surrounded(
    environment: dict[str, str], folder: str, target: Callable[..., None], args: tuple[Any, ...]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    target(*args)


def is_the_loaded_one(process: psutil.Process) -> bool:
    """Whether it is the process from which others are forked, which stays until the tests' own ends."""
    from multiprocessing import forkserver  # noqa: PLC0415  (POSIX only)

    return process.pid == forkserver._forkserver._forkserver_pid


class Ready:
    """The command line in such a process, with pipes; what tests ask of a `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        stdin, give = os.pipe()
        take, stdout = os.pipe()
        take_error, stderr = os.pipe()
        given = _Pipes(stdin, stdout, stderr)
        self._process = Forks().Process(
            _command, (given, tuple(arguments), str(folder), dict(environment)), name="phimask"
        )
        self._process.start()
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        self.pid: int = self._process.pid
        self.stdin: IO[str] = os.fdopen(give, "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(take, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(take_error, encoding="utf-8")
        self._said: tuple[str, str] | None = None

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it ends."""
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            raise subprocess.TimeoutExpired("phimask", timeout or 0)
        return code

    def communicate(self, input: str = "", timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        """All that it says, until it ends."""
        if self._said is None:
            with suppress(BrokenPipeError), self.stdin:
                self.stdin.write(input)
            said = ["", ""]

            def read(at: int, pipe: IO[str]) -> None:
                with pipe:
                    said[at] = pipe.read()

            readers = [
                threading.Thread(target=read, args=one, daemon=True)
                for one in enumerate((self.stdout, self.stderr))
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join(timeout)
                if reader.is_alive():
                    raise subprocess.TimeoutExpired("phimask", timeout or 0)
            self._said = said[0], said[1]
        self.wait(timeout)
        return self._said

    def send_signal(self, number: int) -> None:
        """As long as it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it hard."""
        self._process.kill()


class _Pipes:
    """The ends of pipes that become a process's stdin, stdout and stderr."""

    def __init__(self, *descriptors: int) -> None:
        self.descriptors = descriptors

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, tuple(reduction.DupFd(one) for one in self.descriptors)


def _received(*given: Any) -> _Pipes:
    return _Pipes(*(one.detach() for one in given))


def _command(pipes: _Pipes, arguments: tuple[str, ...], folder: str, environment: dict[str, str]) -> None:
    """What `python -m phimask` is, from its first line on."""
    for number, descriptor in enumerate(pipes.descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            os.fdopen(number, "wb", closefd=False), encoding="utf-8", errors=errors, line_buffering=lines
        )
        for number, errors, lines in ((1, "strict", False), (2, "backslashreplace", True))
    )
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["phimask", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Whoever started the loaded one first may have held interrupts back meanwhile.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    runpy.run_module("phimask", run_name="__main__")
