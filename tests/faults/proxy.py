"""A TCP proxy before a mongod, which cuts connections, loses replies and has things done at chosen messages.

It forwards bytes as they are and understands of them what it needs to count commands: the 16 bytes before a
message, and the first element of an OP_MSG's first document, which is the command's name and, for most, its
collection. Source: the MongoDB wire protocol, https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, NamedTuple

HOST = "127.0.0.1"
_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013
_STRING = 0x02
_PIECE = 1 << 16

Moment = Literal["request", "reply"]


class Command(NamedTuple):
    """What a message asks for; the collection is empty where the command's first element is no string."""

    name: str
    collection: str


def command_of(message: bytes) -> Command | None:
    """The command of a whole message; None where it is no OP_MSG that begins with its document (kind 0)."""
    if len(message) < 27 or _HEADER.unpack_from(message)[3] != _OP_MSG or message[20] != 0:
        return None
    bson_type, rest = message[25], message[26:]
    name, _, value = rest.partition(b"\0")
    collection = b""
    if bson_type == _STRING:
        (length,) = struct.unpack_from("<i", value)
        collection = value[4 : 3 + length]
    return Command(name.decode("ascii", "replace"), collection.decode("utf-8", "replace"))


@dataclass
class Trap:
    """Something that is done once, at the n-th of a kind of message.

    `command` and `collection` are regular expressions for the whole of either; `caught` is what it was in the end.
    `act` is called with the port of the client's end of the connection, before the message goes on; if it answers
    False, this was not the one, and the next is tried. With `cut` the message does not go on: both ends of its
    connection are closed. `holding` is what a message has to hold to be counted.
    """

    command: str
    collection: str
    number: int
    at: Moment
    act: Callable[[int], object] | None
    cut: bool
    holding: bytes
    seen: int = 0
    caught: Command | None = None
    sprung: threading.Event = field(default_factory=threading.Event)

    def is_for(self, command: Command, message: bytes) -> bool:
        """Whether the message is of its kind."""
        return (
            re.fullmatch(self.command, command.name) is not None
            and re.fullmatch(self.collection, command.collection) is not None
            and self.holding in message
        )

    def wait(self, seconds: float = 60.0) -> None:
        """Until it has been sprung and `act` is through; AssertionError if that takes longer."""
        assert self.sprung.wait(seconds), (
            f"{self.command} on {self.collection}: seen {self.seen} of {self.number}"
        )


