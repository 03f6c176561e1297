"""When a batch has taken long enough: what is left of it then is not written, but read again for the next one."""

from __future__ import annotations

import threading
from typing import Final

_EARLY: Final = 0.75
"""Of the longest that a batch may take: from here on it is cut, if all of it would take longer."""


class Deadline:
    """Of one batch, which may take `longest` seconds. Whoever writes it asks whether it is to be cut; whoever needs all
    of it says so, and the first of the two has it."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._lock = threading.Lock()
        self._cut = self._whole = False

    def cuts(self, taken: float, left: float) -> bool:
        """Whether a batch that has taken so many seconds is to end here, since the rest would take `left` more."""
        if taken < _EARLY * self._longest or taken + left <= self._longest:
            return False
        with self._lock:
            self._cut = not self._whole
            return self._cut

    def keep_whole(self) -> bool:
        """From now on the batch is not cut; false: it was."""
        with self._lock:
            self._whole = not self._cut
            return self._whole
