"""A project folder, the real command line run in it, and its processes: to be killed, held still and let go on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import people
import psutil

from phimask.masking.keys import MaskingKey
from replica_set import wait_until

MARK = "FAULTS_PROJECT"
"""The environment variable by which a project's processes are known, whoever their parent is by now."""
_LONGEST = 180.0
PROFILE = """\
version: 1
extends: parallel
description: small batches, quick retries, workers of their own
partitioner: {name: paginate, options: {documents: 60}}
batch_sizer: {name: fixed, options: {documents: 20}}
executor: {name: local, options: {workers: 2, backoff: 50ms, restarts: 100}}
observers: [log]
breaker: {failures: 3, slow_batch: 1m, cool_down: 200ms, trips: 20}
retry: {attempts: 8, initial: 10ms, longest: 500ms}
prescan: {documents: 20}
undo: {vault: "${FAULTS_VAULT}"}
"""


class Project:
    """A folder with `phimask.yaml`, a profile, one collection file and the plugin file `faulty.py`.

    `uri` leads to the collection `people` of `database`; the ledger lies in a database beside it. `end` ends
    whatever still runs.
    """

    def __init__(self, folder: Path, uri: str, database: str, **settings: str) -> None:
        self.folder = folder
        self.database = database
        self.ledger = f"{database}_ledger"
        self.vault = f"{database}_vault"
        self.environment = {
            "PHIMASK_URI": uri,
            "PHIMASK_LEDGER_URI": uri,
            "PHIMASK_KEY": MaskingKey.generate().text(),
            MARK: uuid.uuid4().hex,
            "FAULTS_VAULT": "vault",
            "FAULTS_COUNTS": str(folder / "counts"),
        }
        self._commands: list[Command] = []
        (folder / "collections").mkdir(parents=True)
        (folder / "counts").mkdir()
        self.write(
            "phimask.yaml",
            f"version: 1\nuri: ${{PHIMASK_URI}}\ndatabase: {database}\nplugins: [faulty.py]\n"
            f"coordination: {{uri: '${{PHIMASK_LEDGER_URI}}', database: {self.ledger}}}\n"
            "profile: faults.yaml\ncollections: [people]\n",
        )
        self.write("collections/people.yaml", people.COLLECTION_FILE)
        self.write("faults.yaml", PROFILE)
        self.settings = dict(settings)
        shutil.copy(Path(__file__).parent / "faulty.py", folder)

    def write(self, name: str, text: str) -> None:
        """A file of the folder."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, *arguments: str, pace: float = 0.0, **environment: str) -> Command:
        """Start `phimask` with these arguments; `pace` is the seconds that masking a document takes at least."""
        command = Command(self, len(self._commands), arguments, {"FAULTS_PACE": str(pace), **environment})
        self._commands.append(command)
        return command

    def run(self, *, pace: float = 0.0, **environment: str) -> Command:
        """Start masking, asking nothing, with the settings of this project."""
        return self.start("run", "--yes", "--json", *self.set, pace=pace, **environment)

    @property
    def set(self) -> list[str]:
        """The settings of this project, as flags."""
        return [f"--set={key.replace('__', '.')}={value}" for key, value in self.settings.items()]

    def masked_by_workers(self) -> int:
        """How many documents workers have masked, those counted whose work was lost and done again."""
        coordinators = {str(command.coordinator.pid) for command in self._commands}
        counts = (path for path in (self.folder / "counts").iterdir() if path.name not in coordinators)
        return sum(int(line) for path in counts for line in path.read_text(encoding="utf-8").split())

    def processes(self) -> list[psutil.Process]:
        """All that still run, whoever their parent is."""
        mine = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.environment[MARK]:
                    mine.append(process)
        return mine

    def end(self) -> None:
        """Kill all that still run."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for command in self._commands:
            command.wait(10)


class Command:
    """One command line that was started: its coordinator and its workers."""

    def __init__(
        self, project: Project, number: int, arguments: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        self._project = project
        self._out = project.folder / f"{number}.out.txt"
        self._err = project.folder / f"{number}.err.txt"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PHIMASK_")}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "phimask", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=project.folder,
                env={**kept, "PYTHONIOENCODING": "utf-8", **project.environment, **environment},
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        self.coordinator = psutil.Process(self._process.pid)

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
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float = _LONGEST) -> int:
        """Until it ends; answers with its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"phimask does not end in {seconds:.0f} s:\n{self.err[-4000:]}") from None

    def until(self, what: Callable[[], bool], told: str, seconds: float = 60.0) -> None:
        """Wait for something while it runs."""

        def so() -> bool:
            assert self.code is None, (
                f"phimask ended with {self.code} before this: {told}\n{self.err[-4000:]}"
            )
            return what()

        wait_until(so, f"{told}\n{self.err[-4000:]}", seconds)

    def workers(self) -> list[psutil.Process]:
        """The processes it started to mask, whatever else Python starts beside them."""
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

    def kill_coordinator(self) -> None:
        """Kill the process that was started; its workers find out by themselves."""
        self._process.kill()
        self._process.wait()

    def kill_everything(self) -> None:
        """Kill all processes at once: none sees another die."""
        everything = self._project.processes()
        for process in everything:
            with contextlib.suppress(psutil.Error):
                process.suspend()
        for process in everything:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.wait()
        psutil.wait_procs(everything, 10)


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
        line = " ".join(process.cmdline())
        return "resource_tracker" not in line and "lifeline" not in line
    return False
