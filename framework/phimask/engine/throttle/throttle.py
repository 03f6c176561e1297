"""All reasons to stand still, asked at once: what a run's coordinator goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from phimask.config.model import Secret, ThrottleSettings
from phimask.engine.throttle.flag_file import FlagFile
from phimask.engine.throttle.flow_control import FlowControl
from phimask.engine.throttle.lag import Lag
from phimask.engine.throttle.source import Source, Troubles
from phimask.engine.throttle.window import TimeWindows
from phimask.store.connect import Client


class Throttle:
    """Whether the run must stand still, and why. To be asked about twice a second, by one thread; never waits.

    client: of the deployment that is written to. heartbeat: a collection there, for the heartbeat document.
    uri: the client's. directory: the project's, for the flag file. clock: seconds that only grow; now: the time,
    aware of its zone. Servers are asked in threads, from the beginning until `close`.
    """

    def __init__(
        self,
        settings: ThrottleSettings,
        client: Client,
        heartbeat: Any,
        *,
        uri: Secret,
        directory: Path,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        sources: list[Source] = []
        if settings.replica_lag is not None:
            sources.append(Lag(settings.replica_lag, client, heartbeat, uri, clock))
        if settings.flow_control:
            sources.append(FlowControl(client, clock))
        if settings.windows:
            sources.append(TimeWindows(settings.windows, now))
        if settings.flag_file is not None:
            sources.append(FlagFile(directory / settings.flag_file))
        self._sources = [(source, Troubles(source.reason)) for source in sources]
        self._held: list[Source] = []

    def reasons(self) -> tuple[str, ...]:
        """Every reason that holds now, each in a standing text; empty: go on.

        A source that raises is no reason: that is logged, once for each class of error.
        """
        self._held = [source for source, troubles in self._sources if _holds(source, troubles)]
        return tuple(source.reason for source in self._held)

    def detail(self) -> str:
        """What the last `reasons` were about, for people: which member, how many seconds, until when.

        Also what cannot be found out at present, whether or not anything holds. Empty where there is nothing to say.
        """
        texts = [
            (source, *_texts(source, source in self._held, troubles)) for source, troubles in self._sources
        ]
        held = [f"{source.reason}: {text}" for source, text, _ in texts if text]
        return "; ".join([*held, *(f"not watched: {text}" for _, _, text in texts if text)])

    def close(self) -> None:
        """End all threads and connections, and remove the heartbeat document."""
        for source, troubles in self._sources:
            try:
                source.close()
            except Exception as error:  # noqa: BLE001  (the run is over; what it has to say matters more)
                troubles.tell(error)


def _texts(source: Source, held: bool, troubles: Troubles) -> tuple[str, str]:
    """What it holds for, and what it cannot find out."""
    try:
        return (source.detail() if held else "", source.unseen())
    except Exception as error:  # noqa: BLE001  (as in _holds)
        troubles.tell(error)
        return "", ""


def _holds(source: Source, troubles: Troubles) -> bool:
    try:
        return source.holds()
    except Exception as error:  # noqa: BLE001  (whatever it is: a source must not end the run)
        troubles.tell(error)
        return False
