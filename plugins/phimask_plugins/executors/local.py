"""Several workers on this machine, each a process of its own, under a supervisor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from phimask import Control, Executor, Job, events
from phimask_plugins.executors.sizing import bearable
from phimask_plugins.executors.supervisor import Limits, Supervisor

_LOGGER: Final = logging.getLogger("phimask.workers")


class LocalExecutor(Executor):
    """Works in several processes of this machine, each with its own connections and its own share of memory.

    Processes are spawned, never forked, so that it is the same on Windows, macOS and Linux. A worker that dies or
    hangs is replaced and its partitions are handed on; one whose memory stays above `memory` is recycled at the end
    of a batch. No more workers are started than there are partitions.
    """

    name: ClassVar[str] = "local"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "workers": {
                "anyOf": [{"enum": ["auto"]}, {"type": "integer", "minimum": 1}],
                "default": "auto",
                "description": "how many; `auto`: a worker for each physical core but one, as far as there is `memory` "
                "for each and a container's limits allow, and at most `max`",
            },
            "max": {
                "type": "integer",
                "minimum": 1,
                "default": 16,
                "description": "the most workers that `auto` comes to",
            },
            "memory": {
                "format": "size",
                "default": "1GB",
                "description": "what one worker is to have: `auto` reckons with it, and a worker whose resident memory "
                "stays above it after ten batches or more is replaced by a new one",
            },
            "restarts": {
                "type": "integer",
                "minimum": 0,
                "default": 5,
                "description": "so many workers may die or hang within `period`; one more, and the run stops safely",
            },
            "period": {
                "format": "duration",
                "default": "10m",
                "description": "what `restarts` counts in",
            },
            "backoff": {
                "format": "duration",
                "default": "1s",
                "description": "how long the place of one that died stays empty; doubled with each death within "
                "`period`, up to a minute",
            },
            "patience": {
                "format": "duration",
                "default": "5m",
                "description": "a worker that gives no sign of going on for so long, while it is not held, is killed "
                "and replaced",
            },
            "stagger": {
                "format": "duration",
                "default": "100ms",
                "description": "the time between the starts of two workers",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for a memory or a patience of nothing."""
        super().__init__(options)
        for name in ("memory", "patience", "period"):
            if not options[name] > 0:
                raise ValueError(f"{name} is nothing; give it a positive amount")

    def run(self, job: Job, control: Control, tell: Callable[[events.Event], None]) -> None:
        """Let workers work until nothing is left or the end is asked for."""
        if control.stopping:
            return
        options = self.options
        workers, why = options["workers"], "as the profile says"
        if workers == "auto":
            workers, why = bearable(options["memory"], options["max"])
        _LOGGER.info("workers: up to %d (%s)", workers, why)
        limits = Limits(
            workers=workers,
            memory=options["memory"],
            restarts=options["restarts"],
            period=options["period"],
            backoff=options["backoff"],
            patience=options["patience"],
            stagger=options["stagger"],
        )
        Supervisor(job, control, tell, limits).run()
