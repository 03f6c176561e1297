"""The conformance checks of what steers a run: batch sizers, memory governors, executors."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import psutil

from phimask.plugins.interfaces import BatchSizer, Executor, MemoryGovernor
from phimask.plugins.values import BatchBudget, BatchCost, DocumentId, MemoryReading, Partition, Pressure
from phimask.testing.making import check_class, make, require

_BYTES_A_SECOND: Final = 4_000_000
_OF_ONE_DOCUMENT: Final = (200, 7_000, 40_000, 900_000, 15_000_000)
_LEAST_BELIEVABLE: Final = 2**20


def check_batch_sizer(cls: type[BatchSizer], options: Mapping[str, Any] | None = None) -> None:
    """Check that a batch sizer's budgets stay positive and under its own ceilings (the options `documents` and
    `bytes`, if it has them) whatever batches cost, that pressure cuts the next one, and that it recovers.

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
        sizer.record(BatchCost(documents, documents * size, seconds))
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
    return budget


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


class _Work:
    """Leaves a file for each partition that it is called with: other processes' work is seen as well."""

    def __init__(self, directory: str, fails_at: int | None = None) -> None:
        self.directory = directory
        self.fails_at = fails_at

    def __call__(self, partition: Partition) -> None:
        (Path(self.directory) / f"{partition.number}-{uuid.uuid4().hex}").touch()
        if partition.number == self.fails_at:
            raise PlannedFailureError

    def done(self) -> list[int]:
        return sorted(int(path.name.partition("-")[0]) for path in Path(self.directory).iterdir())


class PlannedFailureError(Exception):
    """What the work of an executor's check raises."""


class _StopAfter:
    """A `Control` that asks for the end once so many partitions are done."""

    def __init__(self, done: Callable[[], list[int]], partitions: int) -> None:
        self._done = done
        self._partitions = partitions

    @property
    def stopping(self) -> bool:
        return len(self._done()) >= self._partitions


def check_executor(cls: type[Executor], options: Mapping[str, Any] | None = None) -> None:
    """Check that an executor calls the work once for each partition, stops when it is told to, and lets the
    work's exception out. The work may be pickled and called in other processes.
    """
    check_class("executor", cls)
    never = _StopAfter(list, 1)
    for number in (0, 1, 12):
        with _folder() as folder:
            work = _Work(folder)
            make(cls, options).run(_partitions(number), work, never)
            require(
                work.done() == list(range(number)),
                cls,
                f"of {number} partitions it ran {work.done()}; run each once, and come back when all are done",
            )
    with _folder() as folder:
        work = _Work(folder)
        make(cls, options).run(_partitions(12), work, _StopAfter(list, 0))
        require(not work.done(), cls, f"told to stop before it began, it ran {work.done()}")
    with _folder() as folder:
        work = _Work(folder)
        make(cls, options).run(_partitions(600), work, _StopAfter(work.done, 3))
        require(
            len(set(work.done())) == len(work.done()) < 600,
            cls,
            "told to stop after 3 of 600 partitions, it ran all; look at control.stopping before each",
        )
    _check_failure(cls, options)


def _check_failure(cls: type[Executor], options: Mapping[str, Any] | None) -> None:
    with _folder() as folder:
        work = _Work(folder, fails_at=2)
        try:
            make(cls, options).run(_partitions(600), work, _StopAfter(list, 1))
        except PlannedFailureError:
            pass
        except Exception as error:  # noqa: BLE001  (whatever comes instead is what is to be told)
            require(
                False, cls, f"the work's exception came out as a {type(error).__name__}; let it out as it is"
            )
        else:
            require(
                False, cls, "the work raised, and run() came back as if all were well; let the exception out"
            )
        require(len(work.done()) < 600, cls, "the work raised at partition 2, and all 600 ran; end the run")


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="phimask-", ignore_cleanup_errors=True)


def _partitions(number: int) -> Iterator[Partition]:
    bounds = [None, *(DocumentId(0x07, position.to_bytes(12, "big")) for position in range(number))]
    for position in range(number):
        yield Partition(position, bounds[position], bounds[position + 1], 1)
