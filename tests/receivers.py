"""Those who are told: a mail server and a webhook on the loopback address, which keep what they are sent."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal


@dataclass
class Received:
    """What arrived, in order, as text; `count` is how many times somebody asked, answered or not."""

    port: int = 0
    texts: list[str] = field(default_factory=list)
    count: int = 0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def add(self, text: str) -> None:
        with self.arrived:
            self.texts.append(text)
            self.arrived.notify_all()

    def wait_for(self, number: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.texts) >= number, 60), self.texts

    def wait_for_asking(self, number: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.count >= number, 60), self.count


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def mail_server() -> Iterator[Received]:
    """Takes every mail (RFC 5321, the commands that a client needs); `texts` are the messages, headers included."""
    received = Received()

    class Session(socketserver.StreamRequestHandler):
        timeout = 60

        def handle(self) -> None:
            self.say("220 loopback ready")
            while line := self.rfile.readline():
                command = line.decode("ascii", "replace").strip().upper()
                if command.startswith("DATA"):
                    self.say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    received.add(b"".join(lines).decode("utf-8", "replace"))
                    self.say("250 kept")
                elif command.startswith("QUIT"):
                    self.say("221 farewell")
                    return
                elif command.startswith(("EHLO", "HELO", "MAIL", "RCPT", "RSET", "NOOP")):
                    self.say("250 loopback")
                else:
                    self.say("502 not known here")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode("ascii"))

    with _Server(("127.0.0.1", 0), Session) as server:
        received.port = server.server_address[1]
        with _serving(server):
            yield received


@contextmanager
def webhook(answer: int | Literal["never"] = 200) -> Iterator[Received]:
    """Answers every POST with this status, or never; `texts` are the bodies of those that it answers with 200."""
    received = Received()
    over = threading.Event()

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with received.arrived:
                received.count += 1
                received.arrived.notify_all()
            if answer == "never":
                over.wait()
                return
            if answer == 200:
                received.add(body)  # before the answer, upon which the next one comes
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Post) as server:
        server.daemon_threads = True
        server.block_on_close = False
        received.port = server.server_address[1]
        with _serving(server):
            yield received
            over.set()
