"""A process that answers a line with a line: started when it is needed, given a time limit, ended with its owner."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import IO, Final

import psutil

_PASSED_ON: Final = frozenset(
    {
        "APPDATA", "COMSPEC", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOCALAPPDATA", "PATH", "PATHEXT", "PROGRAMDATA",
        "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ", "USERPROFILE", "WINDIR",
    }
)  # fmt: skip
"""What a program needs to run at all. The masking key and the deployment's address may stand in the others."""
_GRACE_SECONDS: Final = 2.0


class ProcessFailedError(Exception):
    """There is no answer: the process ended or took too long. Says nothing of the request."""


class NotStartedError(Exception):
    """There is no process to ask."""


class LineProcess:
    """A program without a shell; what it writes to stderr goes nowhere, since it may hold values.

    It is no part of the terminal's group of processes, so that Ctrl-C ends it no sooner than its last answer.
    """

    def __init__(self, command: Sequence[str], environment: Sequence[str] = ()) -> None:
        self._command = list(command)
        self._wanted = _PASSED_ON | {
            name.upper() if sys.platform == "win32" else name for name in environment
        }
        self._requests: queue.SimpleQueue[tuple[bytes, int] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._finalizer: Callable[[], object] | None = None

    def ask(self, line: bytes, seconds: float, longest: int) -> bytes:
        """The answer to a line, without its end. Both have none but the last byte for a line's end.

        Raises ProcessFailedError, after which the next line is given to a new process, and NotStartedError; an answer
        of more than `longest` bytes is none.
        """
        if self._finalizer is None:
            self._start()
        self._requests.put((line + b"\n", longest))
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            answer = None
        if answer is None or not answer.endswith(b"\n"):
            self.close()
            raise ProcessFailedError("the command gave no answer")
        return answer.rstrip(b"\r\n")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._finalizer is not None:
            self._finalizer()
        self._finalizer = None

    def _start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name in self._wanted}
        try:
            process = _popen(self._command, environment)
        except (OSError, ValueError):
            raise NotStartedError("the command does not start") from None
        self._requests, self._answers = queue.SimpleQueue(), queue.SimpleQueue()
        # A thread of its own waits on the pipes, since Windows knows no other way to wait for a limited time.
        thread = threading.Thread(
            target=_serve, args=(process, self._requests, self._answers), daemon=True, name="phimask-command"
        )
        thread.start()
        # Neither garbage collection nor the interpreter's end leaves the process behind.
        self._finalizer = weakref.finalize(self, _end, process, self._requests, thread)


def _popen(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        return subprocess.Popen(  # noqa: S603  (the command is the configuration's)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW,
        )
    return subprocess.Popen(  # noqa: S603  (as above)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _serve(
    process: subprocess.Popen[bytes],
    requests: queue.SimpleQueue[tuple[bytes, int] | None],
    answers: queue.SimpleQueue[bytes | None],
) -> None:
    stdin, stdout = _pipes(process)
    while (request := requests.get()) is not None:
        line, longest = request
        try:
            stdin.write(line)
            stdin.flush()
            answer = stdout.readline(longest)
        except (OSError, ValueError):  # it ended, or its pipes were closed meanwhile
            answer = b""
        answers.put(answer or None)
        if not answer:
            break
    for pipe in (stdin, stdout):
        with contextlib.suppress(OSError):
            pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without its pipes")
    return process.stdin, process.stdout


def _end(
    process: subprocess.Popen[bytes],
    requests: queue.SimpleQueue[tuple[bytes, int] | None],
    thread: threading.Thread,
) -> None:
    requests.put(None)
    # With what it has started, which may hold its pipes open. It may have ended by itself.
    if sys.platform == "win32":
        for one in _family(process.pid):
            with contextlib.suppress(psutil.Error):
                one.kill()
    else:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    thread.join(_GRACE_SECONDS)


def _family(pid: int) -> list[psutil.Process]:
    """A process and all that came of it, where there are no groups of processes to end at once."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
