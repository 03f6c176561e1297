"""The page's few addresses, and what every answer says of what it may do in a browser."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from pymongo.errors import OperationFailure, PyMongoError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phimask.errors import UsageError
from phimask.ledger.run_record import Command
from phimask.monitor.door import Door
from phimask.monitor.hub import Hub
from phimask.store.retry import UNAUTHORIZED, error_name

Order = Callable[[str, Command], None]
"""Gives a run a command. Raises UsageError where it is not live, and PyMongo's errors."""

_PAGE: Final = Path(__file__).resolve().parent / "page"
_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FOR_ALL: Final = frozenset({"signin.js", "style.css", "icon.svg"})
"""What the page on which a token is asked for is made of."""
_COMMANDS: Final[dict[str, Command]] = {"pause": "pause", "continue": "run", "stop": "stop"}
_MOST_BYTES: Final = 1024
"""Of a request's body."""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def application(door: Door, hub: Hub, order: Order | None) -> Starlette:
    """The page behind its door. Without `order` it is for looking only."""
    page = _Page(door, hub, order)

    @contextlib.asynccontextmanager
    async def watching(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(hub.watch())
        yield
        hub.close()
        await task

    app = Starlette(
        routes=[
            Route("/", page.index),
            Route("/signin", page.signin),
            Route("/page/{name}", page.file),
            Route("/session", page.session, methods=["POST"]),
            Route("/events", page.events),
            Route("/runs/{run}/{command}", page.command, methods=["POST"]),
        ],
        lifespan=watching,
    )
    app.add_middleware(_Guarded, door=door)
    return app


class _Guarded:
    """Answers nobody who means another server, or orders from another's page; says in each answer what is allowed."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        request = Request(scope)
        host = request.headers.get("host", "")
        if not self._door.is_addressed(host):
            refusal = PlainTextResponse("this server has another name\n", 421)
        elif request.method not in ("GET", "HEAD") and not self._door.is_own(
            request.headers.get("origin"), host
        ):
            refusal = PlainTextResponse("only this server's own page may ask for that\n", 403)
        else:
            await self._app(scope, receive, sending)
            return
        await refusal(scope, receive, sending)


class _Page:
    def __init__(self, door: Door, hub: Hub, order: Order | None) -> None:
        self._door = door
        self._hub = hub
        self._order = order

    async def index(self, request: Request) -> Response:
        if not self._door.knows(request.cookies):
            return _sent("signin.html", 401)
        return _sent("index.html", 200)

    async def signin(self, _: Request) -> Response:
        return _sent("signin.html", 200)

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _FOR_ALL and not self._door.knows(request.cookies):
            return _refused()
        return _sent(name, 200)

    async def session(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return _refused()
        if not self._door.accepts(body.decode("utf-8", "replace").strip()):
            return _refused()
        return Response(status_code=204, headers={"Set-Cookie": self._door.cookie()})

    async def events(self, request: Request) -> Response:
        if not self._door.knows(request.cookies):
            return _refused()
        if self._hub.full:
            return PlainTextResponse("too many viewers\n", 503)
        stream = self._hub.stream(request.query_params.get("run", ""))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def command(self, request: Request) -> Response:
        if not self._door.knows(request.cookies):
            return _refused()
        command = _COMMANDS.get(request.path_params["command"])
        if command is None:
            return PlainTextResponse("there is no such command\n", 404)
        if self._order is None:
            return PlainTextResponse("this monitor was begun with --read-only\n", 403)
        try:
            await asyncio.to_thread(self._order, request.path_params["run"], command)
        except UsageError as error:
            return PlainTextResponse(f"{error}\n", 409)
        except PyMongoError as error:
            if isinstance(error, OperationFailure) and error.code == UNAUTHORIZED:
                return PlainTextResponse(
                    "the user of this monitor may only look on: no readWrite on the ledger\n", 403
                )
            return PlainTextResponse(f"the ledger does not answer: {error_name(error)}\n", 503)
        self._hub.hurry()
        return Response(status_code=202)


def _refused() -> Response:
    return PlainTextResponse("401: the token is asked for on the page itself\n", 401)


def _sent(name: str, status: int) -> Response:
    """One of the files that belong to the page, and no other."""
    file = _PAGE / name
    kind = _TYPES.get(file.suffix)
    if kind is None or file.parent != _PAGE or not file.is_file():
        return PlainTextResponse("there is no such file\n", 404)
    return Response(file.read_bytes(), status, media_type=kind)
