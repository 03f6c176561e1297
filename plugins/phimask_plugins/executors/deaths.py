"""Workers that died or hung: how long to wait before another takes the place of one, and when that is enough."""

from __future__ import annotations

from collections import deque
from typing import Final

from phimask_plugins.executors.limits import Limits

_LONGEST_BACKOFF: Final = 60.0
_MOST_DOUBLINGS: Final = 32


class Deaths:
    """Those of the last `period`, of which there may be `restarts`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._times: deque[float] = deque()

    def forget(self) -> None:
        """They led to something."""
        self._times.clear()

    def another(self, now: float) -> float | None:
        """One more: the seconds until it is to be replaced, the longer the more there were of late; None: there are too
        many."""
        self._times.append(now)
        while self._times[0] < now - self._limits.period:
            self._times.popleft()
        if len(self) > self._limits.restarts:
            return None
        return min(_LONGEST_BACKOFF, self._limits.backoff * 2.0 ** min(len(self) - 1, _MOST_DOUBLINGS))

    def __len__(self) -> int:
        return len(self._times)
