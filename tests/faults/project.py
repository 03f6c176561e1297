"""A project folder, the real command line run in it, and its processes: to be killed, held still and let go on."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path

import people
import psutil
from commands import Command, Inside, Outside

from phimask.masking.keys import MaskingKey

MARK = "FAULTS_PROJECT"
"""The environment variable by which a project's processes are known, whoever their parent is by now."""
HURRY = "hurry"
"""A file of this name among the counts ends the slowness of maskers."""
PROFILE = """\
version: 1
extends: PROFILE
description: small batches, quick retries, workers of their own
partitioner: {name: paginate, options: {documents: 60}}
batch_sizer: {name: fixed, options: {documents: 20}}
executor: {name: local, options: {workers: 2, backoff: 10ms, restarts: 1000, period: 1s, stagger: 0ms}}
observers: [log]
breaker: {failures: 3, slow_batch: 1m, cool_down: 200ms, trips: 20}
retry: {attempts: 8, initial: 10ms, longest: 500ms}
prescan: {documents: 20}
strict: false
canary: null
undo: {vault: "${FAULTS_VAULT}"}
"""


class Project:
    """A folder with `phimask.yaml`, a profile, one collection file and the plugin file `faulty.py`.

    `uri` leads to the collection `people` of `database`; the ledger lies in a database beside it. `end` ends
    whatever still runs. `inside`: commands are run by this process, unless they are to be processes of their own.
    """

    inside = False
    under = "parallel"
    """The shipped profile that everything but the sizes is of."""

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
        self.write("faults.yaml", PROFILE.replace("PROFILE", self.under))
        self.settings = dict(settings)
        shutil.copy(Path(__file__).parent / "faulty.py", folder)

    def write(self, name: str, text: str) -> None:
        """A file of the folder."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def start(self, *arguments: str, pace: float = 0.0, **environment: str) -> Command:
        """Start `phimask` with these arguments; `pace` is the seconds that masking a document takes at least."""
        everything = {**self.environment, "FAULTS_PACE": str(pace), **environment}
        how = Inside if self.inside else Outside
        command = how(self.folder, len(self._commands), arguments, everything)
        self._commands.append(command)
        return command

    def run(self, *, pace: float = 0.0, **environment: str) -> Command:
        """Start masking, asking nothing, with the settings of this project."""
        (self.folder / "counts" / HURRY).unlink(missing_ok=True)
        return self.start("run", "--yes", "--json", *self.set, pace=pace, **environment)

    def hurry(self) -> None:
        """What was to be disturbed is: masking takes as long as it takes from now on, in all processes."""
        (self.folder / "counts" / HURRY).touch()

    def linger(self) -> None:
        """From now on masking is as slow as it was begun."""
        (self.folder / "counts" / HURRY).unlink()

    def kill_everything(self) -> None:
        """Kill all processes at once: none sees another die."""
        everything = self.processes()
        for process in everything:
            with contextlib.suppress(psutil.Error):
                process.suspend()
        for process in everything:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(everything, 10)

    @property
    def set(self) -> list[str]:
        """The settings of this project, as flags."""
        return [
            "--log-dir=logs",
            *(f"--set={key.replace('__', '.')}={value}" for key, value in self.settings.items()),
        ]

    def masked_by_workers(self) -> int:
        """How many documents workers have masked, those counted whose work was lost and done again."""
        coordinators = {str(command.coordinator.pid) for command in self._commands}
        counts = (path for path in (self.folder / "counts").glob("[0-9]*") if path.name not in coordinators)
        return sum(int(line) for path in counts for line in path.read_text(encoding="utf-8").split())

    def processes(self) -> list[psutil.Process]:
        """All that still run, whoever their parent is."""
        mine = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                marked = process.environ().get(MARK) == self.environment[MARK]
                # Python starts a tracker for a process once and for all, so that for this one it is not the trial's.
                if marked and not _own(process):
                    mine.append(process)
        return mine

    def end(self) -> None:
        """Kill all that still run."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for command in self._commands:
            command.wait(10)


def _own(process: psutil.Process) -> bool:
    if process.pid == os.getpid():
        return True
    return process.ppid() == os.getpid() and "resource_tracker" in " ".join(process.cmdline())
