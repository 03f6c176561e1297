"""Whether `autoscale` finds the number of workers that is best: real worker processes, over a server that only waits.

    uv run python tests/benchmarks/autoscale.py [--best 3] [--best 16] [--seconds 240]

A batch is a sleep, as long as it would take on a server that is at its best with so many workers: up to there each
masks as fast as one alone, and beyond all together mask ever less. Processes, supervisor and search are those of a
run; only the masking is not. Printed is where it stands in the end and what that is of the best fixed number.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from phimask import Control, Job, Lane, StopSignal, events
from phimask.testing.making import make
from phimask_plugins.executors import LocalExecutor

MOST = 16
_BATCH_SECONDS = 1.0
_ALONE = 5e6


def rate(workers: int, best: int) -> float:
    """Bytes a second of all together."""
    return _ALONE * min(workers, best) * 0.95 ** max(0, workers - best)


class Waits(Job):
    """A job without an end. Who is at work is a file in a folder, so that each knows how many there are."""

    def __init__(self, folder: Path, best: int) -> None:
        self._folder = folder
        self._best = best

    @property
    def partitions(self) -> int | None:
        """Nobody knows."""
        return None

    def set_aside(self) -> int:
        """Nothing is."""
        return 0

    def work(
        self,
        worker: str,
        control: Control,
        tell: Callable[[events.Event], None],
        lane: Lane | None = None,
    ) -> None:
        """Batch after batch, until the end is asked for."""
        mine = self._folder / worker
        mine.touch()
        tell(events.PartitionStarted("a.b", 0, None, worker))
        while not control.stopping:
            workers = max(1, len(list(self._folder.iterdir())))
            began = time.perf_counter()
            control.wait(_BATCH_SECONDS)
            seconds = time.perf_counter() - began
            size = round(rate(workers, self._best) / workers * seconds)
            tell(events.BatchFinished("a.b", 0, 1, size, seconds, 1, 0, 0, 0, 0, worker=worker))
        mine.unlink()

    def abandon(self, worker: str) -> None:
        """It is not at work any more."""
        (self._folder / worker).unlink(missing_ok=True)


def run(best: int, seconds: float) -> list[events.Scaled]:
    """All decisions."""
    stop = StopSignal()
    decisions: list[events.Scaled] = []
    until = time.monotonic() + seconds

    def tell(event: events.Event) -> None:
        if isinstance(event, events.Scaled):
            decisions.append(event)
            print(f"  {seconds - until + time.monotonic():>6.0f} s  {event.workers:>2}  {event.because}")
        if time.monotonic() > until:
            stop.stop()

    with tempfile.TemporaryDirectory() as folder:
        options = {"max": MOST, "autoscale": {"min": 1}, "memory": "50MB"}
        make(LocalExecutor, options).run(Waits(Path(folder), best), stop, tell)
    return decisions


def main() -> None:
    """The decisions and a line of what came of them, for each server."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--best", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=240.0)
    given = parser.parse_args()
    for best in given.best or [3, 16]:
        print(f"best with {best} of {MOST} workers")
        settled = run(best, given.seconds)[-1].workers
        print(
            f"  in the end {settled}, {rate(settled, best) / rate(best, best):.2f} of the best fixed number"
        )


if __name__ == "__main__":
    main()
