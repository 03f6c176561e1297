"""The server's own fail points: commands that end in an error, or in silence, for as long as a block lasts.

Source: failCommand, https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-Fail-Point.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from replica_set import Client

PASSING = {
    91: "ShutdownInProgress",
    112: "WriteConflict",
    189: "PrimarySteppedDown",
    11600: "InterruptedAtShutdown",
}
"""Errors that a run has to outlast."""


@dataclass(frozen=True)
class Fault:
    """What a command ends in: an error, a closed connection, or an error of the write concern after the write."""

    code: int | None = None
    closes: bool = False
    write_concern: int | None = None

    def __str__(self) -> str:
        if self.closes:
            return "closeConnection"
        return f"writeConcernError {self.write_concern}" if self.code is None else f"error {self.code}"

    def data(self) -> dict[str, Any]:
        """As the fail point takes it."""
        if self.closes:
            return {"closeConnection": True}
        if self.code is None:
            return {"writeConcernError": {"code": self.write_concern, "errmsg": "not in time"}}
        return {"errorCode": self.code}


FAULTS = [*(Fault(code) for code in PASSING), Fault(closes=True), Fault(write_concern=64)]
"""All that the table of faults asks for."""


@contextlib.contextmanager
def failing(
    client: Client,
    commands: Sequence[str],
    fault: Fault,
    *,
    times: int | None = None,
    namespace: str | None = None,
    application: str | None = None,
) -> Iterator[None]:
    """Have these commands fail: for ever, or so many times; on one namespace, of one application, or all.

    `client` is of the server on which they are to fail; `application` is the `appName` of those whom it concerns.
    """
    data = {"failCommands": list(commands), **fault.data()}
    if namespace is not None:
        data["namespace"] = namespace
    if application is not None:
        data["appName"] = application
    mode = "alwaysOn" if times is None else {"times": times}
    client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
