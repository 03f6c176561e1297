"""How long a run takes yet, by the rate of its last minutes, and between what and what by how that rate spread."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass
from typing import Final

from phimask.monitor.curve import of_masking
from phimask.observing.series import Point

RECENT_SECONDS: Final = 600
"""What counts as recent: long enough for batches' lumps to even out, short enough to follow a run that slows down."""
_LEAST_SECONDS: Final = 10.0
"""Below this nothing is foretold."""
_SLICES: Final = range(4, 21)
"""Into how many parts the recent time is cut to see how its rate spreads."""
_SLICE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds: `soonest` to `latest`, and `seconds` at the mean rate. `latest` is None where so little was done in a
    tenth of the recent time that nothing bounds it."""

    seconds: float
    soonest: float
    latest: float | None


class RecentRate:
    """The rate of the last ten minutes in which work did not stand still."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int, int]] = deque()
        self._seconds = 0.0

    def add(self, point: Point) -> None:
        """The next point; one at which work stood still, or that is no more of masking, does not count."""
        if point.holding or not of_masking(point) or point.seconds <= 0:
            return
        self._points.append((point.seconds, point.documents, point.bytes))
        self._seconds += point.seconds
        while self._seconds - self._points[0][0] >= RECENT_SECONDS:
            self._seconds -= self._points.popleft()[0]

    @property
    def per_second(self) -> tuple[float, float] | None:
        """Documents and bytes; None where too little time was measured."""
        if self._seconds < 1:
            return None
        documents = sum(count for _, count, _ in self._points)
        size = sum(size for _, _, size in self._points)
        return documents / self._seconds, size / self._seconds

    def forecast(self, documents: int) -> Forecast | None:
        """For so many documents that are left. The range is that between the 90th and the 10th percentile of the
        rates of equal slices of the recent time; None: too little is known."""
        rate = self.per_second
        if rate is None or not rate[0] or self._seconds < _LEAST_SECONDS:
            return None
        tenths = statistics.quantiles(self._slices(), n=10, method="inclusive")
        slow, fast = min(tenths[0], rate[0]), max(tenths[-1], rate[0])
        return Forecast(documents / rate[0], documents / fast, documents / slow if slow > 0 else None)

    def _slices(self) -> list[float]:
        """Documents a second in each slice. A point that reaches over a slice's end is shared by time."""
        count = min(max(int(self._seconds / _SLICE_SECONDS), _SLICES[0]), _SLICES[-1])
        length = self._seconds / count
        done = [0.0] * count
        at = 0.0
        for seconds, documents, _ in self._points:
            end = at + seconds
            place = min(int(at / length), count - 1)
            while at < end:
                upto = end if place == count - 1 else min(end, (place + 1) * length)
                done[place] += documents * (upto - at) / seconds
                at, place = upto, min(place + 1, count - 1)
        return [one / length for one in done]
