"""What the next batch will come to, held against what the process, its container and the machine have left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import psutil

from phimask import BatchCost, MemoryGovernor, MemoryReading, Relief
from phimask_plugins.cgroups import Cgroups

_RUNGS: Final[tuple[tuple[float, Relief], ...]] = (
    (0.70, "shrink"),
    (0.80, "drop"),
    (0.85, "collect"),
    (0.95, "pause"),
    (1.00, "recycle"),
)
"""From which share of the ceiling on, what is to be done."""
_SHRINK: Final = 1
_PAUSE: Final = 4
_RELEASE: Final = 0.05
"""So much further down a rung is left again."""
_RESERVE: Final = 0.05
"""The share of a container's or a machine's memory that is nobody's to use up."""
_FORGETS: Final = 0.95
"""What is left of the highest rise after another batch."""
_SOME_WAIT: Final = 20.0
_ALL_WAIT: Final = 10.0
"""Percent of the time (PSI, over ten seconds) in which some, or all, stood still for want of memory."""
_LEAST_SHRINK: Final = 0.1


class PredictiveMemoryGovernor(MemoryGovernor):
    """Looks ahead: what is resident now, and the rise that batches showed of late, against the nearest ceiling.

    Ceilings are `ceiling`; the container's limits (control groups, version 1 or 2, and all above them) and the
    machine's memory, each less a twentieth, which others need. What others have taken counts as taken. From 70 % of the
    nearest on batches shrink, from 80 % caches are dropped, from 85 % garbage is collected and unused memory given
    back. From 95 % on, what is resident now counted alone, work pauses; and where the process comes to its own
    `ceiling`, it is recycled: replaced by a new one, under an executor that can. A rung is left again 5 percentage
    points further down, so that nothing flickers.

    Where the kernel tells (PSI), a fifth of the time in which something waits for memory means shrinking, whatever the
    numbers say, and a tenth in which everything does means a pause.
    """

    name: ClassVar[str] = "predictive"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "ceiling": {
                "anyOf": [{"type": "null"}, {"format": "size"}],
                "default": None,
                "description": "resident bytes that this process is not to come to; null: only what the container "
                "and the machine leave",
            },
        },
    }

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._ceiling: int | None = options["ceiling"]
        if self._ceiling is not None and self._ceiling <= 0:
            raise ValueError("ceiling is no size; give it a positive size such as 1GB, or null")
        self._process = psutil.Process()
        self._cgroups = Cgroups()
        self._rise = 0.0
        self._rung = 0

    def read(self) -> MemoryReading:
        """The state now."""
        resident = self.resident_bytes()
        left, total = self.left_to_all()
        most = resident + max(0, left)
        ceiling = min(total, most) if self._ceiling is None else self._ceiling
        nearest = max(1, min(ceiling, most))
        now, ahead = resident / nearest, (resident + self._rise) / nearest
        self._rung = self._climbed(now, ahead)
        if self._rung == len(_RUNGS) and (self._ceiling is None or resident < self._ceiling):
            self._rung -= 1  # a new process would find no more than this one has
        some, full = self._cgroups.stall()
        rung = max(self._rung, _SHRINK if some >= _SOME_WAIT else 0, _PAUSE if full >= _ALL_WAIT else 0)
        if not rung:
            return MemoryReading("ok", resident, ceiling)
        lowest = _RUNGS[0][0]
        height = max(0.0, ahead - lowest) / (1 - lowest)
        return MemoryReading(
            "critical" if rung >= _PAUSE else "high",
            resident,
            ceiling,
            max(_LEAST_SHRINK, 1 - height),
            _RUNGS[rung - 1][1],
        )

    def note(self, cost: BatchCost) -> None:
        """Remember how far memory rose."""
        if cost.peak_bytes and cost.resident_bytes:
            self._rise = max(self._rise * _FORGETS, float(cost.peak_bytes - cost.resident_bytes))

    def _climbed(self, now: float, ahead: float) -> int:
        """The rung: the one of before, as long as it is not left. What is only expected is no reason to stand still."""
        shares = [ahead if number < _PAUSE else now for number in range(1, len(_RUNGS) + 1)]
        reached = max(
            (number for number, share in enumerate(shares, 1) if share >= _RUNGS[number - 1][0]), default=0
        )
        while reached < self._rung and shares[self._rung - 1] < _RUNGS[self._rung - 1][0] - _RELEASE:
            self._rung -= 1
        return max(reached, self._rung)

    def resident_bytes(self) -> int:
        """This process's resident bytes."""
        return int(self._process.memory_info().rss)

    def left_to_all(self) -> tuple[int, int]:
        """Bytes that container and machine have left for all, and have in all, the reserve taken off."""
        machine = psutil.virtual_memory()
        known = [(machine.available, machine.total)]
        known += [
            (one.most - one.used, one.most) for one in self._cgroups.memory() if one.most < machine.total
        ]
        return min((int(left - _RESERVE * total), int((1 - _RESERVE) * total)) for left, total in known)
