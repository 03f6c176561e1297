"""Several workers on this machine, each a process of its own, under a supervisor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from phimask import Control, Executor, Job, events
from phimask_plugins.executors.autoscale import Autoscale
from phimask_plugins.executors.limits import LIMIT_OPTIONS, limits, refuse_nothing
from phimask_plugins.executors.sizing import bearable
from phimask_plugins.executors.supervisor import FEW, Supervisor

_LOGGER: Final = logging.getLogger("phimask.workers")


class LocalExecutor(Executor):
    """Works in several processes of this machine, each with its own connections and its own share of memory.

    Processes are spawned, never forked, so that it is the same on Windows, macOS and Linux. A worker that dies or
    hangs is replaced and its partitions are handed on; one whose memory stays above `memory` is recycled at the end
    of a batch. No more workers are started than there are partitions. With `autoscale`, their number is searched for
    while they work, as long as three minutes of work or more are left.
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
            "autoscale": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": {
                    "min": {"type": "integer", "minimum": 1, "description": "the fewest workers (1)"},
                    "max": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "the most; not above `workers` or, if that is `auto`, the other `max`, and "
                        "as many as that where it is left out. Cores do not bound it",
                    },
                },
                "default": None,
                "description": "begin with `workers`, then have as many as mask the most bytes a second, measured "
                "while they work, between `min` and `max`; never more while they are held or there is no `memory` "
                "for another. null: their number stays",
            },
            "memory": {
                "format": "size",
                "default": "1GB",
                "description": "what one worker is to have: `auto` reckons with it, and a worker whose resident memory "
                "stays above it after ten batches or more is replaced by a new one",
            },
            **LIMIT_OPTIONS,
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ValueError for a memory or a patience of nothing, and for an autoscale that cannot be."""
        super().__init__(options)
        refuse_nothing(options)
        self._bounds = _bounds(options)

    def run(self, job: Job, control: Control, tell: Callable[[events.Event], None]) -> None:
        """Let workers work until nothing is left or the end is asked for."""
        if control.stopping:
            return
        options = self.options
        workers, why = self._wanted()
        autoscale = None
        if self._bounds is None:
            _LOGGER.info("workers: up to %d (%s)", workers, why)
        else:
            least, most = self._bounds
            begin = max(least, min(workers, most))
            if job.partitions is not None and (of_use := max(least, job.partitions)) < begin:
                begin, why = of_use, f"there is {FEW}"
            autoscale = Autoscale(least, most, options["memory"], begin, f"it begins with {begin} ({why})")
        Supervisor(job, control, tell, limits(options, workers), autoscale).run()

    def workers(self) -> tuple[int, int, str]:
        """With autoscale, the most is what that may come to."""
        workers, why = self._wanted()
        if self._bounds is None:
            return workers, workers, why
        least, most = self._bounds
        return (
            max(least, min(workers, most)),
            most,
            f"it begins with {workers} ({why}), and searches up to {most}",
        )

    def _wanted(self) -> tuple[int, str]:
        if self.options["workers"] == "auto":
            return bearable(self.options["memory"], self.options["max"])
        return self.options["workers"], "as the profile says"


def _bounds(options: Mapping[str, Any]) -> tuple[int, int] | None:
    """The fewest and the most workers of an autoscale, None where there is none. Raises ValueError."""
    autoscale = options["autoscale"]
    if autoscale is None:
        return None
    name = "max" if options["workers"] == "auto" else "workers"
    limit = options[name]
    least, most = autoscale.get("min", 1), autoscale.get("max", limit)
    if most > limit:
        raise ValueError(f"autoscale.max ({most}) is above {name} ({limit}); lower it, or raise {name}")
    if least > most:
        where = "autoscale.max" if "max" in autoscale else name
        raise ValueError(f"autoscale.min ({least}) is above {where} ({most}); make it that or less")
    return least, most
