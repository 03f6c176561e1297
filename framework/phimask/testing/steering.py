"""The conformance checks of what steers a run: batch sizers, memory governors, executors."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import psutil

from phimask.errors import MaskingError
from phimask.plugins import events
from phimask.plugins.given import Control
from phimask.plugins.interfaces import BatchSizer, Executor, MemoryGovernor, Meter
from phimask.plugins.values import BatchBudget, BatchCost, ComplexityClass, Lane, MemoryReading, Pressure
from phimask.testing.making import check_class, make, require

_BYTES_A_SECOND: Final = 4_000_000
_OF_ONE_DOCUMENT: Final = (200, 7_000, 40_000, 900_000, 15_000_000)
_LEAST_BELIEVABLE: Final = 2**20
_METERED: Final = 50
"""Documents that a meter is asked about."""

_NAMESPACE: Final = "ehr.patients"
_REASON: Final = "replica lag"
_MANY: Final = 400
_LONG: Final = 0.02
"""Partitions, and the seconds that each takes: no worker is through with all before a stop reaches it."""
_PATIENCE: Final = 60.0
"""Seconds after which a hold ends that nobody heard of."""


def check_batch_sizer(cls: type[BatchSizer], options: Mapping[str, Any] | None = None) -> None:
    """Check that a batch sizer's budgets stay positive and under its own ceilings (the options `documents` and
    `bytes`, if it has them) whatever batches cost, that pressure cuts the next one, and that it recovers; of one
    that gives meters, that each is a fresh one; that what a batch may take at the longest, if it says so, is a time.

    A sizer that leaves `shrink` as it is inherited counts as fixed.
    """
    check_class("batch_sizer", cls)
    chance = random.Random(7)  # noqa: S311  (costs that are the same in every run)
    sizer = make(cls, options)
    for turn in range(400):
        budget = _budget(cls, sizer)
        size = _OF_ONE_DOCUMENT[turn // 20 % len(_OF_ONE_DOCUMENT)]
        documents = max(1, min(budget.documents, budget.bytes // size))
        seconds = chance.choice((0.0, 1e-6, 0.1, documents * size / _BYTES_A_SECOND, 900.0))
        _meter(cls, sizer, size)
        kind = chance.choice(get_args(ComplexityClass))
        classes = {kind: (documents, documents * size)}
        sizer.record(BatchCost(documents, documents * size, seconds, classes, 2 * documents * size, size))
    sizer.record(BatchCost(0, 0, 0.0))
    _budget(cls, sizer)
    if cls.shrink is not BatchSizer.shrink:
        _check_shrinking(cls, options)


def _budget(cls: type[BatchSizer], sizer: BatchSizer) -> BatchBudget:
    budget = sizer.budget()
    require(
        isinstance(budget, BatchBudget),
        cls,
        f"budget() gives a {type(budget).__name__}; give a phimask.BatchBudget",
    )
    for of, amount in budget._asdict().items():
        require(
            type(amount) is int and amount > 0,
            cls,
            f"the budget of {of} is {amount!r}; give a whole number above 0",
        )
        ceiling = sizer.options.get(of)
        require(
            type(ceiling) is not int or amount <= ceiling,
            cls,
            f"the budget of {of} is {amount}, above the ceiling of {ceiling} that its options set",
        )
    require(
        sizer.budget() == budget,
        cls,
        "budget() differs when asked twice; let record() and shrink() alone move it",
    )
    longest = sizer.longest()
    require(
        longest is None or (isinstance(longest, (int, float)) and longest > 0),
        cls,
        f"longest() gives {longest!r}; give seconds above 0, or None where a batch may take any time",
    )
    return budget


def _meter(cls: type[BatchSizer], sizer: BatchSizer, size: int) -> None:
    """Ask a meter of each sort of document until it admits no more, or long enough; the next one has to be fresh."""
    answers: list[list[bool]] = []
    for _ in range(2):
        meter = sizer.meter()
        if meter is None:
            return
        require(
            isinstance(meter, Meter),
            cls,
            f"meter() gives a {type(meter).__name__}; give a phimask.Meter or None",
        )
        answers.append([])
        for number in range(_METERED):
            admits = meter.admits(get_args(ComplexityClass)[number % 3], size)
            require(type(admits) is bool, cls, f"a meter answers with {admits!r}; answer true or false")
            answers[-1].append(admits)
            if not admits:
                break
    require(
        answers[0] == answers[1],
        cls,
        f"after {len(answers[0])} documents of one batch the next one's meter ends it after {len(answers[1])}; let "
        "meter() give a fresh one each time",
    )


def _check_shrinking(cls: type[BatchSizer], options: Mapping[str, Any] | None) -> None:
    sizer = make(cls, options)
    _work(cls, sizer, 100)
    before = _budget(cls, sizer)
    sizer.shrink(0.25)
    cut = _budget(cls, sizer)
    require(
        cut != before and cut.documents <= before.documents and cut.bytes <= before.bytes,
        cls,
        f"shrink(0.25) leaves the next budget at {tuple(cut)} after {tuple(before)}; cut it at once",
    )
    _work(cls, sizer, 300)
    after = _budget(cls, sizer)
    require(
        10 * after.documents >= 8 * before.documents and 10 * after.bytes >= 8 * before.bytes,
        cls,
        f"300 even batches after a shrink the budget is {tuple(after)}, and was {tuple(before)} before; let it recover",
    )
    for _ in range(200):
        sizer.shrink(0.01)
    _budget(cls, sizer)
    sizer.shrink(0.0)
    _budget(cls, sizer)
    _work(cls, sizer, 10)


def _work(cls: type[BatchSizer], sizer: BatchSizer, batches: int) -> None:
    """Even batches of documents of 7 kB, each as large as the budget lets it be."""
    for _ in range(batches):
        budget = _budget(cls, sizer)
        documents = max(1, min(budget.documents, budget.bytes // 7_000))
        sizer.record(BatchCost(documents, documents * 7_000, documents * 7_000 / _BYTES_A_SECOND))


def check_memory_governor(cls: type[MemoryGovernor], options: Mapping[str, Any] | None = None) -> None:
    """Check that a memory governor's readings can be believed: their ranges, their units, a thousand of them."""
    check_class("memory_governor", cls)
    governor = make(cls, options)
    machine = psutil.virtual_memory().total
    for _ in range(1000):
        reading = governor.read()
        require(
            isinstance(reading, MemoryReading),
            cls,
            f"read() gives a {type(reading).__name__}; give a phimask.MemoryReading",
        )
        require(
            reading.pressure in get_args(Pressure),
            cls,
            f"its pressure is {reading.pressure!r}; use {', '.join(get_args(Pressure))}",
        )
        for of, amount in (("rss_bytes", reading.rss_bytes), ("ceiling_bytes", reading.ceiling_bytes)):
            require(
                type(amount) is int and amount >= _LEAST_BELIEVABLE,
                cls,
                f"its {of} is {amount!r}; give whole bytes (no Python runs in less than a megabyte)",
            )
        require(
            reading.rss_bytes <= machine,
            cls,
            f"its rss_bytes is {reading.rss_bytes}, more than the machine's memory",
        )
        require(
            0 < reading.shrink <= 1,
            cls,
            f"its shrink is {reading.shrink!r}; give a factor above 0 and up to 1",
        )


