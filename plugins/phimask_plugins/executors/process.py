"""One worker process as its supervisor sees it: its pipe, what it costs, its end."""

from __future__ import annotations

import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

import psutil

from phimask import Lane
from phimask_plugins.executors.supervised import Heard, Supervised
from phimask_plugins.executors.worker import OUT_OF_MEMORY, Steer, serve


class WorkerProcess(Supervised):
    """A process of this machine that is there, or was."""

    def __init__(
        self,
        name: str,
        job: bytes,
        holding: tuple[str, ...],
        heard: queue.SimpleQueue[Heard],
        lane: Lane = "ordinary",
        folder: str | None = None,
    ) -> None:
        """Start it, in a folder; what it says comes to `heard`. Raises OSError where the system has no room for it."""
        spawn = get_context("spawn")
        self._pipe, others = spawn.Pipe()
        takes, gives = spawn.Pipe(duplex=False)
        self._process = spawn.Process(
            target=serve,
            args=(others, takes, name, holding, lane, folder),
            name=f"phimask-{name}",
            daemon=True,
        )
        try:
            with _interrupts_held_back():
                self._process.start()
        except BaseException:
            self._pipe.close()
            gives.close()
            raise
        finally:
            others.close()
            takes.close()
        super().__init__(name)
        self.pid = self._process.pid or 0
        self._thread = threading.Thread(
            target=self._hear, args=(heard, gives, job), name=f"phimask-hear-{name}", daemon=True
        )
        self._thread.start()

    def _hear(self, heard: queue.SimpleQueue[Heard], gives: Connection, job: bytes) -> None:
        # Here, since a job may be more than a pipe holds: it is taken only when the process has come up.
        with gives, suppress(OSError):
            gives.send_bytes(job)
        try:
            while True:
                heard.put(Heard(self, self._pipe.recv()))
        except (EOFError, OSError):
            pass
        except Exception:  # noqa: BLE001  (what cannot be unpickled is no message: a worker that sends it is done with)
            self._process.kill()
        heard.put(Heard(self, None))

    def steer(self, holding: tuple[str, ...], *, stop: bool = False) -> None:
        """Tell it what to stand still for, and with `stop` to end at its batch's end."""
        self.told_to_stop |= stop
        with suppress(OSError):  # gone; the reader tells
            self._pipe.send(Steer(holding, self.told_to_stop))

    def measure(self) -> None:
        """Look at what the process uses now."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            used = process.cpu_times()
            self.cpu_seconds = max(self.cpu_seconds, used.user + used.system)
            self.rss_bytes = process.memory_info().rss
            self.peak_rss_bytes = max(self.peak_rss_bytes, self.rss_bytes)

    def kill(self) -> None:
        """End it hard, with all processes that it started."""
        children: list[psutil.Process] = []
        with suppress(psutil.Error):
            children = psutil.Process(self.pid).children(recursive=True)
        self._process.kill()
        for child in children:
            with suppress(psutil.Error):
                child.kill()

    @property
    def gone(self) -> bool:
        """The process is no more, and all that it said was heard."""
        return self._closed and not self._process.is_alive()

    def close(self) -> str:
        """Let go of a process that is gone; answers how it ended."""
        self._process.join()
        self._thread.join()
        code = self._process.exitcode or 0
        self._process.close()
        self._pipe.close()
        return _ending(code)


def _ending(code: int) -> str:
    if code == OUT_OF_MEMORY:
        return "it was refused memory"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        name += ", perhaps by the system for want of memory"
    return f"killed by {name}"


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let a Ctrl-C not end a process that has not come to ignoring it: what is blocked here is blocked there.

    Nothing is lost: the system delivers it to another thread, or to this one afterwards. Windows has no such thing;
    there, such a process dies, and the Ctrl-C ends the run anyway.
    """
    if sys.platform == "win32":
        yield
        return
    from multiprocessing import resource_tracker  # noqa: PLC0415  (POSIX only)

    resource_tracker.ensure_running()  # starting it with the first process would end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
