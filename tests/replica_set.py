"""A replica set of three on the loopback address, whose members a test may kill, start again and hold back.

The server is the embedded one, with test commands. Elections take about two seconds. Each member runs under
`phimask.store.lifeline`, so that it ends, and its data go, with the tests, however these end.
"""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from phimask.store import lifeline

NAME = "faults"
HOST = "127.0.0.1"
_WAIT = 180.0
# Below those that systems give to outgoing connections, so that a dead member's stays free.
_PORTS = range(20_000, 32_000)
_SETTINGS = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 250, "heartbeatTimeoutSecs": 2}

Client = MongoClient[dict[str, Any]]


def wait_until(what: Callable[[], bool], told: str, seconds: float = _WAIT) -> None:
    """Ask until it is so; AssertionError with `told` when it never is."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"{told} (waited {seconds:.0f} s)"
        time.sleep(0.02)


def free_port() -> int:
    """A port of the loopback address on which nobody listens."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


class Member:
    """One mongod, its port and its data."""

    def __init__(self, mongod: Path, directory: Path, number: int) -> None:
        self.number = number
        self.port = free_port()
        self.directory = directory
        self._mongod = mongod
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def __repr__(self) -> str:
        return f"<member {self.number} at {self.address}>"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self) -> Client:
        """A client of this member alone, whatever its state; the caller's to close."""
        return MongoClient(HOST, self.port, directConnection=True, serverSelectionTimeoutMS=2000)

    def start(self) -> None:
        """Start it and wait until it listens; its port may be held for a moment by what was killed."""
        assert not self.running
        data = self.directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        (self.directory / "mongod.log").unlink(missing_ok=True)
        command = [
            *(sys.executable, "-I", "-S", lifeline.__file__, str(self.directory), str(self._mongod)),
            *("--dbpath", str(data), "--logpath", str(self.directory / "mongod.log")),
            *("--bind_ip", HOST, "--port", str(self.port), "--replSet", NAME),
            *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256"),
            *("--setParameter", "enableTestCommands=1"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]
        if sys.platform != "win32":
            command.append("--nounixsocket")
        with (self.directory / "console.txt").open("wb") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=subprocess.STDOUT,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                start_new_session=True,
            )
        wait_until(self._listens, f"{self} does not listen")

    def _listens(self) -> bool:
        assert self.running, f"{self} ended: {(self.directory / 'console.txt').read_text()[-400:]}"
        log = self.directory / "mongod.log"
        return log.exists() and b"aiting for connections" in log.read_bytes()

    def server(self) -> psutil.Process:
        """The mongod's own process."""
        assert self._process is not None
        (child,) = psutil.Process(self._process.pid).children()
        return child

    def kill(self) -> None:
        """End the server as a power failure does; its data stay."""
        process = self._process
        assert process is not None
        self.server().kill()
        process.wait(_WAIT)
        assert process.stdin is not None
        process.stdin.close()

    def end(self) -> None:
        """End the server and remove its data, which nobody needs to be in order."""
        if self.running:
            self.kill()
        lifeline.remove_directory(self.directory)


class ReplicaSet:
    """Three members; a context manager that ends them all.

    Between tests the set is whole again: `mend` starts what was killed and waits for a primary and two
    secondaries.
    """

    def __init__(self, mongod: Path, directory: Path) -> None:
        self.members = [Member(mongod, directory / f"member{number}", number) for number in range(3)]

    @property
    def uri(self) -> str:
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={NAME}"

    def __enter__(self) -> ReplicaSet:
        try:
            for member in self.members:
                member.start()
            configuration = {
                "_id": NAME,
                "members": [{"_id": one.number, "host": one.address} for one in self.members],
                "settings": _SETTINGS,
            }
            with self.members[0].client() as client:
                client.admin.command("replSetInitiate", configuration)
            self.mend()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """End all members."""
        for member in self.members:
            member.end()

    def mend(self) -> None:
        """Start what is down and wait until all members are primary or secondary, and caught up."""
        for member in self.members:
            if not member.running:
                member.start()
        self.wait_for_primary()
        wait_until(self._whole, f"the set is not whole: {self.states()}")

    def _whole(self) -> bool:
        # A primary that can have a write acknowledged by all three has no member behind it.
        states = self.states()
        if sorted(states.values()) != ["PRIMARY", "SECONDARY", "SECONDARY"]:
            return False
        try:
            with self.wait_for_primary().client() as client:
                everyone = {"w": 3, "wtimeout": 2000}
                answer = client.admin.command("appendOplogNote", 1, data={"whole": 1}, writeConcern=everyone)
            return "writeConcernError" not in answer
        except PyMongoError:
            return False

    def states(self) -> dict[int, str]:
        """The state of each member that answers, by its number, as it sees itself."""
        states = {}
        for member in self.members:
            with contextlib.suppress(PyMongoError), member.client() as client:
                hello = client.admin.command("hello")
                primary, secondary = hello.get("isWritablePrimary"), hello.get("secondary")
                states[member.number] = "PRIMARY" if primary else "SECONDARY" if secondary else "OTHER"
        return states

    def wait_for_primary(self) -> Member:
        """The member that takes writes, as soon as there is one."""
        found: list[Member] = []

        def look() -> bool:
            for member in self.members:
                if member.running:
                    with contextlib.suppress(PyMongoError), member.client() as client:
                        if client.admin.command("hello").get("isWritablePrimary"):
                            found.append(member)
                            return True
            return False

        wait_until(look, "there is no primary")
        return found[0]

    def secondaries(self) -> list[Member]:
        """The running members that are not the primary."""
        primary = self.wait_for_primary()
        return [member for member in self.members if member.running and member is not primary]

    def kill_primary(self) -> Member:
        """Kill the primary and answer with it; the others elect a new one."""
        primary = self.wait_for_primary()
        primary.kill()
        return primary

    def restart(self, member: Member) -> None:
        """Start a killed member again; it recovers and catches up by itself."""
        member.start()

    def step_down(self, seconds: int = 5) -> Member:
        """Have the primary step down and stand for no election for `seconds`; answers with it."""
        primary = self.wait_for_primary()
        with primary.client() as client, contextlib.suppress(PyMongoError):
            client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=2, force=True)
        return primary

    @contextlib.contextmanager
    def delayed_secondary(self, seconds: int = 10) -> Iterator[Member]:
        """One secondary that applies everything so much later, as long as the block lasts."""
        member = self.secondaries()[0]
        self._configure(member, {"priority": 0, "secondaryDelaySecs": seconds})
        try:
            yield member
        finally:
            self._configure(member, {"priority": 1, "secondaryDelaySecs": 0})

    @contextlib.contextmanager
    def stalled_secondary(self) -> Iterator[Member]:
        """One secondary that applies nothing, as long as the block lasts, and then all it missed."""
        member = self.secondaries()[0]
        with member.client() as client:
            client.admin.command("configureFailPoint", "rsSyncApplyStop", mode="alwaysOn")
            try:
                yield member
            finally:
                client.admin.command("configureFailPoint", "rsSyncApplyStop", mode="off")

    def _configure(self, member: Member, fields: dict[str, Any]) -> None:
        def tried() -> bool:
            with self.wait_for_primary().client() as client:
                configuration = client.admin.command("replSetGetConfig")["config"]
                configuration["version"] += 1
                configuration["members"][member.number].update(fields)
                try:
                    client.admin.command("replSetReconfig", configuration)
                except (OperationFailure, PyMongoError):
                    return False  # a new primary takes no configuration before it has committed the last one
                return True

        wait_until(tried, "the set takes no new configuration")
