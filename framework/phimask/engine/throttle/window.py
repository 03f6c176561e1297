"""The hours in which work may be done, by the clock on the wall.

A time that a clock change skips never comes, one that it repeats comes twice: a window is open whenever a clock on
the wall shows a time within it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

from phimask.config.model import TimeWindow
from phimask.engine.throttle.source import Source

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class TimeWindows(Source):
    """Holds outside of all windows. `now` answers with the time, in any zone."""

    reason = "time window"

    def __init__(self, windows: Sequence[TimeWindow], now: Callable[[], datetime]) -> None:
        self._windows = tuple(windows)
        self._now = now

    def holds(self) -> bool:
        """No window is open."""
        now = self._now()
        return not any(is_open(window, now) for window in self._windows)

    def detail(self) -> str:
        """Which window opens next, and when."""
        opening, window = min(
            ((next_opening(window, self._now()), window) for window in self._windows),
            key=lambda found: found[0],
        )
        zone = window.zone or "local time"
        return f"the next window opens on {opening:%Y-%m-%d} at {window.opens:%H:%M} ({zone})"


def is_open(window: TimeWindow, moment: datetime) -> bool:
    """Whether the window is open at this (aware) moment."""
    local = _local(window, moment)
    clock = local.time()
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    if window.opens < window.closes:
        return today in window.days and window.opens <= clock < window.closes
    return (today in window.days and clock >= window.opens) or (
        yesterday in window.days and clock < window.closes
    )


def next_opening(window: TimeWindow, moment: datetime) -> datetime:
    """The first time after the (aware) moment at which the window opens, in its own zone."""
    return next(opening for opening in _openings(window, moment) if opening > moment)


def _openings(window: TimeWindow, moment: datetime) -> Iterator[datetime]:
    today = _local(window, moment).date()
    for days in range(9):  # a week later it is the same day again, and that may be one whose hour was skipped
        date = today + timedelta(days=days)
        if DAYS[date.weekday()] in window.days:
            opening = datetime.combine(date, window.opens, ZoneInfo(window.zone) if window.zone else None)
            yield _local(window, opening.astimezone(timezone.utc))


def _local(window: TimeWindow, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(window.zone) if window.zone else None)