class _Job:
    """A phimask.Job whose partitions are files in a folder: whoever moves one has it, in whichever process."""

    def __init__(
        self, folder: str, partitions: int, seconds: float = 0.0, fails_at: int | None = None
    ) -> None:
        self.folder = Path(folder)
        self.partitions = partitions
        self.seconds = seconds
        self.fails_at = fails_at
        for number in range(partitions):
            (self.folder / f"todo-{number:03}").touch()

    def set_aside(self) -> int:
        """See phimask.Job."""
        return 0

    def work(
        self,
        worker: str,
        control: Control,
        tell: Callable[[events.Event], None],
        lane: Lane | None = None,  # noqa: ARG002  (nothing is large here)
    ) -> None:
        """See phimask.Job."""
        for waiting in sorted(self.folder.glob("todo-*")):
            while control.holding and not control.stopping:
                (self.folder / f"held-{'-'.join(control.holding)}").touch()
                control.wait(0.02)
            if control.stopping:
                return
            number = int(waiting.name.partition("-")[2])
            mine = self.folder / f"mine-{number:03}-{worker}"
            try:
                waiting.rename(mine)
            except OSError:
                continue  # another worker has it
            tell(events.PartitionStarted(_NAMESPACE, number, None, worker))
            if number == self.fails_at:
                raise MaskingError("Planned.Failure", "string")
            control.wait(self.seconds)
            mine.rename(self.folder / f"done-{number:03}")
            tell(events.PartitionFinished(_NAMESPACE, number, worker))

    def abandon(self, worker: str) -> None:
        """See phimask.Job."""
        for path in self.folder.glob(f"mine-*-{worker}"):
            path.rename(self.folder / f"todo-{path.name.split('-')[1]}")

    def done(self) -> int:
        return len(list(self.folder.glob("done-*")))

    def held(self) -> list[str]:
        return [path.name.partition("-")[2] for path in self.folder.glob("held-*")]


