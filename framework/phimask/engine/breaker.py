"""The circuit breaker: when batches go wrong, work stands still for a while, tries one batch, and may end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

from phimask.config.model import Breaker
from phimask.errors import SafeStop
from phimask.plugins.given import Control
from phimask.store.retry import pause

State = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """Closed, it counts failures and watches time and memory; open, nobody works; half open, one batch is tried.

    Three things open it: `failures` failed batches in a row, a batch slower than `slow_batch`, memory above
    `memory`. After `cool_down` seconds it is half open: a batch that succeeds within the limits closes it, any
    other opens it again. `on_trip` is told each opening: reason (failures, slow_batch, memory) and detail.
    What comes in while it is open, from batches that were under way, changes nothing.
    """

    def __init__(
        self,
        settings: Breaker,
        on_trip: Callable[[str, str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._on_trip = on_trip
        self._clock = clock
        self._sleep = sleep
        self._state: State = "closed"
        self._failures = 0
        self._cooled_at = 0.0
        self._trips: Counter[str] = Counter()
        self._last = ""

    @property
    def state(self) -> State:
        """closed, open or half_open."""
        return self._state

    @property
    def open(self) -> bool:
        """No work may be done now."""
        return self._state == "open"

    @property
    def half_open(self) -> bool:
        """The next batch is a trial: make it small."""
        return self._state == "half_open"

    @property
    def trips(self) -> Mapping[str, int]:
        """How often it opened, by reason."""
        return dict(self._trips)

    def failed(self) -> None:
        """A batch failed."""
        if self._state == "open":
            return
        self._failures += 1
        if self._state == "half_open":
            self._trip("failures", "the trial batch failed")
        elif self._failures >= self._settings.failures:
            self._trip("failures", f"{self._failures} failed in a row")

    def succeeded(self, seconds: float, rss_bytes: int) -> None:
        """A batch was written, in so many seconds, with so many bytes resident."""
        if self._state == "open":
            return
        self._failures = 0
        memory = self._settings.memory
        if seconds > self._settings.slow_batch:
            self._trip(
                "slow_batch", f"a batch took {seconds:.1f} s, more than {self._settings.slow_batch:g} s"
            )
        elif memory is not None and rss_bytes > memory:
            self._trip("memory", f"{rss_bytes / 1e6:,.0f} MB resident, more than {memory / 1e6:,.0f} MB")
        else:
            self._state = "closed"

    def wait(self, control: Control) -> float:
        """Call before each batch: while the breaker is open, stands still until it is half open.

        Returns the seconds that went by, at once 0.0 where it is not open. A stop that is asked for ends the wait
        within 0.2 s and leaves the breaker open. Raises SafeStop once it has opened more than `trips` times.
        """
        if self._trips.total() > self._settings.trips:
            counts = ", ".join(f"{reason} {count}" for reason, count in self._trips.items())
            raise SafeStop(
                f"the circuit breaker opened {self._trips.total()} times ({counts}), and the profile allows "
                f"{self._settings.trips} (breaker.trips); the last time because {self._last}"
            )
        if self._state != "open":
            return 0.0
        start = self._clock()
        while not control.stopping:
            left = self._cooled_at - self._clock()
            if left <= 0:
                self._state = "half_open"
                break
            pause(left, lambda: control.stopping, self._clock, self._sleep)
        return self._clock() - start

    def _trip(self, reason: str, detail: str) -> None:
        self._state = "open"
        self._failures = 0
        self._cooled_at = self._clock() + self._settings.cool_down
        self._trips[reason] += 1
        self._last = detail
        self._on_trip(reason, detail)
