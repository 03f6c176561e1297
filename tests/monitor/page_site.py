"""The live page of a ledger, served on the loopback address, and asked as a browser asks."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from phimask.config.model import Secret
from phimask.engine.control import StopSignal
from phimask.ledger.opening import Ledger
from phimask.monitor.serving import listening, serve

TOKEN = "a-token-that-no-one-guesses"


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Site:
    """A server as a browser reaches it. `cookie` is sent along once it is there."""

    port: int
    cookie: str = ""
    streams: list[http.client.HTTPConnection] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, self._headers(headers))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def sign_in(self) -> Site:
        answer = self.ask("POST", "/session", TOKEN, Origin=self.origin)
        assert answer.status == 204
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self

    def events(self, run: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """The stream, message by message."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.streams.append(connection)
        connection.request("GET", f"/events?run={run}", headers=self._headers({}))
        answer = connection.getresponse()
        assert answer.status == 200
        name = ""
        for raw in answer:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:])

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {**({"Cookie": self.cookie} if self.cookie else {}), **named}


@contextmanager
def served(ledger: Ledger, *, read_only: bool = False, host: str = "127.0.0.1") -> Iterator[Site]:
    """The page of a ledger, meanwhile."""
    stop = StopSignal()
    with listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(
            target=serve,
            args=(ledger, listener, Secret(TOKEN), None),
            kwargs={"host": host, "read_only": read_only, "stop": stop},
        )
        thread.start()
        site = Site(listener.getsockname()[1])
        try:
            yield site
        finally:
            for one in site.streams:
                one.close()
            stop.stop()
            thread.join()
