"""The page's server: its port, its end by Ctrl-C or the system, and nothing of its own on the terminal."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from phimask.config.model import Secret
from phimask.engine.control import StopSignal, stop_on_signals
from phimask.errors import UsageError
from phimask.ledger.opening import Ledger
from phimask.monitor.door import LOOPBACK, Door
from phimask.monitor.hub import Hub
from phimask.monitor.looking import Looker
from phimask.monitor.orders import order
from phimask.monitor.web import application


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files for TLS, in PEM."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises UsageError where they cannot be used."""
        try:
            # An empty password, so that nobody is asked for one on the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ssl.SSLError) as error:
            why = (
                error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "no usable pair"
            )
            raise UsageError(
                f"the certificate {self.certificate} and the key {self.key}: {why}; both are PEM files, the key "
                "without a password"
            ) from None


def is_loopback(host: str) -> bool:
    """Whether no other machine can reach it."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() in LOOPBACK


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any that is free. Raises UsageError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise UsageError(f"--host {host}: no address of this machine is known under that name") from None
    made = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows this would share the port with whoever has it
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        raise UsageError(
            f"{host}, port {port}, cannot be listened on: {error.strerror}; name another by --port, or --port 0 for "
            "any that is free"
        ) from None
    return made


def serve(
    ledger: Ledger,
    listener: socket.socket,
    token: Secret,
    certificate: Certificate | None,
    *,
    host: str,
    read_only: bool,
    stop: StopSignal,
) -> None:
    """Show the ledger's runs to whoever has the token, until `stop`. `host`: what `listening` was given."""
    port = listener.getsockname()[1]
    names = (*LOOPBACK, host) if is_loopback(host) else None
    door = Door(token, port, tls=certificate is not None, names=names)
    hub = Hub(Looker(ledger).look, {"from": str(ledger), "orders": not read_only})
    app = application(door, hub, None if read_only else partial(order, ledger))
    PageServer(app, hub, stop, certificate).run(sockets=[listener])


class PageServer(uvicorn.Server):
    """Serves one application until `stop` is asked for, which SIGINT, SIGTERM and SIGBREAK do."""

    def __init__(self, app: Starlette, hub: Hub, stop: StopSignal, certificate: Certificate | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
                ssl_certfile=certificate.certificate if certificate else None,
                ssl_keyfile=certificate.key if certificate else None,
            )
        )
        self._hub = hub
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A signal is a wish for the end, and no error; uvicorn would raise each again afterwards."""
        with stop_on_signals(self._stop):
            yield

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self.should_exit = self.should_exit or self._stop.stopping
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams have no end of their own, and would be waited for."""
        self._hub.close()
        await super().shutdown(sockets)
