"""A worker that stands still, as long as its control says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from phimask.plugins.given import Control

_LOOK_SECONDS: Final = 0.2
_TELL_SECONDS: Final = 10.0
"""So much is told at a time: a night of it is not to fill the log."""


def stand_still(control: Control, tell: Callable[[str, float], None]) -> None:
    """Come back when no reason is left, or the end is asked for. `tell` gets each reason with the seconds that it held,
    and those of a long one in several parts."""
    reasons: tuple[str, ...] = ()
    start = time.perf_counter()
    while True:
        now = () if control.stopping else tuple(control.holding)
        seconds = time.perf_counter() - start
        if now != reasons or seconds >= _TELL_SECONDS:
            for reason in reasons:
                tell(reason, seconds)
            start += seconds
        if not now:
            return
        reasons = now
        control.wait(_LOOK_SECONDS)
