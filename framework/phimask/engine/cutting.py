"""Partitions on their way into the ledger, cut in the background while workers are at the first of them already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from loguru import logger
from pymongo.errors import PyMongoError

from phimask.config.model import Retry
from phimask.engine.control import StopSignal
from phimask.errors import PhimaskError
from phimask.ledger.partitions import Partitions
from phimask.ledger.runs import Runs
from phimask.plugins.failure import describe
from phimask.plugins.values import Partition
from phimask.store.retry import retrying, terminal_error

_Answer = TypeVar("_Answer")

_PATIENCE_SECONDS = 2.0
"""How long to wait for the number of partitions, which tells how many workers are of use."""


class Cutting:
    """Enters partitions, from number `first` on. An error that stays stops the run and is raised by `settle`."""

    def __init__(
        self,
        partitions: Partitions,
        runs: Runs,
        run: str,
        namespace: str,
        stop: StopSignal,
        ranges: Iterable[Partition],
        first: int,
        retry: Retry,
    ) -> None:
        self._partitions = partitions
        self._runs = runs
        self._run = run
        self._namespace = namespace
        self._stop = stop
        self._ranges = ranges
        self._first = first
        self._retry = retry
        self._error: PhimaskError | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._cut, name="phimask-cut", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def left(self) -> int | None:
        """How many partitions are not finished, if all are entered within a moment."""
        if not self._over.wait(_PATIENCE_SECONDS):
            return None
        return self._persist(self._partitions.left)

    def settle(self) -> None:
        """Wait for the end. Raises what went wrong."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _cut(self) -> None:
        try:
            for number, one in enumerate(self._unless_stopped(), self._first):
                # Entered again where the answer was lost, it is the same.
                self._persist(lambda: list(self._partitions.add([one], number)))  # noqa: B023  (called at once)
            if not self._stop.stopping:
                self._persist(lambda: self._runs.all_cut(self._run, self._namespace))
        except PyMongoError as error:
            self._error = terminal_error(error, f"entering the partitions of {self._namespace}")
        except PhimaskError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  (a partitioner may raise anything; workers would wait for ever)
            self._error = PhimaskError(
                f"cutting {self._namespace} into partitions failed: {describe(error)}; mend the partitioner, or "
                "choose another, and resume"
            )
        finally:
            self._over.set()
            if self._error is not None:
                self._stop.stop()

    def _persist(self, ask: Callable[[], _Answer]) -> _Answer:
        def waited(reason: str, seconds: float) -> None:
            logger.info("cutting {} waited {:.1f} s, {}", self._namespace, seconds, reason)

        answer: _Answer = retrying(self._retry, waited, lambda: self._stop.stopping)(ask)
        return answer

    def _unless_stopped(self) -> Iterator[Partition]:
        for one in self._ranges:
            if self._stop.stopping:
                return
            yield one
