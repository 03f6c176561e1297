"""The process between phimask and an embedded mongod, so that the server never outlives its owner.

Run as a script: `python lifeline.py DIRECTORY MONGOD ARGUMENT...`. It starts mongod as its child and holds on
to its own standard input, which is a pipe from the owner. When the pipe closes, because the owner is done or
because it died in whatever way, mongod is ended and the directory removed. When mongod ends first, this
process ends with the same exit code. Works alike on Linux, macOS and Windows; imports the standard library
only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

CANNOT_START = 126
"""The exit code for a binary that the system refuses to run."""

PATIENCE = 10.0
"""Seconds that mongod has for an orderly end before it is killed."""


def remove_directory(directory: Path) -> None:
    """Removes the directory, trying again for a while: Windows frees a dead process's files late."""
    for _ in range(50):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.1)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end_with(child: subprocess.Popen[bytes], owner_gone: threading.Event) -> None:
    code = child.wait()
    if not owner_gone.is_set():
        # The main thread sits in a read that only the owner can end.
        os._exit(code if code >= 0 else 128 - code)


def _interrupt(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)


def main(directory: Path, command: list[str]) -> int:
    """Runs `command` until standard input ends; answers with the exit code of this process."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  (the owner's own command)
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201  (stderr is a file)
        return CANNOT_START
    owner_gone = threading.Event()
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with, args=(child, owner_gone), daemon=True).start()
    try:
        sys.stdin.buffer.read()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        owner_gone.set()
        _end(child)
        remove_directory(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
