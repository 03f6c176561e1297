"""Replica lag: how far the secondary that is furthest behind has fallen behind the primary.

Each secondary is asked directly what it shows of the run's own heartbeat document. That measures what readers of the
secondary see, needs no clock but this machine's, and is never more than the truth. Where the user may call
replSetGetConfig and replSetGetStatus, hidden and delayed members are found as well, and of those that cannot be
reached from here the primary's view is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import pymongo
from pymongo.errors import OperationFailure

from phimask.config.model import ReplicaLag, Secret
from phimask.engine.throttle.heartbeat import Heartbeat
from phimask.engine.throttle.members import (
    behind_by_status,
    direct_uri,
    named_by_configuration,
    named_by_hello,
)
from phimask.engine.throttle.probe import Probes
from phimask.engine.throttle.shards import Shards
from phimask.engine.throttle.source import ANSWER_SECONDS, FRESH_SECONDS, Source, Ticker, Troubles
from phimask.engine.throttle.trail import Hysteresis
from phimask.store.connect import Client

_LOOK_AROUND_SECONDS: Final = 1.0
_UNAUTHORIZED: Final = 13


class Lag(Source):
    """Holds from `pause` seconds of lag on, until it is `resume` at most. Waits for no server: its threads do.

    client: of the deployment that is written to. heartbeat: the collection there for the heartbeat document.
    uri: the client's, for direct connections.
    """

    reason = "replica lag"

    def __init__(
        self,
        settings: ReplicaLag,
        client: Client,
        heartbeat: Any,
        uri: Secret,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hysteresis = Hysteresis(settings.pause, settings.resume)
        self._client = client
        self._collection = heartbeat
        self._uri = uri
        self._clock = clock
        self._closed = False
        self._troubles = Troubles(self.reason)
        self._probes = Probes(clock, self._troubles)
        self._shards = Shards(clock)
        self._heartbeat: Heartbeat | None = None
        self._status: tuple[float, Mapping[str, float]] = (0.0, {})
        self._status_allowed = True
        self._looking = Ticker(_LOOK_AROUND_SECONDS, self._look_around, self._troubles)

    def holds(self) -> bool:
        """Whether the furthest behind is too far."""
        return self._hysteresis.on(max(self._lags().values(), default=0.0))

    def detail(self) -> str:
        """Each member that is behind, the furthest first."""
        lags = sorted(self._lags().items(), key=lambda item: -item[1])
        return ", ".join(f"{host} is {behind:.1f} s behind" for host, behind in lags if behind >= 0.05)

    def unseen(self) -> str:
        """Each member that does not answer, and of which the primary has nothing to tell."""
        return ", ".join(f"{host} does not answer ({why})" for host, why in self._silent().items())

    def close(self) -> None:
        """End all threads and connections, and remove the heartbeat document."""
        self._closed = True
        self._looking.close()
        self._probes.close()
        if self._heartbeat is not None:
            self._heartbeat.close()

    def _lags(self) -> dict[str, float]:
        """Seconds by member. One's own measure goes before the primary's."""
        return {**self._fresh_status(), **self._probes.behind()}

    def _fresh_status(self) -> Mapping[str, float]:
        at, status = self._status
        return status if self._clock() - at <= FRESH_SECONDS else {}

    def _silent(self) -> dict[str, str]:
        known = self._fresh_status()
        return {host: why for host, why in self._probes.silent().items() if host not in known}

    def _look_around(self) -> bool:
        """Find out who is there. False where there will never be anybody to watch."""
        with pymongo.timeout(ANSWER_SECONDS):
            hello = self._client.admin.command("hello")
        if hello.get("msg") == "isdbgrid":
            return self._look_at_shards()
        if "setName" not in hello:
            return False
        hosts = named_by_hello(hello)
        more, status = self._ask_the_primary()
        hosts |= more
        if self._heartbeat is not None:
            # While nobody writes, the primary's view is of old operations and may look like lag: not before it beats.
            self._status = (self._clock(), {host: behind for host, behind in status.items() if host in hosts})
        elif not self._closed and len(hosts) > 1:
            self._heartbeat = Heartbeat(self._collection, self._clock, self._troubles)
        if self._heartbeat is not None:
            read = self._heartbeat.read
            self._probes.watch(dict.fromkeys(hosts, read), lambda host: direct_uri(self._uri, host))
        self._warn_of_the_silent()
        return True

    def _ask_the_primary(self) -> tuple[set[str], Mapping[str, float]]:
        """What a privileged user is told: further members, and how far behind the primary sees each."""
        if not self._status_allowed:
            return set(), {}
        admin = self._client.admin
        try:
            with pymongo.timeout(ANSWER_SECONDS):
                configuration = admin.command("replSetGetConfig")["config"]
                status = admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            self._status_allowed = False
            return set(), {}
        return named_by_configuration(configuration), behind_by_status(status)

    def _look_at_shards(self) -> bool:
        try:
            with pymongo.timeout(ANSWER_SECONDS):
                shards = list(self._client["config"]["shards"].find({}, {"host": 1}))
        except OperationFailure as error:
            if error.code != _UNAUTHORIZED:
                raise
            self._troubles.warn("is not watched: the user may not read config.shards; grant clusterMonitor")
            return False
        self._probes.watch(
            self._shards.readers(shards), lambda host: direct_uri(self._uri, host, anonymous=True)
        )
        self._warn_of_the_silent()
        return True

    def _warn_of_the_silent(self) -> None:
        for host, why in self._silent().items():
            self._troubles.warn(f"{host} is not watched as long as it does not answer ({why})")
