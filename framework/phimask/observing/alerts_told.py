"""The alerts of a run as the report has them: each with when it was raised, and when and how it was over."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timezone
from typing import Any, Final

from phimask.observing.moments import iso
from phimask.plugins.events import AlertRaised

MOST_ALERTS: Final = 1000
"""So many are kept, the newest."""


class AlertsTold:
    """Adds them up. That the run is over is no news to its own report."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=MOST_ALERTS)

    def take(self, event: AlertRaised) -> None:
        """An alert, or that it is over."""
        if event.rule == "finished":
            return
        at = iso(datetime.fromtimestamp(event.at, timezone.utc))
        if not event.cleared:
            entry = {"rule": event.rule, "namespace": event.namespace, "raised": at, "message": event.message}
            self._kept.append({**entry, "over": None, "how": None})
            return
        for one in reversed(self._kept):
            if one["rule"] == event.rule and one["over"] is None:
                one["over"], one["how"] = at, event.message
                return

    def entries(self) -> list[dict[str, Any]]:
        """In the order in which they were raised."""
        return [dict(one) for one in self._kept]