class Proxy:
    """Listens on a port of the loopback address for as long as its block lasts; `server` is where it leads."""

    def __init__(self, server: int) -> None:
        self.commands: Counter[Command] = Counter()
        self.delay = 0.0
        self.port = 0
        self._server = server
        self._listener: socket.socket | None = None
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._traps: list[Trap] = []
        self._connections: set[_Connection] = set()

    def __enter__(self) -> Proxy:
        self._listen()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()
        self._flowing.set()
        self._close()
        self.cut()

    @property
    def uri(self) -> str:
        """For a client that looks for no other members, which it would find behind the proxy's back.

        A server that said it was shutting down is looked at again after a heartbeat; the usual 10 s are long here.
        """
        return f"mongodb://{HOST}:{self.port}/?directConnection=true&heartbeatFrequencyMS=500"

    def ports(self) -> set[int]:
        """The clients' ends of all connections."""
        with self._lock:
            return {connection.port for connection in self._connections}

    def cut(self) -> None:
        """Close all connections; new ones are taken."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def clear(self) -> None:
        """Forget all traps."""
        with self._lock:
            self._traps.clear()

    def trap(
        self,
        command: str,
        collection: str,
        number: int = 1,
        *,
        at: Moment = "request",
        act: Callable[[int], object] | None = None,
        cut: bool = False,
        holding: bytes = b"",
    ) -> Trap:
        """Set a trap for the n-th such request from now on, or for its reply: then the server has done it."""
        trap = Trap(command, collection, number, at, act, cut, holding)
        with self._lock:
            self._traps.append(trap)
        return trap

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens and nobody is connected, as long as the block lasts."""
        self._close()
        self.cut()
        try:
            yield
        finally:
            self._listen()

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Connections stay and nothing passes, as long as the block lasts: a network that drops packets."""
        self._flowing.clear()
        try:
            yield
        finally:
            self._flowing.set()

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        self.port = listener.getsockname()[1]
        listener.listen(128)
        # On Linux a close does not wake a thread that accepts.
        listener.settimeout(0.1)
        self._listener = listener
        self._accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._accepting.start()

    def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._accepting.join()
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, (_, port) = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            client.settimeout(None)
            try:
                server = socket.create_connection((HOST, self._server))
            except OSError:
                client.close()
                continue
            connection = _Connection(self, client, server, port)
            with self._lock:
                self._connections.add(connection)
            connection.start()

    def forget(self, connection: _Connection) -> None:
        """A connection is over."""
        with self._lock:
            self._connections.discard(connection)

    def pause(self) -> None:
        """Where each message waits before it goes on."""
        if self.delay:
            time.sleep(self.delay)
        self._flowing.wait()

    def set_again(self, trap: Trap) -> None:
        """The message that sprang it was not the one."""
        with self._lock:
            trap.number = trap.seen + 1
            self._traps.append(trap)

    def count(self, command: Command, message: bytes) -> list[Trap]:
        """Note a request; answers with the traps that it springs, itself or by its reply."""
        with self._lock:
            self.commands[command] += 1
            caught = []
            for trap in list(self._traps):
                if trap.is_for(command, message):
                    trap.seen += 1
                    if trap.seen == trap.number:
                        trap.caught = command
                        self._traps.remove(trap)
                        caught.append(trap)
            return caught


class _Connection:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket, port: int) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self.port = port
        self._awaited: dict[int, list[Trap]] = {}
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Forward in both directions until one end closes."""
        for source, sink, at in (
            (self._client, self._server, "request"),
            (self._server, self._client, "reply"),
        ):
            threading.Thread(target=self._forward, args=(source, sink, at), daemon=True).start()

    def close(self) -> None:
        """Close both ends; a thread in the middle of a message finds out."""
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._proxy.forget(self)

    def _forward(self, source: socket.socket, sink: socket.socket, at: Moment) -> None:
        try:
            while (message := _message(source)) is not None:
                self._proxy.pause()
                if self._springs(message, at):
                    return
                sink.sendall(message)
        except OSError:
            pass
        finally:
            self.close()

    def _springs(self, message: bytes, at: Moment) -> bool:
        """Do what belongs to this message; True if the connection is to be cut instead of sending it."""
        _, identity, answered, _ = _HEADER.unpack_from(message)
        if at == "request":
            command = command_of(message)
            caught = self._proxy.count(command, message) if command else []
            if later := [trap for trap in caught if trap.at == "reply"]:
                self._awaited[identity] = later
            caught = [trap for trap in caught if trap.at == "request"]
        else:
            caught = self._awaited.pop(answered, [])
        cut = False
        for trap in caught:
            if trap.act is not None and trap.act(self.port) is False:
                self._proxy.set_again(trap)
                continue
            if trap.cut:
                self.close()
                cut = True
            trap.sprung.set()
        return cut


def _message(source: socket.socket) -> bytes | None:
    """The next message whole; None at the end, also in the middle of one."""
    head = _exactly(source, _HEADER.size)
    if head is None:
        return None
    rest = _exactly(source, _HEADER.unpack(head)[0] - _HEADER.size)
    return None if rest is None else head + rest


def _exactly(source: socket.socket, size: int) -> bytes | None:
    received = bytearray()
    while len(received) < size:
        piece = source.recv(min(_PIECE, size - len(received)))
        if not piece:
            return None
        received += piece
    return bytes(received)