class _Steered:
    """A `Control` that asks for the end once so many partitions of a job are done, and holds until that was seen."""

    def __init__(self, job: _Job, stop_after: int | None = None, holds: bool = False) -> None:
        self._job = job
        self._stop_after = stop_after
        self._holds = holds
        self._most = time.monotonic() + _PATIENCE

    @property
    def stopping(self) -> bool:
        return self._stop_after is not None and self._job.done() >= self._stop_after

    @property
    def holding(self) -> tuple[str, ...]:
        waits = self._holds and not self._job.held() and time.monotonic() < self._most
        return (_REASON,) if waits else ()

    def wait(self, seconds: float) -> bool:
        time.sleep(min(seconds, 0.05))
        return self.stopping


def check_executor(cls: type[Executor], options: Mapping[str, Any] | None = None) -> None:
    """Check that an executor lets a job do all there is, tells all that its workers tell, passes a hold and a stop on
    to them, and lets the work's error out as its class. The job may be pickled and work in other processes.
    """
    check_class("executor", cls)
    for number in (0, 1, 12):
        with _folder() as folder:
            job = _Job(folder, number)
            told: list[events.Event] = []
            make(cls, options).run(job, _Steered(job), told.append)
            require(
                job.done() == number,
                cls,
                f"of {number} partitions {job.done()} are done; come back when no worker finds any more",
            )
            _check_events(cls, told, number)
    with _folder() as folder:
        job = _Job(folder, 12)
        make(cls, options).run(job, _Steered(job, stop_after=0), _ignore)
        require(not job.done(), cls, f"told to stop before it began, it ran {job.done()} partitions")
    with _folder() as folder:
        job = _Job(folder, _MANY, _LONG)
        make(cls, options).run(job, _Steered(job, stop_after=3), _ignore)
        require(
            job.done() < _MANY,
            cls,
            f"told to stop after 3 of {_MANY} partitions, it ran all; pass control.stopping on to the work",
        )
    with _folder() as folder:
        job = _Job(folder, 3)
        make(cls, options).run(job, _Steered(job, holds=True), _ignore)
        require(
            job.held() == [_REASON] and job.done() == 3,
            cls,
            f"told to hold for {_REASON!r}, the work heard of {job.held()} and did {job.done()} of 3 partitions; "
            "pass control.holding on to the work while it lasts",
        )
    _check_failure(cls, options)


def _check_events(cls: type[Executor], told: list[events.Event], number: int) -> None:
    finished: set[int] = set()
    at_work: dict[str, int] = {}
    for event in told:
        if isinstance(event, events.PartitionStarted):
            at_work[event.worker] = event.partition
        elif isinstance(event, events.PartitionFinished):
            require(
                bool(event.worker) and at_work.get(event.worker) == event.partition,
                cls,
                "it tells a worker's events out of order, or gives two workers one name, or none",
            )
            finished.add(event.partition)
    require(
        len(finished) == number,
        cls,
        f"of {number} finished partitions it tells {len(finished)}; tell all that the work tells before coming back",
    )


def _check_failure(cls: type[Executor], options: Mapping[str, Any] | None) -> None:
    expected = str(MaskingError("Planned.Failure", "string"))
    with _folder() as folder:
        job = _Job(folder, _MANY, _LONG, fails_at=2)
        try:
            make(cls, options).run(job, _Steered(job), _ignore)
        except MaskingError as error:
            require(str(error) == expected, cls, "the work's error came out with another message; keep it")
        except Exception as error:  # noqa: BLE001  (whatever comes instead is what is to be told)
            require(
                False, cls, f"the work's MaskingError came out as a {type(error).__name__}; keep its class"
            )
        else:
            require(False, cls, "the work raised, and run() came back as if all were well; let the error out")
        require(
            job.done() < _MANY - 1,
            cls,
            f"the work raised at partition 2, and all the other {_MANY - 1} ran; end the run",
        )


def _ignore(event: events.Event) -> None:
    pass


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="phimask-", ignore_cleanup_errors=True)
