"""The server's flow control: from some seconds of majority lag on, a primary holds everybody's writes back.

Source: MongoDB Manual, "Replication Lag and Flow Control"; serverStatus.flowControl.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import pymongo
from pymongo.errors import OperationFailure

from phimask.engine.throttle.source import ANSWER_SECONDS, FRESH_SECONDS, Source, Ticker, Troubles
from phimask.store.connect import Client

_EVERY_SECONDS: Final = 1.0
_UNAUTHORIZED: Final = 13
# What the answer is not wanted for; the largest parts of it.
_LEFT_OUT: Final = dict.fromkeys(
    (
        "asserts",
        "locks",
        "metrics",
        "network",
        "opLatencies",
        "repl",
        "tcmalloc",
        "transactions",
        "wiredTiger",
    ),
    0,
)


class FlowControl(Source):
    """Holds while the primary's flow control says that the majority lags. Asks once a second, in a thread."""

    reason = "flow control"

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._troubles = Troubles(self.reason)
        self._answer: tuple[float, Mapping[str, Any]] = (0.0, {})
        self._ticker = Ticker(_EVERY_SECONDS, self.look, self._troubles)

    def look(self) -> bool:
        """Ask the server once; False where there is no use in asking again."""
        try:
            with pymongo.timeout(ANSWER_SECONDS):
                status = self._client.admin.command({"serverStatus": 1, **_LEFT_OUT})
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            self._troubles.warn("is not watched: the user may not call serverStatus; grant clusterMonitor")
            return False
        answer = status.get("flowControl")
        if answer is None:
            self._troubles.warn("is not watched: this server says nothing about it")
            return False
        self._answer = (self._clock(), answer)
        return True

    def holds(self) -> bool:
        """As the last answer says, unless that is old."""
        at, answer = self._answer
        fresh = self._clock() - at <= FRESH_SECONDS
        return fresh and bool(answer.get("enabled")) and bool(answer.get("isLagged"))

    def detail(self) -> str:
        """How many writes the server lets through."""
        return f"the server lets through {self._answer[1].get('targetRateLimit', 0):,} write tickets a second"

    def close(self) -> None:
        """Ask no more."""
        self._ticker.close()
