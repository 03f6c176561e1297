"""A job for executors' tests, whose ledger is a folder, and the troubles that it can make."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
from loguru import logger

from own_errors import own
from phimask import Control, Interrupted, Lane, MaskingError, SafeStop, StoreError, events

CANARY = "Wilhelmina-Oakes-0047113"
NAMESPACE = "ehr.patients"
MB = 10**6


class FolderJob:
    """Partitions are files: `todo-N`, `mine-N-WORKER` while leased, `done-N-PID`. Each is one batch.

    `troubles`: what befalls whoever has a partition for the first time. `seconds`: how long each takes.
    """

    def __init__(
        self,
        folder: Path,
        partitions: int,
        troubles: Mapping[int, Callable[[FolderJob, Control], None]] | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.folder = folder
        self.partitions: int | None = partitions
        self.troubles = dict(troubles or {})
        self.seconds = seconds
        self.rss = 50 * MB
        self.spent_after: int | None = None
        self.ballast = b""
        self.deaths_of_large = 0
        self.abandoned: list[str] = []
        for number in range(partitions):
            self.mark(f"todo-{number}")

    def set_aside(self) -> int:
        return len(self.marks("large"))

    def work(
        self,
        worker: str,
        control: Control,
        tell: Callable[[events.Event], None],
        lane: Lane | None = None,
    ) -> None:
        if lane == "oversize":
            self.work_on_large(worker, control, tell)
            return
        for waiting in sorted(self.folder.glob("todo-*"), key=number_of):
            while control.holding and not control.stopping:
                self.mark(f"held-{worker}-{'-'.join(control.holding)}")
                control.wait(0.02)
            if control.stopping:
                return
            number = number_of(waiting)
            mine = self.folder / f"mine-{number}-{worker}"
            try:
                waiting.rename(mine)
            except OSError:
                continue
            tell(events.PartitionStarted(NAMESPACE, number, None, worker))
            if number in self.troubles and not (self.folder / f"trouble-{number}").exists():
                self.mark(f"trouble-{number}")
                self.troubles[number](self, control)
            control.wait(self.seconds)
            mine.rename(self.folder / f"done-{number}-{os.getpid()}")
            tell(batch(number, worker, self.rss))
            if number == self.spent_after:
                tell(events.MemorySpent(self.rss, worker=worker))
                while not control.stopping:
                    control.wait(0.05)
            tell(events.PartitionFinished(NAMESPACE, number, worker))

    def work_on_large(self, worker: str, control: Control, tell: Callable[[events.Event], None]) -> None:
        for waiting in self.marks("large"):
            if control.stopping:
                return
            number = number_of(waiting)
            tell(events.PartitionStarted(NAMESPACE, number, None, worker))
            tries = len(list(self.folder.glob(f"tried-{number}-*")))
            self.mark(f"tried-{number}-{tries}")
            if tries < self.deaths_of_large:
                os._exit(3)
            waiting.rename(self.folder / f"done-{number}-{os.getpid()}")
            tell(events.PartitionFinished(NAMESPACE, number, worker))

    def abandon(self, worker: str) -> None:
        self.abandoned.append(worker)
        for path in self.folder.glob(f"mine-*-{worker}"):
            path.rename(self.folder / f"todo-{number_of(path)}")

    def mark(self, name: str) -> None:
        (self.folder / name).touch()

    def marks(self, kind: str) -> list[Path]:
        return sorted(self.folder.glob(f"{kind}-*"), key=number_of)

    @property
    def done(self) -> list[int]:
        return [number_of(path) for path in self.marks("done")]

    @property
    def pids(self) -> set[int]:
        """The processes that did something."""
        return {int(path.name.split("-")[2]) for path in self.marks("done")}


def number_of(path: Path) -> int:
    part = path.name.split("-")[1]
    return int(part) if part.isdigit() else 0


def batch(number: int, worker: str, rss_bytes: int) -> events.BatchFinished:
    return events.BatchFinished(
        namespace=NAMESPACE, partition=number, documents=10, bytes=700, seconds=0.1, written=10, unchanged=0,
        quarantined=0, missing=0, rss_bytes=rss_bytes, worker=worker,
    )  # fmt: skip


# Troubles


def exits(job: FolderJob, control: Control) -> None:
    os._exit(3)


def is_killed(job: FolderJob, control: Control) -> None:
    psutil.Process().kill()
    time.sleep(600)


def hangs(job: FolderJob, control: Control) -> None:
    """With a process of its own beside it, as a masker may have one."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    job.mark(f"child-{child.pid}")
    time.sleep(600)


def is_refused_memory(job: FolderJob, control: Control) -> None:
    raise MemoryError(CANARY)


def takes_long_but_looks(job: FolderJob, control: Control) -> None:
    control.wait(6.0)


def stops_looking_while_held(job: FolderJob, control: Control) -> None:
    while not control.holding:
        control.wait(0.02)
    job.mark("quiet-0")
    time.sleep(5.0)
    job.mark("quiet-1")


def cannot_mask(job: FolderJob, control: Control) -> None:
    raise own(MaskingError, "Patient.SSN", "int") from KeyError(CANARY)


def stops_safely(job: FolderJob, control: Control) -> None:
    raise own(SafeStop, "memory stays critical")


def loses_the_server(job: FolderJob, control: Control) -> None:
    raise own(StoreError, "MongoDB answered with NotYet (4711)")


def is_interrupted(job: FolderJob, control: Control) -> None:
    while not control.wait(1.0):
        pass
    raise own(Interrupted, "stopped while the circuit breaker was open")


def has_a_fault(job: FolderJob, control: Control) -> None:
    raise KeyError(CANARY)


def leaves(job: FolderJob, control: Control) -> None:
    raise SystemExit(CANARY)


def is_asked_to_end(job: FolderJob, control: Control) -> None:
    """By somebody else than its supervisor."""
    psutil.Process().terminate()
    time.sleep(0.5)


def logs(job: FolderJob, control: Control) -> None:
    logging.getLogger("phimask.plugins.seen").warning("mongodb://ann:secret@host says %s", "{no}")
    logging.getLogger("third.party").error("found %s", CANARY)
    logger.info("from the inside")
    logging.getLogger("phimask.plugins.unseen").debug("not for a log")
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("phimask.plugins.failed").exception("it failed")


def makes_noise(job: FolderJob, control: Control) -> None:
    """Prints, and fails where nobody catches it."""

    def fail() -> None:
        raise ValueError(CANARY)

    class Fails:
        def __del__(self) -> None:
            raise ValueError(CANARY)

    print("printed")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Fails()


def weighs_its_ballast(job: FolderJob, control: Control) -> None:
    (job.folder / "weight-0").write_text(f"{len(job.ballast)} {zlib.crc32(job.ballast)}")


def tells_its_surroundings(job: FolderJob, control: Control) -> None:
    (job.folder / "seen-0").write_text(os.environ["PHIMASK_TEST_KEY"])
    (job.folder / "seen-1").write_text(" ".join(psutil.Process().cmdline()))


def never_takes_its_job(*given: object) -> None:
    """In place of a worker's main function."""
    time.sleep(600)
