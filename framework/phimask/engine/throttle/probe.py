"""Members asked one by one how far behind they are, each in a thread and by a connection of its own.

One that hangs delays nobody else. A measure is taken when a member answers and stays until the next, so that one that
goes away is no lag; what it last said is forgotten after a while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from phimask.config.model import Secret
from phimask.engine.throttle.members import open_member
from phimask.engine.throttle.source import FRESH_SECONDS, Ticker, Troubles
from phimask.store.connect import Client
from phimask.store.retry import error_name

Read = Callable[[Client], float]
"""Asks a member and answers with the seconds that it is behind."""

_EVERY_SECONDS: Final = 0.25


class OutOfService(Exception):
    """The member answers, but is neither primary nor secondary."""


class Probe:
    """One member. `behind`: seconds, as last told; `fresh`: that was not long ago; `trouble`: why not, or empty."""

    def __init__(self, uri: Secret, read: Read, clock: Callable[[], float], troubles: Troubles) -> None:
        self._uri = uri
        self._read = read
        self._clock = clock
        self._client: Client | None = None
        self._answered: float | None = None
        self.behind = 0.0
        self.trouble = ""
        self._ticker = Ticker(_EVERY_SECONDS, self._ask, troubles)

    @property
    def fresh(self) -> bool:
        """Whether it answered lately."""
        return self._answered is not None and self._clock() - self._answered <= FRESH_SECONDS

    def _ask(self) -> bool:
        try:
            if self._client is None:
                self._client = open_member(self._uri)
            self.behind = self._read(self._client)
        except Exception as error:  # noqa: BLE001  (of whatever kind: it is this member's, and told as that)
            self.trouble = error_name(error)
        else:
            self._answered, self.trouble = self._clock(), ""
        return True

    def close(self) -> None:
        """Ask no more."""
        self._ticker.close()
        if self._client is not None:
            self._client.close()


class Probes:
    """The members that are watched now."""

    def __init__(self, clock: Callable[[], float], troubles: Troubles) -> None:
        self._clock = clock
        self._troubles = troubles
        self._lock = threading.Lock()
        self._probes: dict[str, Probe] = {}
        self._closed = False

    def watch(self, readers: Mapping[str, Read], uri_of: Callable[[str], Secret]) -> None:
        """Watch these members, by host, and no others."""
        with self._lock:
            gone = [self._probes.pop(host) for host in set(self._probes) - set(readers)]
            for host in readers if not self._closed else ():
                if host not in self._probes:
                    self._probes[host] = Probe(uri_of(host), readers[host], self._clock, self._troubles)
        for probe in gone:
            probe.close()

    def behind(self) -> dict[str, float]:
        """Seconds, of each that answers."""
        return {host: one.behind for host, one in self._now() if one.fresh}

    def silent(self) -> dict[str, str]:
        """Why, of each that does not answer."""
        return {host: one.trouble for host, one in self._now() if one.trouble and not one.fresh}

    def _now(self) -> list[tuple[str, Probe]]:
        with self._lock:
            return list(self._probes.items())

    def close(self) -> None:
        """Watch nobody any more."""
        self._closed = True
        self.watch({}, Secret)
