"""How far behind somebody is who has not got all of the primary's marks: no clock but one's own is asked."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import Any, Final

_MOST: Final = 1_000


class Trail:
    """The marks that a primary made (numbers, or times of its operations), each with when that was known here.

    Marks only grow. Of many, the older ones are thinned out: who is far behind is told a little less than that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: list[Any] = []
        self._times: list[float] = []

    def made(self, mark: Any, at: float) -> None:
        """The primary has made this mark, at `at` (seconds of one's own clock) at the latest."""
        with self._lock:
            if self._marks and mark <= self._marks[-1]:
                return
            self._marks.append(mark)
            self._times.append(at)
            if len(self._marks) > _MOST:
                self._marks[: _MOST // 2] = self._marks[: _MOST // 2 : 2]
                self._times[: _MOST // 2] = self._times[: _MOST // 2 : 2]

    def behind(self, seen: Any, at: float) -> float:
        """Seconds for which somebody lacks a mark who had got as far as `seen` at `at`; 0.0 where none lacks.

        Never more than is true: the mark was there by then, and was not seen.
        """
        with self._lock:
            first = bisect_right(self._marks, seen)
            return max(0.0, at - self._times[first]) if first < len(self._marks) else 0.0


class Hysteresis:
    """On from `pause` on, off again from `resume` down."""

    def __init__(self, pause: float, resume: float) -> None:
        self._pause = pause
        self._resume = resume
        self._on = False

    def on(self, value: float) -> bool:
        """Whether it is on after this value."""
        self._on = value > self._resume if self._on else value >= self._pause
        return self._on
