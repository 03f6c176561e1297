"""The processes that verify: each has a pipe, is given one piece after the other, and ends with whoever started it.

They are spawned, so that they are alike on every system. With one of them, the work is done here.
"""

from __future__ import annotations

import contextlib
import gc
import queue
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final

import psutil
from pymongo.errors import PyMongoError

from phimask.config.model import Profile
from phimask.cycles import look_seldom
from phimask.engine.control import StopSignal
from phimask.engine.share import STOPPED, Piece, Share, Verification
from phimask.errors import Interrupted, PhimaskError
from phimask.log import describe_error
from phimask.store.retry import terminal_error

_LOOK: Final = 0.2
_PATIENCE: Final = 5.0
_MOST_PROCESSES: Final = 16


def processes_for(profile: Profile) -> int:
    """As many as `local` has workers, or as there are cores where it decides by itself, or where workers may be on
    other machines: nothing else is done here meanwhile."""
    name, options = profile.executor.name, profile.executor.options
    if name == "inline":
        return 1
    if name == "local" and isinstance(workers := options.get("workers"), int):
        return workers
    return max(1, min(psutil.cpu_count(logical=False) or 1, int(options.get("max", _MOST_PROCESSES))))


class Shares:
    """All shares of one verification, each in a process; a context manager that ends them."""

    def __init__(self, task: Verification, processes: int, stop: StopSignal) -> None:
        """Raises PhimaskError where a process cannot be started."""
        self._stop = stop
        self._here: Share | None = None
        self._workers: list[_Process] = []
        try:
            if processes <= 1:
                self._here = Share(task, lambda: stop.stopping)
            else:
                for number in range(processes):
                    self._workers.append(_Process(task, number))
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Shares:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._here is not None:
            self._here.__exit__(kind, error, traceback)
        for worker in self._workers:
            worker.tell_to_stop()
        for worker in self._workers:
            worker.end()

    def pieces(self, pieces: Iterable[Piece], done: Callable[[int], None]) -> None:
        """Have all pieces looked at; `done` is told how many documents each had, in this thread.

        Raises Interrupted at a stop, and what a process raises.
        """
        if self._here is not None:
            for piece in pieces:
                done(_look_at(self._here, piece))
            return
        todo = iter(pieces)
        told: queue.SimpleQueue[int | BaseException | None] = queue.SimpleQueue()
        taking = threading.Lock()
        over = threading.Event()

        def drive(worker: _Process) -> None:
            try:
                while not over.is_set():
                    with taking:
                        piece = next(todo, None)
                    if piece is None:
                        break
                    told.put(worker.ask("piece", piece))
            except BaseException as error:  # noqa: BLE001  (raised again by whoever listens)
                told.put(error)
            finally:
                told.put(None)

        threads = [
            threading.Thread(target=drive, args=(worker,), daemon=True, name="phimask-verify")
            for worker in self._workers
        ]
        for thread in threads:
            thread.start()
        left = len(threads)
        try:
            while left:
                if self._stop.stopping:
                    raise Interrupted(STOPPED)
                with contextlib.suppress(queue.Empty):
                    answer = told.get(timeout=_LOOK)
                    if isinstance(answer, BaseException):
                        raise answer
                    if answer is None:
                        left -= 1
                    else:
                        done(answer)
        finally:
            over.set()
            if left:
                for worker in self._workers:
                    worker.tell_to_stop()
            for thread in threads:
                thread.join(_PATIENCE)

    def ask(self, what: str, *given: Any) -> list[Any]:
        """The same question to each share; all answers."""
        if self._here is not None:
            return [getattr(self._here, what)(*given)]
        with ThreadPoolExecutor(len(self._workers)) as threads:
            return list(threads.map(lambda worker: worker.ask(what, *given), self._workers))


def _look_at(share: Share, piece: Piece) -> int:
    try:
        return share.piece(piece)
    except PyMongoError as error:
        raise terminal_error(error, "verifying") from None


class _Process:
    """One process, and this side of its pipe."""

    def __init__(self, task: Verification, number: int) -> None:
        spawn = get_context("spawn")
        self._stop = spawn.Event()
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=_serve, args=(theirs, self._stop), name=f"phimask-verify-{number}", daemon=True
        )
        try:
            self._process.start()
            self._pipe.send(task)
        except OSError as error:
            raise PhimaskError(f"a process to verify with cannot be started: {error.strerror}") from None
        finally:
            theirs.close()

    def ask(self, what: str, *given: Any) -> Any:
        """Its answer. Raises what it raised, and PhimaskError where it is gone."""
        try:
            self._pipe.send((what, given))
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise PhimaskError(
                "a process that verified ended before its work did, perhaps for want of memory; verify again with "
                "fewer (--workers)"
            ) from None
        if isinstance(answer, PhimaskError):
            raise answer
        return answer

    def tell_to_stop(self) -> None:
        """At its next batch."""
        self._stop.set()

    def end(self) -> None:
        """Its pipe is closed, and it ends, or is ended."""
        self._pipe.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(pipe: Connection, stop: Any) -> None:
    """A process's life: answers until nobody asks any more."""
    for name in (
        "SIGINT",
        "SIGBREAK",
    ):  # whoever started this process is interrupted, too, and says what is to be
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    share: Share | None = None
    try:
        task: Verification = pipe.recv()
        while True:
            what, given = pipe.recv()
            try:
                if share is None:
                    share = Share(task, stop.is_set)
                    gc.freeze()
                    look_seldom()
                answer = _look_at(share, *given) if what == "piece" else getattr(share, what)(*given)
            except PhimaskError as error:
                answer = error.alone()
            except (Exception, SystemExit) as error:  # noqa: BLE001  (its message may hold a value)
                answer = PhimaskError(f"verification failed: {describe_error(error)}")
            pipe.send(answer)
    except (EOFError, OSError, KeyboardInterrupt):
        pass
    finally:
        if share is not None:
            share.__exit__(None, None, None)
